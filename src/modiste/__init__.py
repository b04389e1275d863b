"""Train, evaluate and deploy image classifiers of clothes.

`train` a `recipe`, `evaluate` a run, `compare` runs, `load` a model: each is imported when it is first used (PEP 562).
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_FUNCTIONS = ("compare", "evaluate", "load", "recipe", "train")  # with their types in __init__.pyi


def __getattr__(name: str) -> Any:
    """Import a public function."""
    if name not in _FUNCTIONS:
        raise AttributeError(f"module 'modiste' has no attribute {name!r}")
    return getattr(import_module("modiste.api"), name)
