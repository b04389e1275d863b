"""Pictures for tests: drawn here, saved in any way a test needs."""

import io
from typing import Any

import numpy as np
from PIL import Image


def clothes(height: int = 60, width: int = 40) -> Image.Image:
    """An RGB picture of something dark and coloured on white, different in all four corners of it."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    rows, columns = np.mgrid[0 : height - 20, 0 : width - 16]
    pixels[10:-10, 8:-8] = np.stack([rows * 2, columns * 3, (rows + columns) % 100], 2).astype(np.uint8)
    return Image.fromarray(pixels)


def saved(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The picture as a file of that kind."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def noise(side: int = 28, seed: int = 0) -> np.ndarray:
    """A gray image of noise: uint8 [side, side]."""
    return np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
