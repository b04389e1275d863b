"""Errors for files whose content has the wrong structure."""

from collections.abc import Iterator
from contextlib import contextmanager

from modiste.errors import InputError

PARSING_ERRORS = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What code that reads JSON of another structure raises."""


@contextmanager
def as_input_error(message: str) -> Iterator[None]:
    """Raise an InputError with this message, which should name the file, when the block fails on its content."""
    try:
        yield
    except PARSING_ERRORS:
        raise InputError(message) from None
