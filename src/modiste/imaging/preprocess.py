"""Make the image that a network takes from a photo, in the same way for training, evaluation and prediction.

Images for gray models are prepared as Fashion-MNIST was (Xiao et al. 2017, arXiv 1708.07747, section 2), which expects
product photos on a plain background. For a model that was trained on gray images which are not on black, photos are
only scaled.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageChops, ImageFilter, ImageOps

from modiste.errors import InputError
from modiste.imaging import decode
from modiste.imaging.decode import Photo
from modiste.imaging.fashion_mnist_like import CORNERS, MAX_BACKGROUND, original_image
from modiste.imaging.resize import RESIZE_MODES

PhotoInput = bytes | str | Path | BinaryIO | Image.Image | ArrayLike
"""One photo: a file as bytes, its path, an open binary file, a Pillow image, or an array as for `decode.decode_array`
(of anything with `__array__`, as a torch tensor)."""

MIN_ON_BLACK = 0.99
"""Share of training images; all 60,000 of Fashion-MNIST have a dark background."""

NamedPhoto = tuple[str, PhotoInput]
"""A photo and its name: its path or URL, FILE#7 for the eighth image of an IDX file, - for standard input."""

FILE_BYTES = bytes | bytearray | memoryview


def to_image(
    photo: PhotoInput, size: int, channels: int, is_on_black: bool = True, resize_mode: str = "squash"
) -> NDArray[np.uint8]:
    """Make the image of a photo: uint8 [size, size] gray (1 channel) or [size, size, 3] RGB (3 channels).

    For a gray model, a gray image on a dark background passes through unchanged where it has that size, and is
    restored where it was enlarged or padded; a photo, or an image on white, is prepared as Fashion-MNIST was. If not
    `is_on_black`, photos are only scaled to a square, as for an RGB model: by `resize_mode`, a key of `RESIZE_MODES`.

    Raises:
        InputError: the photo cannot be used, see `to_photo`.
    """
    with open_photo(photo) as decoded:
        *_, (_, image) = preprocessing_steps(decoded, size, channels, is_on_black, resize_mode)
        return np.asarray(image)


def preprocessing_steps(
    photo: PhotoInput, size: int, channels: int, is_on_black: bool = True, resize_mode: str = "squash"
) -> Iterator[tuple[str, Image.Image]]:
    """Yield name and result of each step from the decoded photo to its image; arguments and errors as `to_image`."""
    decoded = to_photo(photo)
    image = Image.fromarray(decoded)
    yield "photo", image
    if channels == 3 or not is_on_black:
        image = image if channels == 3 else image.convert("L")
        yield resize_mode.replace("_", " "), RESIZE_MODES[resize_mode](image, size)
    elif (original := original_image(decoded, size)) is not None:
        yield "gray", Image.fromarray(original)
    else:
        yield from _fashion_mnist_steps(image, size)


@contextmanager
def open_photo(photo: PhotoInput) -> Iterator[Photo]:
    """Decode one photo, uint8 [h, w, 3]; memory for a file is reserved until the block ends, see `decode.open_bytes`.

    Raises:
        InputError: it cannot be used, see `decode.open_file`, `open_bytes`, `decode_pillow` and `decode_array`.
    """
    opened: AbstractContextManager[Photo]
    if isinstance(photo, str | Path):
        opened = decode.open_file(Path(photo))
    elif isinstance(photo, FILE_BYTES):
        opened = decode.open_bytes(bytes(photo))
    elif isinstance(photo, Image.Image):
        opened = nullcontext(decode.decode_pillow(photo))
    elif hasattr(photo, "read"):
        opened = decode.open_bytes(_read(cast("BinaryIO", photo)))
    else:
        opened = nullcontext(decode.decode_array(_as_array(photo)))
    with opened as decoded:
        yield decoded


def to_photo(photo: PhotoInput) -> Photo:
    """Return what `open_photo` yields; raises as that."""
    with open_photo(photo) as decoded:
        return decoded


def as_photos(photos: PhotoInput | Iterable[PhotoInput]) -> Iterable[PhotoInput]:
    """Return photos as an iterable, in which one photo is the only one.

    Arrays of [h, w], of up to 4 channels in last place, and of 3 in first place ([3, h, w]) count as one photo.
    """
    shape = getattr(photos, "shape", None)
    if shape is not None:
        is_one = len(shape) < 3 or (len(shape) == 3 and (shape[2] <= 4 or shape[0] == 3))
    else:
        is_one = isinstance(photos, FILE_BYTES | str | Path | Image.Image) or hasattr(photos, "read")
    return [photos] if is_one or not isinstance(photos, Iterable) else photos  # type: ignore[list-item]


def is_on_black(images: NDArray[np.uint8]) -> bool:
    """Return whether nearly all gray images, uint8 [n, s, s], have a dark background, as those of Fashion-MNIST."""
    backgrounds = np.sort(images[:, *CORNERS], axis=1)[:, 1]
    return bool((backgrounds <= MAX_BACKGROUND).mean() >= MIN_ON_BLACK)


def _read(file: BinaryIO) -> bytes:
    try:
        return bytes(file.read(decode.MAX_BYTES + 1))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"The photo cannot be read ({error}). Open its file anew, with mode 'rb'.") from None


def _as_array(photo: object) -> NDArray[np.generic]:
    try:
        pixels = np.asarray(photo)
    except (ValueError, TypeError, RuntimeError):  # rows of different lengths, tensors on a GPU or with gradients
        pixels = np.array(None)
    if not pixels.ndim:
        kind = type(photo).__name__
        raise InputError(f"The photo is a {kind} that is not an array of pixels. Give uint8, [h, w, 3].")
    return pixels


def _fashion_mnist_steps(photo: Image.Image, size: int) -> Iterator[tuple[str, Image.Image]]:
    """Trim, resize the longest edge by nearest neighbor, sharpen, convert to gray on black, and center."""
    pixels = np.asarray(photo)
    corner = np.median(pixels[CORNERS], axis=0)
    trimmed = _trim(photo, tuple(int(value) for value in corner))
    yield "trimmed", trimmed
    scale = size / max(trimmed.size)
    edges = (max(1, round(trimmed.width * scale)), max(1, round(trimmed.height * scale)))
    small = trimmed.resize(edges, Image.Resampling.NEAREST)
    yield "scaled", small
    sharp = small.filter(ImageFilter.UnsharpMask(radius=1, percent=100, threshold=0))
    yield "sharpened", sharp
    gray = sharp.convert("L")
    if corner.mean() > MAX_BACKGROUND and np.ptp(pixels):  # clothes are bright on black; a plain photo shows none
        gray = ImageOps.invert(gray)
    image = Image.new("L", (size, size))
    image.paste(gray, ((size - gray.width) // 2, (size - gray.height) // 2))
    yield "gray, on black", image


def _trim(photo: Image.Image, corner: tuple[int, ...]) -> Image.Image:
    """Crop margins within 5 % of the color of the corners; a photo of that color only is not cropped."""
    distance = ImageChops.difference(photo, Image.new("RGB", photo.size, corner))
    content = distance.point([255 * (level > round(0.05 * 255)) for level in range(256)] * 3)
    return photo.crop(content.getbbox())
