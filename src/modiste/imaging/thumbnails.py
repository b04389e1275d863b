"""Small copies of images: gray ones to compare, and ones to show in a page."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from modiste.imaging import png

GRAY_SIDE = 16
"""Pixels a side of a gray thumbnail; details that a compression changes are smaller."""

MAX_PNG_SIDE = 64
"""Pixels a side up to which an image is embedded without loss."""


def gray_thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale an image, [h, w] or [h, w, 3], to uint8 [16, 16] gray, each pixel the mean of those that it covers."""
    gray = Image.fromarray(image).convert("L")
    return np.asarray(gray.resize((GRAY_SIDE, GRAY_SIDE), Image.Resampling.BOX))


def thumbnail_url(image: NDArray[np.uint8], side: int) -> str:
    """Return an image, [h, w] or [h, w, 3], at most `side` pixels a side, as a data URL: small ones as PNG, or JPEG."""
    if max(image.shape[:2]) <= MAX_PNG_SIDE:
        return png.data_url(image)
    picture, file = Image.fromarray(image), io.BytesIO()
    picture.thumbnail((side, side))
    picture.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def read_url(url: str) -> NDArray[np.uint8]:
    """Return the image of a data URL of a PNG or JPEG, uint8 [h, w] or [h, w, 3]; raises ValueError."""
    content = base64.b64decode(url.partition(",")[2], validate=True)
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            return np.asarray(image if image.mode == "L" else image.convert("RGB"))
    except OSError as error:
        raise ValueError(str(error)) from error
