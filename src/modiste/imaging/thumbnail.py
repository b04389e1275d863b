"""Shrink images for a page."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_SIDE = 96


def shrink(image: NDArray[np.uint8], side: int = MAX_SIDE) -> NDArray[np.uint8]:
    """Return a square image, uint8 [s, s] or [s, s, 3], with at most `side` pixels a side; small ones as they are."""
    if len(image) <= side:
        return image
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
