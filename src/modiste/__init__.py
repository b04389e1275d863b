"""Train, evaluate and deploy image classifiers of clothes.

`load` a model, `train` a recipe, `evaluate` a run, `compare` runs: each is imported when it is first used (PEP 562).
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_FUNCTIONS = {
    "load": "modiste.inference:load",
    "train": "modiste.training.run:start",
    "evaluate": "modiste.reporting.evaluate:evaluate",
    "compare": "modiste.reporting.comparison:compare",
}


def __getattr__(name: str) -> Any:
    """Import a public function."""
    if name not in _FUNCTIONS:
        raise AttributeError(f"module 'modiste' has no attribute {name!r}")
    module, _, function = _FUNCTIONS[name].partition(":")
    return getattr(import_module(module), function)
