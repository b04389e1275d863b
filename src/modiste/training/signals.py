"""Ctrl-C and SIGTERM request a training to stop after its step; a second one ends it at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from modiste.errors import STOP_SIGNALS


class StopRequest:
    """Keeps the number of the first signal; 0 before one arrives.

    While `interrupts` is true, a signal also raises a KeyboardInterrupt, which ends work that asks for no request.
    """

    def __init__(self, interrupts: bool = False) -> None:
        self.signal_number, self.interrupts = 0, interrupts

    def __call__(self) -> bool:
        """Return whether a stop was requested."""
        return self.signal_number != 0


@contextmanager
def stop_request(interrupts: bool = False) -> Iterator[StopRequest]:
    """Catch the stop signals in this block; nothing outside the main thread, where no signals arrive."""
    request, in_main_thread = StopRequest(interrupts), threading.current_thread() is threading.main_thread()
    handlers = {caught: signal.getsignal(caught) for caught in STOP_SIGNALS if in_main_thread}

    def restore() -> None:
        for signal_number, handler in handlers.items():
            signal.signal(signal_number, handler)

    def handle(signal_number: int, frame: FrameType | None) -> None:
        request.signal_number = signal_number
        restore()
        if request.interrupts:
            raise KeyboardInterrupt

    for caught in handlers:
        signal.signal(caught, handle)
    try:
        yield request
    finally:
        restore()
