"""Folders for temporary files, of which a signal leaves nothing behind."""

import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from modiste.errors import caught_signals


@contextmanager
def temporary_folder() -> Iterator[str]:
    """Yield the path of a new folder, which is removed in any case; raises an OSError if it cannot be made."""
    with _delayed_signals():
        folder = tempfile.TemporaryDirectory(prefix="modiste-")
    with folder as path:
        yield path


@contextmanager
def _delayed_signals() -> Iterator[None]:
    """Handle stop signals after the block: one between the making of a folder and its return would leave it behind."""
    if threading.current_thread() is not threading.main_thread():  # which alone handles signals
        yield
        return
    arrived: list[int] = []
    handlers = {each: signal.signal(each, lambda caught, _: arrived.append(caught)) for each in caught_signals()}
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        for caught in arrived:
            signal.raise_signal(caught)
