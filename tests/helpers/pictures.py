"""Pictures for tests: drawn here, saved in any way a test needs."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def clothes(height: int = 60, width: int = 40) -> Image.Image:
    """An RGB picture of something dark and colored on white, different in all four corners of it."""
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
    """A gray image of noise: uint8 [side, side], with black corners, so that a gray model takes it unchanged."""
    image = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    image[[0, 0, -1, -1], [0, -1, 0, -1]] = 0
    return image


def fill(folder: Path, count: int, draw: Callable[[int], Image.Image] | None = None, suffix: str = ".png") -> Path:
    """Make a class folder with so many pictures, different noise unless they are drawn otherwise; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture = draw(number) if draw else Image.fromarray(noise(16, number))
        picture.save(folder / f"{number}{suffix}")
    return folder
