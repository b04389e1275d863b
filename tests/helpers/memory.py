"""Peak memory of a piece of code."""

from collections.abc import Callable
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
