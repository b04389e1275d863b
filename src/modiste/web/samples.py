"""The bundled samples of the page, and which of them fit a model."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from modiste.inference.model import Model
from modiste.labels import FASHION_MNIST

LABELS = {re.sub(r"\W+", "-", label.lower()): label for label in FASHION_MNIST}
"""Class of each sample, by the stem of its file."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A bundled photo or image to try: its path relative to the page, and its class."""

    file: str
    label: str


def sample_files() -> list[Traversable]:
    """Return the files of all samples, photos last."""
    files = (resources.files("modiste") / "assets" / "samples").iterdir()
    samples = (file for file in files if file.name.endswith((".png", ".jpg")))
    return sorted(samples, key=lambda file: (file.name.endswith(".jpg"), file.name))


def find_samples(models: Iterable[Model]) -> list[Sample]:
    """Return the samples that one of the models was trained for.

    They show one of its classes, and are images of Fashion-MNIST (.png) for gray models, photos (.jpg) for RGB models.
    """
    fitting = {(".png" if model.channels == 1 else ".jpg", label) for model in models for label in model.class_names}
    samples = [(file.name, LABELS[file.name.rpartition(".")[0]]) for file in sample_files()]
    return [Sample(f"samples/{name}", label) for name, label in samples if (name[-4:], label) in fitting]
