"""One way to say that a file does not hold what it should."""

from collections.abc import Iterator
from contextlib import contextmanager

from modiste.errors import InputError

SIGNS = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What strange JSON does to code that takes it apart."""


@contextmanager
def as_input_error(message: str) -> Iterator[None]:
    """Raise an InputError with this message, which names the file, when the block stumbles over its content."""
    try:
        yield
    except SIGNS:
        raise InputError(message) from None
