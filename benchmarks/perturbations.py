"""Changes of a photo that do not change the clothes in it."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from modiste.imaging.preprocess import PhotoInput


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


def _encode(photo: Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    photo.save(file, file_format, **options)
    return file.getvalue()
