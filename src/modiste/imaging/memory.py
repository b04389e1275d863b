"""Limits on the memory that photos take over all threads of the process."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock

MEBIBYTE = 2**20

TRIMMED_BYTES = 16 * MEBIBYTE
"""Of a reservation whose memory is given back to the system: the C library would keep it, for each thread."""

# None where the C library is not glibc
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


class MemoryBudget:
    """Bytes that threads share: one that needs more than are free waits, in the order of arrival.

    A thread must not reserve twice from one budget: it could wait for itself.

    Args:
        total: bytes; a reservation of more waits until all are free.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._turn, self._released = Lock(), Condition()

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Reserve so many bytes until the block ends."""
        size = min(size, self.total)
        with self._turn, self._released:  # who waits lets nobody pass, or small photos would keep a large one waiting
            self._released.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            if size >= TRIMMED_BYTES and _malloc_trim is not None:
                _malloc_trim(0)
            with self._released:
                self._free += size
                self._released.notify_all()


FILES = MemoryBudget(128 * MEBIBYTE)
"""For encoded photos while they are parsed and decoded."""

PIXELS = MemoryBudget(384 * MEBIBYTE)
"""For photos while they are decoded and prepared; reserved after `FILES`, never before."""
