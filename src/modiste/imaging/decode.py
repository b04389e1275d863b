"""Bytes or a path in, a checked photo out. The only place where pictures are decoded.

Only JPEG, PNG and WebP decoders are ever called here, and that of HEIC in a process of its own; sizes are checked
before; a file that ends before its photo does is an error. Every failure is an `InputError` of one sentence that holds
no metadata of the picture.
"""

import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from modiste.errors import InputError
from modiste.imaging import containers, heic
from modiste.imaging.containers import Container

Photo = NDArray[np.uint8]
"""uint8 [h, w, 3], RGB on white, the right way up. A gray photo has three equal channels."""

MAX_BYTES = 50 * 2**20
MAX_PIXELS = 65_000_000
MIN_SIDE = 8

ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(path: Path) -> Photo:
    """Read a photo from a file; errors name the path.

    Raises:
        InputError: it is missing, no file, too large, or raises as `decode`.
    """
    try:
        if path.is_dir():
            os.scandir(path).close()  # one that cannot be opened says so
        if not path.is_file():
            reason = "is no file" if path.exists() else "does not exist"
            raise InputError(f"{path} {reason}. Give the path of a picture.")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a path with a null byte is a ValueError
        raise InputError(
            f"{path} cannot be read ({getattr(error, 'strerror', error)}). Check its permissions."
        ) from None
    return decode(data, str(path))


def decode(data: bytes, name: str = "The picture") -> Photo:
    """Decode a photo: first frame, the right way up, alpha on white, 16 bits scaled to 8.

    Args:
        data: a whole JPEG, PNG or WebP file, or HEIC where the extra is installed.
        name: what to call it in an error.

    Raises:
        InputError: it is larger than 50 MiB or 65 million pixels, smaller than 8 pixels a side, of another format,
            truncated or damaged.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES // 2**20} MiB. Make it smaller.")
    if containers.is_heic(data):
        return _heic(data, name)
    container = containers.take_apart(data, name)
    check_size(container.width, container.height, name)
    try:
        picture = on_white(_decoded(container))
        if container.orientation in ORIENTATIONS:
            picture = picture.transpose(ORIENTATIONS[container.orientation])
    except Exception:  # noqa: BLE001  decoders raise anything for damaged files
        raise InputError(f"{name} is truncated or damaged. Copy or download it again.") from None
    return np.asarray(picture)


def of_pillow(picture: Image.Image, name: str = "The picture") -> Photo:
    """The photo of what Pillow has opened: the right way up, as `decode`; raises InputError likewise."""
    check_size(picture.width, picture.height, name)
    try:
        return np.asarray(on_white(ImageOps.exif_transpose(picture)))
    except Exception:  # noqa: BLE001  it is decoded now at the latest
        raise InputError(f"{name} is truncated or damaged. Copy or download it again.") from None


def _heic(data: bytes, name: str) -> Photo:
    width, height, pixels = heic.size_and_pixels(data, name)
    check_size(width, height, name)
    if len(pixels) != width * height * 3:
        raise InputError(f"{name} is truncated or damaged. Copy or download it again.")
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def check_size(width: int, height: int, name: str) -> None:
    """Raise an InputError unless a photo of so many pixels may be decoded."""
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise InputError(f"{name} has {width} x {height} pixels, more than {limit} million. Make it smaller.")
    if min(width, height) < MIN_SIDE:
        raise InputError(f"{name} has {width} x {height} pixels, but {MIN_SIDE} a side are needed. Give a larger one.")


def _decoded(container: Container) -> Image.Image:
    picture = Image.open(io.BytesIO(container.data), formats=(container.kind,))
    if picture.size != (container.width, container.height):
        raise ValueError("the header says two sizes")
    picture.load()
    return picture


def on_white(picture: Image.Image) -> Image.Image:
    """Any mode to RGB on white, 16 bits scaled to 8; integers without a range are 16 bits where 8 are too few."""
    if picture.mode.startswith("I;16") or (picture.mode == "I" and np.asarray(picture).max() > 255):
        picture = _eight_bits(picture)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layers = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), layers).convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit gray to 8 bits by scaling; Pillow's own conversion clips at 255."""
    values = np.asarray(picture).astype(np.uint32)
    gray = ((values * 255 + 32767) // 65535).astype(np.uint8)
    see_through = picture.info.get("transparency")
    if see_through is not None:
        gray[values == see_through] = 255
    return Image.fromarray(gray)
