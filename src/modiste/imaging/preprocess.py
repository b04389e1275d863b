"""A photo in, the image that a network takes out. One way for training, judging and use.

Gray images follow Zalando's own preparation of Fashion-MNIST (Xiao et al. 2017, arXiv 1708.07747, section 2). It is
made for catalogue shots on an even background.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from modiste.errors import InputError
from modiste.imaging import decode
from modiste.imaging.decode import Photo
from modiste.imaging.fashion_mnist_like import MAX_BACKGROUND, corner_color, original_image

Picture = bytes | str | Path | Image.Image | NDArray[np.uint8]
"""A picture file as bytes, its path, what Pillow opened, or pixels: uint8 [h, w] gray or [h, w, 3] RGB."""

FILE = bytes | bytearray | memoryview

Stage = Image.Image | NDArray[np.uint8]
"""Pixels on their way: gray or RGB."""

TRIM = round(0.05 * 255)
"""Pixels within 5 % of the corner color are background."""


def to_image(picture: Picture, size: int, channels: int) -> NDArray[np.uint8]:
    """Make the image of a picture: uint8 [size, size] gray or [size, size, 3] RGB.

    For a gray model, a gray image on a dark background passes through unchanged where it has that size, and is
    restored where it was enlarged or padded; a photo, or an image on white, is prepared as Fashion-MNIST was.

    Args:
        picture: a file as bytes, a path, what Pillow opened, or pixels.
        size: pixels a side.
        channels: 1 gray, 3 RGB.

    Raises:
        InputError: the picture cannot be used, see `decode.read` and `decode.decode`.
    """
    for _, stage in stages(picture, size, channels):
        image = stage
    return np.asarray(image)


def stages(picture: Picture, size: int, channels: int) -> Iterator[tuple[str, Stage]]:
    """Give every stage from a picture to its image, each with its name; arguments and errors as `to_image`.

    The first is the picture as it was decoded, the last the image.
    """
    photo = photo_of(picture)
    yield "picture", photo
    if channels == 3:
        # the whole of it: what a square would cut away from a photo may be the sleeves
        yield "square", Image.fromarray(photo).resize((size, size), Image.Resampling.BICUBIC)
    elif (original := original_image(photo, size)) is not None:
        yield "gray", original
    else:
        yield from _as_fashion_mnist(photo, size)


def photo_of(picture: Picture) -> Photo:
    """Decode a picture: uint8 [h, w, 3]; raises InputError when it cannot be used, as `to_image`."""
    if isinstance(picture, FILE):
        return decode.decode(bytes(picture))
    if isinstance(picture, Image.Image):
        return decode.of_pillow(picture)
    if isinstance(picture, str | Path):
        return decode.read(Path(picture))
    try:
        pixels = np.asarray(picture)
    except ValueError:
        raise InputError("The picture is a list of rows that are not equally long. Give an array.") from None
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise InputError(
            f"The picture is an array {list(pixels.shape)} of {pixels.dtype}. Give uint8, [h, w] gray or [h, w, 3] RGB."
        )
    decode.check_size(pixels.shape[1], pixels.shape[0], "The picture")
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels


def is_picture(given: object) -> bool:
    """Whether this is one picture, and not several."""
    if isinstance(given, np.ndarray):
        return given.ndim == 2 or (given.ndim == 3 and given.shape[2] == 3)
    return isinstance(given, FILE | str | Path | Image.Image)


def resembles_fashion_mnist(photo: Photo) -> bool:
    """Return whether a photo shows an image of Fashion-MNIST, at its own size, enlarged, or padded with black.

    Args:
        photo: uint8 [h, w, 3].
    """
    return original_image(photo, 28) is not None


def _as_fashion_mnist(photo: Photo, size: int) -> Iterator[tuple[str, Stage]]:
    """Trim, longest edge to size by skipping pixels, sharpen, gray, background to black, pad centered."""
    corner = corner_color(photo)
    trimmed = _trim(Image.fromarray(photo), tuple(int(value) for value in corner))
    yield "trimmed", trimmed
    scale = size / max(trimmed.size)
    edges = (max(1, round(trimmed.width * scale)), max(1, round(trimmed.height * scale)))
    small = trimmed.resize(edges, Image.Resampling.NEAREST)
    yield "scaled", small
    sharp = small.filter(ImageFilter.UnsharpMask(radius=1, percent=100, threshold=0))
    yield "sharpened", sharp
    gray = np.asarray(sharp.convert("L"))
    if corner.mean() > MAX_BACKGROUND and np.ptp(photo):  # clothes are bright on black; a plain photo shows none
        gray = 255 - gray
    image = np.zeros((size, size), np.uint8)
    top, left = (size - gray.shape[0]) // 2, (size - gray.shape[1]) // 2
    image[top : top + gray.shape[0], left : left + gray.shape[1]] = gray
    yield "gray, on black", image


def _trim(photo: Image.Image, corner: tuple[int, ...]) -> Image.Image:
    """Cut the margins that have the color of the corners; a photo of nothing else stays whole."""
    distance = ImageChops.difference(photo, Image.new("RGB", photo.size, corner))
    content = distance.point(([0] * (TRIM + 1) + [255] * (255 - TRIM)) * 3)
    return photo.crop(content.getbbox())
