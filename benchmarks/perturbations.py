"""Changes of a photo that do not change the clothes in it, and whether a model's label stays the same."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from modiste.imaging.preprocess import PhotoInput
from modiste.inference.model import Model

BATCH = 64
THREADS = 2


def rotate_with_exif(photo: Image.Image) -> bytes:
    """Store the photo rotated, with the EXIF orientation that undoes it: the decoded pixels are unchanged."""
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise to display
    return _encode(photo.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)


PERTURBATIONS: dict[str, Callable[[Image.Image], PhotoInput]] = {
    "EXIF turn": rotate_with_exif,
    "JPEG quality 60": lambda photo: _encode(photo, "JPEG", quality=60),
    "20 % darker": lambda photo: np.asarray(ImageEnhance.Brightness(photo).enhance(0.8)),
    "20 % brighter": lambda photo: np.asarray(ImageEnhance.Brightness(photo).enhance(1.2)),
    "half size": lambda photo: np.asarray(
        photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.BICUBIC)
    ),
    "mirror": lambda photo: np.asarray(ImageOps.mirror(photo)),
}
"""Functions of an upright RGB photo, by their names in results/photos.json."""


def is_label_stable(model: Model, photos: list[Path]) -> dict[str, list[bool]]:
    """Return for each perturbation whether the label of each photo stays the same; load the model with one thread."""
    stable: dict[str, list[bool]] = {name: [] for name in PERTURBATIONS}
    for start in range(0, len(photos), BATCH):
        batch = [_open(path) for path in photos[start : start + BATCH]]
        before = _predict_labels(model, [np.asarray(photo) for photo in batch])
        for name, perturb in PERTURBATIONS.items():
            after = _predict_labels(model, [perturb(photo) for photo in batch])
            stable[name] += [label == original for label, original in zip(after, before, strict=True)]
    return stable


def _predict_labels(model: Model, photos: list[PhotoInput]) -> list[str | None]:
    return [prediction.label for prediction in model.stream(photos, threads=THREADS)]


def _open(path: Path) -> Image.Image:
    with Image.open(path) as photo:
        return ImageOps.exif_transpose(photo).convert("RGB")


def _encode(photo: Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    photo.save(file, file_format, **options)
    return file.getvalue()
