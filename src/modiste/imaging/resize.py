"""Scale a photo to the square image of a network, in one of three ways."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps


def squash(photo: Image.Image, size: int) -> Image.Image:
    """Scale each side to `size`, which changes the aspect ratio."""
    return photo.resize((size, size), Image.Resampling.BICUBIC)


def letterbox(photo: Image.Image, size: int) -> Image.Image:
    """Scale the longer side to `size`, and pad the shorter one with the median color of all four edges.

    Both paddings have the same width, so that a mirrored photo gives the mirrored image: the shorter side is rounded to
    a number of pixels that is even or odd as `size` is.
    """
    longest = max(photo.size)
    paddings = [min(round((longest - side) * size / longest / 2), (size - 1) // 2) for side in photo.size]
    width, height = (size - 2 * padding for padding in paddings)
    scaled = photo.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(scaled)
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    color = np.median(edges, axis=0).astype(np.uint8)
    return ImageOps.expand(scaled, tuple(paddings), tuple(color.flatten().tolist()))


def center_crop(photo: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side to `size`, and crop the longer one to its center, which may cut off sleeves."""
    return ImageOps.fit(photo, (size, size), Image.Resampling.BICUBIC)


def enlarge_center(image: NDArray[np.uint8], fraction: float) -> NDArray[np.uint8]:
    """Crop a square image, uint8 [s, s] or [s, s, 3], to this fraction of its sides, and enlarge that to its size."""
    size = len(image)
    border = min(round(size * (1 - fraction) / 2), (size - 1) // 2)
    center = Image.fromarray(image[border : size - border, border : size - border])
    return np.asarray(center.resize((size, size), Image.Resampling.BICUBIC))


RESIZE_MODES: dict[str, Callable[[Image.Image, int], Image.Image]] = {
    "squash": squash,
    "letterbox": letterbox,
    "center_crop": center_crop,
}
"""The values of the setting `data.resize_mode`: each makes an image of `size` pixels a side, in the photo's mode."""
