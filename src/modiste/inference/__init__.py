"""Predict photos with a model file: `modiste.inference.load(model).predict(photos)`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modiste.inference.model import Predictor

# ONNX Runtime reads this when it is imported; otherwise it writes a device id and a database to the user's cache.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def load(model: str | Path | bytes | None = None, threads: int = 0) -> "Predictor":
    """Load a model as `model_file.load`; None stands for the bundled models, one of which is selected per photo.

    Raises:
        InputError: as `model_file.load`, or the name of a bundled model is that of a file or run folder here, too.
    """
    from modiste.inference import bundled, bundled_files, model_file  # here, so that importing the package is quick

    if isinstance(model, str):
        bundled_files.require_unambiguous(model)
    return bundled.BundledModels(threads) if model is None else model_file.load(model, threads)
