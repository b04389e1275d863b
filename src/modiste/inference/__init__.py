"""Model files in, predictions out: `modiste.inference.load(model).predict(pictures)`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from modiste.inference.model import Model
    from modiste.inference.predictor import Predictor

# Read when the runtime is imported: without it, it keeps a device id and a telemetry database in the user's cache.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@overload
def load(model: str | Path | bytes, threads: int = 0) -> "Model": ...
@overload
def load(model: str | Path | bytes | None = None, threads: int = 0) -> "Predictor": ...
def load(model: str | Path | bytes | None = None, threads: int = 0) -> "Predictor":
    """Load a model file or a bundled model by its name; left out: the bundled ones, each for what it fits.

    Arguments and errors as `modiste.inference.model.load`.
    """
    from modiste.inference import bundled  # here, so that to import the package costs nothing
    from modiste.inference import model as models

    return bundled.Bundled(threads) if model is None else models.load(model, threads)
