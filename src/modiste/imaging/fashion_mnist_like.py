"""Recognize images of Fashion-MNIST by their content, at their own size, enlarged, or padded with black.

Such an image is gray, shows a bright object on a dark background, and has no more detail than its original size can
hold. Of 1,041 photos made gray, and of those also inverted, none loses as little when it is reduced to 28 pixels and
enlarged again as 99 of 100 images of Fashion-MNIST do.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from modiste.imaging.decode import Photo

CHECKED_SIDE = 224
"""Larger photos are reduced to fewer than twice these pixels a side first, so that the check takes milliseconds."""

MAX_CHANNEL_DIFFERENCE = 8
"""Between the channels of a gray photo; lossy formats store gray with small errors."""

CORNERS = ([0, 0, -1, -1], [0, -1, 0, -1])
MAX_BACKGROUND = 127
"""Gray level of two of the corners, at most; brighter photos are inverted for gray models."""

CONTENT_LEVEL, MIN_PEAK = 25, 80
"""Gray level above which a pixel is content, and that the brightest pixel reaches: a night photo is darker."""

MAX_RESIDUAL = 0.08
"""What reducing and enlarging loses: root mean square, relative to the standard deviation of the pixels."""


def original_image(photo: Photo, size: int) -> NDArray[np.uint8] | None:
    """Restore the prepared image, uint8 [size, size], that a photo, uint8 [h, w, 3], is an enlarged or padded copy of.

    A photo of this size is returned as it is, in gray; None is returned when the photo is not such a copy.
    """
    factor = max(1, max(photo.shape) // CHECKED_SIDE)
    red, green, blue = np.moveaxis(photo[::factor, ::factor], 2, 0)
    highest, lowest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    if (highest - lowest).max() > MAX_CHANNEL_DIFFERENCE:  # np.ptp along three channels takes 28 times as long
        return None
    gray = Image.fromarray(photo).reduce(factor).convert("L")
    levels = np.asarray(gray)
    if np.sort(levels[CORNERS])[1] > MAX_BACKGROUND or not levels.any():
        return None
    if gray.size == (size, size):
        return levels
    square = _crop_square(gray, size) if levels.max() >= MIN_PEAK else None
    return None if square is None else _reduce(square, size)


def _crop_square(gray: Image.Image, size: int) -> Image.Image | None:
    """Crop the square of the original image from its copy; None when the content is too small for one."""
    left, top, right, bottom = gray.point([255 * (level > CONTENT_LEVEL) for level in range(256)]).getbbox() or [0] * 4
    extent, longest = max(right - left, bottom - top), max(gray.size)
    if extent < max(0.85 * size, 0.45 * longest):
        return None
    side = size if extent <= size <= longest else longest if extent >= 0.9 * longest else extent
    x, y = _start(left, right, gray.width, side), _start(top, bottom, gray.height, side)
    return gray.crop((x, y, x + side, y + side))


def _start(low: int, high: int, length: int, side: int) -> int:
    """Return where a square starts on one axis: centered in the photo if the content fits, else on the content."""
    start = (length - side) // 2
    return start if start <= low and high <= start + side else round((low + high - side) / 2)


def _reduce(square: Image.Image, size: int) -> NDArray[np.uint8] | None:
    """Reduce a square to the image that it was enlarged from; None when it has more detail than that can hold.

    Landweber iterations (1951) refine the reduced image, so that enlarging it comes close to the square.
    """
    pixels = np.asarray(square, np.float32)
    for enlarge in (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
        image, residual = np.zeros((size, size), np.float32), pixels
        for _ in range(3):
            image = image + np.asarray(Image.fromarray(residual).resize((size, size), Image.Resampling.BOX))
            residual = pixels - np.asarray(Image.fromarray(image).resize(square.size, enlarge))
        if np.sqrt((residual**2).mean()) <= MAX_RESIDUAL * pixels.std():
            return np.rint(image).clip(0, 255).astype(np.uint8)
    return None
