"""Ctrl-C, SIGTERM and a closed terminal request a training to stop after its step; a second one ends it at once."""

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from modiste.errors import caught_signals


class StopRequest:
    """Keeps the number of the first signal; 0 before one arrives.

    While `interrupts` is true, each signal also raises a KeyboardInterrupt, which ends work that asks for no request.
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
    handlers = {caught: signal.getsignal(caught) for caught in caught_signals() if in_main_thread}
    terminals = [output for output in (1, 2) if os.isatty(output)]

    def restore() -> None:
        for signal_number, handler in handlers.items():
            signal.signal(signal_number, handler)

    def handle(signal_number: int, frame: FrameType | None) -> None:
        request.signal_number = request.signal_number or signal_number
        _discard_output(output for output in terminals if not os.isatty(output))
        if request.interrupts:
            raise KeyboardInterrupt
        restore()

    for caught in handlers:
        signal.signal(caught, handle)
    try:
        yield request
    finally:
        restore()


@contextmanager
def stop_on_error(request: StopRequest) -> Iterator[None]:
    """Request a stop when the block fails, so that what runs beside it does not go on to its end."""
    try:
        yield
    except BaseException:
        request.signal_number = request.signal_number or signal.SIGTERM
        raise


def _discard_output(closed_terminals: Iterable[int]) -> None:
    """Let what is written to a terminal that was closed be no error, which would end the work before it is saved."""
    for output in closed_terminals:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, output)
        os.close(null)
