"""Whether a model says the same of a photo after changes that do not change the clothes."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from modiste.imaging.preprocess import PhotoInput
from modiste.inference.model import Model

AT_A_TIME = 64
THREADS = 2


def turned(photo: Image.Image) -> bytes:
    """Stored on its side, with an orientation in EXIF that says so: the same pixels once it is the right way up."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise, when shown
    return _saved(photo.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)


CHANGES: dict[str, Callable[[Image.Image], PhotoInput]] = {
    "EXIF turn": turned,
    "JPEG quality 60": lambda photo: _saved(photo, "JPEG", quality=60),
    "20 % darker": lambda photo: np.asarray(ImageEnhance.Brightness(photo).enhance(0.8)),
    "20 % brighter": lambda photo: np.asarray(ImageEnhance.Brightness(photo).enhance(1.2)),
    "half size": lambda photo: np.asarray(
        photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.BICUBIC)
    ),
    "mirror": lambda photo: np.asarray(ImageOps.mirror(photo)),
}
"""What is done to each photo, given as RGB pixels the right way up."""


def same_after(model: Model, photos: list[Path]) -> dict[str, list[bool]]:
    """For each change, whether the label of each photo stays the same; the model is loaded with one thread."""
    same: dict[str, list[bool]] = {name: [] for name in CHANGES}
    for start in range(0, len(photos), AT_A_TIME):
        opened = [_opened(path) for path in photos[start : start + AT_A_TIME]]
        before = _labels(model, [np.asarray(photo) for photo in opened])
        for name, change in CHANGES.items():
            after = _labels(model, [change(photo) for photo in opened])
            same[name] += [one == other for one, other in zip(before, after, strict=True)]
    return same


def _labels(model: Model, pictures: list[PhotoInput]) -> list[str | None]:
    return [told.label for told in model.stream(pictures, threads=THREADS)]


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as photo:
        return ImageOps.exif_transpose(photo).convert("RGB")


def _saved(photo: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    photo.save(file, kind, **options)
    return file.getvalue()
