"""Model files in, predictions out: `modiste.inference.load(model).predict(pictures)`."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modiste.inference.model import Model


def load(model: str | Path | bytes | None = None, threads: int = 0) -> "Model":
    """Load a model file, or the bundled model of Fashion-MNIST; see `modiste.inference.model.load`."""
    from modiste.inference import model as models  # here, so that to import the package costs nothing

    return models.load(model, threads)
