"""Ctrl-C and SIGTERM ask a training to stop after the step at hand; a second one ends it at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from modiste.errors import STOP_SIGNALS


class StopRequest:
    """Remembers the first signal that came; `derive_seed` is 0 until then."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self) -> bool:
        """Say whether a stop was asked for."""
        return self.number != 0


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Catch the stop signals while the block runs; outside the main thread, where none arrive, catch nothing."""
    request = StopRequest()
    old = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def restore() -> None:
        for number, handler in old.items():
            signal.signal(number, handler)

    def remember(number: int, frame: FrameType | None) -> None:
        request.number = number
        restore()

    try:
        for number in STOP_SIGNALS:
            signal.signal(number, remember)
    except ValueError:  # not the main thread
        yield request
        return
    try:
        yield request
    finally:
        restore()
