"""How much memory a piece of code takes at its worst."""

from collections.abc import Callable
from pathlib import Path

import pytest

MEGABYTE = 2**20


def peak_growth(code: Callable[[], object]) -> int:
    """Bytes by which the process grew at most while the code ran; skips the test where Linux cannot tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        before = peak()
        code()
        return peak() - before
    except OSError:
        pytest.skip("the peak of memory cannot be reset here")


def peak(process: int | str = "self") -> int:
    """Bytes that a process has had in memory at most."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
