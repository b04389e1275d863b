"""Decode photos from files, bytes, Pillow images and arrays. The only place where photos are decoded.

Only the JPEG, PNG and WebP decoders run here; HEIC is decoded in a separate process. Sizes are checked before decoding,
and an incomplete file is an error. Every failure is an `InputError` of one sentence without metadata of the photo.
"""

import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from modiste.errors import InputError
from modiste.imaging import file_format, heic
from modiste.imaging.file_format import EncodedPhoto

Photo = NDArray[np.uint8]
"""uint8 [h, w, 3], RGB on white, with the orientation applied. A gray photo has three equal channels."""

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


def decode_file(path: Path) -> Photo:
    """Read and decode a photo file; error messages contain the path.

    Raises:
        InputError: the file is missing, not a regular file, or cannot be read; otherwise as `decode_bytes`.
    """
    try:
        if path.is_dir():
            os.scandir(path).close()  # raises for a folder without permission
        if not path.is_file():
            reason = "is not a file" if path.exists() else "does not exist"
            raise InputError(f"{path} {reason}. Give the path of a photo.")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a path with a null byte is a ValueError
        raise InputError(
            f"{path} cannot be read ({getattr(error, 'strerror', error)}). Check its permissions."
        ) from None
    return decode_bytes(data, str(path))


def decode_bytes(data: bytes, name: str = "The photo") -> Photo:
    """Decode a photo file: its first frame, oriented, alpha composited on white, 16 bits scaled to 8.

    Args:
        data: a complete JPEG, PNG or WebP file, or HEIC where the extra `heic` is installed.
        name: name of the photo for error messages, here and below.

    Raises:
        InputError: it is larger than 50 MiB or 65 million pixels, has a side below 8 pixels, is of another format,
            truncated or damaged.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES // 2**20} MiB. Make it smaller.")
    if file_format.detect_format(data[:16]) == "HEIC":
        return _decode_heic(data, name)
    encoded = file_format.parse(data, name)
    check_size(encoded.width, encoded.height, name)
    try:
        image = to_rgb(_open(encoded))
        if encoded.orientation in ORIENTATIONS:
            image = image.transpose(ORIENTATIONS[encoded.orientation])
    except Exception:  # noqa: BLE001  decoders raise anything for damaged files
        raise InputError(f"{name} is truncated or damaged. Copy or download it again.") from None
    return np.asarray(image)


def decode_pillow(image: Image.Image, name: str = "The photo") -> Photo:
    """Convert a Pillow image of any mode to a photo, oriented; raises InputError as `decode_bytes`."""
    check_size(image.width, image.height, name)
    try:
        return np.asarray(to_rgb(ImageOps.exif_transpose(image)))
    except InputError:
        raise
    except Exception:  # noqa: BLE001  Pillow decodes the file only now
        raise InputError(f"{name} is truncated or damaged. Copy or download it again.") from None


def decode_array(pixels: NDArray[np.generic], name: str = "The photo") -> Photo:
    """Convert an array to a photo: [h, w], [1, h, w] or [h, w, 1] gray, [h, w, 2] with alpha, [h, w, 3] RGB, or RGBA.

    Raises:
        InputError: the array has another shape, such as channels first, [3, h, w], or rows of flattened images,
            [n, 784], or values that `to_uint8` refuses.
    """
    if pixels.ndim == 3 and 1 in (pixels.shape[0], pixels.shape[2]):
        pixels = pixels[0] if pixels.shape[0] == 1 else pixels[:, :, 0]
    shape = pixels.shape
    if shape[1:] == (784,) or not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (2, 3, 4))):
        advice = "Give [h, w] gray, [h, w, 3] RGB or [h, w, 4] RGBA"
        advice += ", np.moveaxis(photo, 0, -1) for one photo or list(photos) for three" if shape[:1] == (3,) else ""
        advice += ", flattened images as images.reshape(-1, 28, 28)" if shape[1:] == (784,) else ""
        raise InputError(f"{name} is an array {list(shape)} of {pixels.dtype}. {advice}.")
    check_size(shape[1], shape[0], name)
    values = to_uint8(pixels, name)
    return values if shape[2:] == (3,) else np.asarray(to_rgb(Image.fromarray(values)))


def check_size(width: int, height: int, name: str) -> None:
    """Raise an InputError if a photo of this size in pixels is too large or too small to be decoded."""
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise InputError(f"{name} has {width} x {height} pixels, more than {limit} million. Make it smaller.")
    if min(width, height) < MIN_SIDE:
        raise InputError(f"{name} has {width} x {height} pixels, but {MIN_SIDE} a side are needed. Give a larger one.")


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to RGB: alpha composited on white, integers and floats as `to_uint8`."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        gray = to_uint8(values).copy()
        if (transparent := image.info.get("transparency")) is not None:
            gray[values == transparent] = 255
        return Image.fromarray(gray).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")


def to_uint8(values: NDArray[np.generic], name: str = "The photo") -> NDArray[np.uint8]:
    """Scale pixel values to 0 to 255.

    Floats are taken as 0 to 1, or 0 to 255 if any is above 1; uint16 as 0 to 65,535; other integers as 0 to 255, or 0
    to 65,535 if any is above 255.

    Raises:
        InputError: a value is negative, too large or not a number.
    """
    if values.dtype == np.uint8:
        return values  # type: ignore[return-value]
    if values.dtype.kind not in "buif":
        raise InputError(f"{name} has pixels of type {values.dtype}. Give uint8, 0 to 255.")
    lowest, highest = float(values.min()), float(values.max())
    limits = {"b": (1,), "u": (255, 65535), "i": (255, 65535), "f": (1, 255)}[values.dtype.kind]
    is_uint16 = values.dtype.kind == "u" and values.dtype.itemsize == 2
    limit = limits[-1] if is_uint16 or highest > limits[0] else limits[0]
    if not (lowest >= 0 and highest <= limit):  # false for NaN, too
        raise InputError(f"{name} has pixels from {lowest:g} to {highest:g}. Give 0 to 255, or floats from 0 to 1.")
    scaled = values.astype(np.float32)
    scaled *= 255 / limit
    return np.rint(scaled, out=scaled).astype(np.uint8)


def _open(encoded: EncodedPhoto) -> Image.Image:
    image = Image.open(io.BytesIO(encoded.data), formats=(encoded.format,))
    if image.size != (encoded.width, encoded.height):
        raise ValueError("two different sizes in the header")
    image.load()
    return image


def _decode_heic(data: bytes, name: str) -> Photo:
    width, height, pixels = heic.decode(data, name)
    check_size(width, height, name)
    if len(pixels) != width * height * 3:
        raise InputError(f"{name} is truncated or damaged. Copy or download it again.")
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
