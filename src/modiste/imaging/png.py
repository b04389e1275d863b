"""Encode images as PNG files and data URLs."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def encode(image: NDArray[np.uint8]) -> bytes:
    """Encode an image, uint8 [h, w] or [h, w, 3], as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)  # 15 times as fast as the default, 15 % larger
    return file.getvalue()


def data_url(image: NDArray[np.uint8]) -> str:
    """Encode an image as `encode`; return the file as a data URL."""
    return "data:image/png;base64," + base64.b64encode(encode(image)).decode("ascii")
