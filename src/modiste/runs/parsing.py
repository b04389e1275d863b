"""Errors for files whose content has the wrong structure."""

from collections.abc import Iterator
from contextlib import contextmanager

from modiste.errors import InputError


@contextmanager
def as_input_error(message: str) -> Iterator[None]:
    """Raise an InputError with this message, which should name the file, when the block fails on its content."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        raise InputError(message) from None
