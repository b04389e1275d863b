"""Model files in, predictions out: `modiste.inference.load(model).predict(pictures)`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modiste.inference.model import Model

# Read when the runtime is imported: without it, it keeps a device id and a telemetry database in the user's cache.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def load(model: str | Path | bytes | None = None, threads: int = 0) -> "Model":
    """Load a model file, or the bundled model of Fashion-MNIST; see `modiste.inference.model.load`."""
    from modiste.inference import model as models  # here, so that to import the package costs nothing

    return models.load(model, threads)
