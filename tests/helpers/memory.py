"""Peak memory of a piece of code."""

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

MEGABYTE = 2**20


def peak_growth(code: Callable[[], object]) -> int:
    """Bytes by which the peak memory of the process exceeds its memory before; skips where /proc lacks it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        before = peak()
        code()
        return peak() - before
    except OSError:
        pytest.skip("the peak memory cannot be reset")


def peak(process: int | str = "self") -> int:
    """Peak resident memory of a process, in bytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@contextmanager
def peak_of_tree(process: int) -> Iterator[Callable[[], int]]:
    """Yield what returns the peak memory, in bytes, of a process and its children together.

    Their memory is sampled; pages that processes share count for each.
    """
    highest, stop = [0], threading.Event()

    def sample() -> None:
        while not stop.wait(0.01):
            highest[0] = max(highest[0], sum(map(_resident, [process, *_children(process)])))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield lambda: highest[0]
    finally:
        stop.set()
        sampler.join()


def _children(process: int) -> list[int]:
    """Return the ids of the processes that the threads of a process have started."""
    children: list[int] = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            children += map(int, file.read_text().split())
    return children


def _resident(process: int) -> int:
    with suppress(OSError):  # it has ended
        return resource.getpagesize() * int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return 0
