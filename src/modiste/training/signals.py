"""Ctrl-C and SIGTERM request a training to stop after its step; a second one ends it at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from modiste.errors import STOP_SIGNALS


class StopRequest:
    """Keeps the number of the first signal; 0 before one arrives."""

    def __init__(self) -> None:
        self.signal_number = 0

    def __call__(self) -> bool:
        """Return whether a stop was requested."""
        return self.signal_number != 0


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Catch the stop signals in this block; nothing outside the main thread, where no signals arrive."""
    request, in_main_thread = StopRequest(), threading.current_thread() is threading.main_thread()
    handlers = {caught: signal.getsignal(caught) for caught in STOP_SIGNALS if in_main_thread}

    def restore() -> None:
        for signal_number, handler in handlers.items():
            signal.signal(signal_number, handler)

    def handle(signal_number: int, frame: FrameType | None) -> None:
        request.signal_number = signal_number
        restore()

    for caught in handlers:
        signal.signal(caught, handle)
    try:
        yield request
    finally:
        restore()
