"""Factories of the user's own, named `package.module:factory`: their import, and errors with file and line."""

import importlib
import inspect
import linecache
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any

import modiste
from modiste.errors import ModisteError, SettingError

Factory = Callable[..., Any]

PACKAGE = str(Path(modiste.__file__).parent)
LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
"""Folders of code that is not the user's."""

MAX_REASON = 300
"""Characters of an exception's message that are shown."""


def find(setting: str, name: str) -> Factory:
    """Import the factory that a setting names; raise a SettingError if there is none or its module fails."""
    module, _, attribute = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")  # the current folder, as in `python -m`
    try:
        factory = reduce(getattr, attribute.split("."), importlib.import_module(module))
    except Exception as error:
        raise SettingError(
            f"{setting} is {name!r}, which cannot be imported: {describe(error)}.{_advice(error)}"
        ) from error
    if not callable(factory):
        raise SettingError(f"{setting} is {name!r}, which is a {type(factory).__name__}. Name a function or a class.")
    return factory


@contextmanager
def explained(setting: str, name: str, contract: str, factory: Factory | None = None) -> Iterator[None]:
    """Raise a SettingError with the user's file and line, and the contract, if the block fails.

    Too little memory is no fault of the code, and a package that is missing none without a factory of the user's own.
    """
    try:
        yield
    except ModisteError:
        raise
    except Exception as error:
        is_missing = factory is None and isinstance(error, ModuleNotFoundError)
        if is_missing or type(error).__name__ == "OutOfMemoryError":  # of PyTorch
            raise
        raise SettingError(f"{setting} is {name!r}, which fails: {describe(error, factory)}. {contract}") from error


def describe(error: Exception, factory: Factory | None = None) -> str:
    """Return kind and message of an exception on one line, with the user's file and line; else those of the factory."""
    reason = " ".join(str(error).split())[:MAX_REASON].rstrip(".")
    place = find_place(error) or (f" ({_definition(factory)})" if factory and _definition(factory) else "")
    return f"{type(error).__name__}: {reason}{place}"


def find_place(error: Exception) -> str:
    """Return ` (FILE, line N)` of the user's code in which an exception was raised; empty if it was elsewhere."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(frame.filename)]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""


def _is_own(file: str) -> bool:
    """Return whether a file, or a cell of a notebook, is neither of this package nor of an installed library."""
    return not file.startswith((*LIBRARIES, PACKAGE)) and (Path(file).is_file() or file in linecache.cache)


def _definition(factory: Factory) -> str:
    """Return file and line in which the user's factory is defined; empty for one of a library."""
    try:
        file, line = inspect.getsourcefile(inspect.unwrap(factory)), inspect.getsourcelines(factory)[1]
    except (TypeError, OSError):
        return ""
    return f"{file}, line {line}" if file and _is_own(file) else ""


def _advice(error: Exception) -> str:
    is_missing = isinstance(error, ModuleNotFoundError | ValueError) and not find_place(error)
    return " Is its module in the current folder or on PYTHONPATH?" if is_missing else ""
