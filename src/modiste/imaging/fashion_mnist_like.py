"""Recognize images of Fashion-MNIST, at their own size, enlarged, or padded with black, by their content.

Such an image is gray, shows a bright object on a dark background, and has no more detail than its original size can
hold. Photos have more: of 1,041 photos made gray, and of those also inverted, none loses as little when it is reduced
to 28 pixels and enlarged again as 99 of 100 images of Fashion-MNIST do.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from modiste.imaging.decode import Photo

CHECKED_SIDE = 224
"""Pixels a side; larger photos are reduced by a whole factor first, so that the check takes about a millisecond."""

MAX_CHANNEL_DIFFERENCE = 8
"""Between the channels of a gray photo; lossy formats store gray with small errors."""

MAX_BACKGROUND = 127
"""Gray level of two of the corners, at most; brighter photos are inverted for gray models."""

CORNERS = ([0, 0, -1, -1], [0, -1, 0, -1])

CONTENT = 25
"""Gray levels above this are content, not background."""

MIN_PEAK = 80
"""Gray level of the brightest pixel, at least: a night photo has no bright object."""

MIN_EXTENT, MIN_SHARE = 0.85, 0.45
"""Longest edge of the content, at least: share of the original image's side, and of the photo's longest edge."""

MAX_RESIDUAL = 0.08
"""What reducing and enlarging loses: root mean square, relative to the standard deviation of the pixels."""

FILTERS = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)


def original_image(photo: Photo, size: int) -> NDArray[np.uint8] | None:
    """Restore the prepared image that a photo is an enlarged or padded copy of.

    Args:
        photo: uint8 [h, w, 3].
        size: pixels a side of the original image.

    Returns:
        uint8 [size, size], equal to the photo where that has this size; None when the photo is not such a copy.
    """
    small = Image.fromarray(photo).reduce(max(1, max(photo.shape) // CHECKED_SIDE))
    if np.ptp(np.asarray(small), axis=2).max() > MAX_CHANNEL_DIFFERENCE:
        return None
    gray = np.asarray(small.convert("L"))
    if np.sort(gray[CORNERS])[1] > MAX_BACKGROUND or not gray.any():
        return None
    if gray.shape == (size, size):
        return gray
    box = Image.fromarray(gray).point(lambda level: 255 * (level > CONTENT)).getbbox()
    if box is None or gray.max() < MIN_PEAK:
        return None
    return _reduced(_square(Image.fromarray(gray), box, size), size)


def _square(gray: Image.Image, box: tuple[int, int, int, int], size: int) -> Image.Image | None:
    """Cut the square of the original image out of its copy; None when the content is too small for one."""
    left, top, right, bottom = box
    extent, longest = max(right - left, bottom - top), max(gray.size)
    if extent < max(MIN_EXTENT * size, MIN_SHARE * longest):
        return None
    whole = longest if extent >= 0.9 * longest else extent
    side = size if extent <= size <= longest else whole
    x, y = _start(left, right, gray.width, side), _start(top, bottom, gray.height, side)
    return gray.crop((x, y, x + side, y + side))


def _start(low: int, high: int, length: int, side: int) -> int:
    """Return where a window of this side starts: centered in the image if the content fits, else on the content."""
    start = (length - side) // 2
    return start if start <= low and high <= start + side else round((low + high - side) / 2)


def _reduced(square: Image.Image | None, size: int) -> NDArray[np.uint8] | None:
    """Reduce a square to the image that it was enlarged from; None when it has more detail than that can hold.

    The reduced image is refined by Landweber iterations (1951), so that enlarging it comes close to the square.
    """
    if square is None:
        return None
    pixels = np.asarray(square, np.float32)
    limit = MAX_RESIDUAL * float(pixels.std())
    for enlarge in FILTERS:
        image, residual = np.zeros((size, size), np.float32), pixels
        for _ in range(3):
            image = image + np.asarray(Image.fromarray(residual).resize((size, size), Image.Resampling.BOX))
            residual = pixels - np.asarray(Image.fromarray(image).resize(square.size, enlarge))
        if np.sqrt((residual**2).mean()) <= limit:
            return np.rint(image).clip(0, 255).astype(np.uint8)
    return None
