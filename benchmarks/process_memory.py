"""The memory of a process and of those that it started."""

import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType


def resident_bytes(process: int, field: str = "VmRSS") -> int:
    """Return the resident memory of a process now, or at its peak (`VmHWM`)."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)


def children(process: int) -> list[int]:
    """Return the processes that a process started, and those that these started."""
    direct = [
        int(each) for path in Path(f"/proc/{process}/task").glob("*/children") for each in path.read_text().split()
    ]
    return direct + [each for child in direct for each in children(child)]


class PeakMemory:
    """Measures, as a context, the peak memory of a process together with the processes that it starts."""

    def __init__(self, process: int) -> None:
        self.process, self.of_all = process, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._measure)

    def __enter__(self) -> "PeakMemory":
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        self.thread.join()

    def peak(self) -> int:
        """Return the bytes: exactly those of the process itself, and those of all together every 20 ms."""
        return max(self.of_all, resident_bytes(self.process, "VmHWM"))

    def _measure(self) -> None:
        while not self.stop.wait(0.02):
            total = 0
            with suppress(OSError):  # a process has ended
                for each in (self.process, *children(self.process)):
                    total += resident_bytes(each)
            self.of_all = max(self.of_all, total)
