"""Decode photos from files, bytes, Pillow images and arrays. The only place where photos are decoded.

Only the JPEG, PNG and WebP decoders run here; HEIC is decoded in a separate process. Sizes are checked before decoding,
and an incomplete file is an error. Every failure is an `InputError` of one sentence without metadata of the photo.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from modiste.errors import InputError
from modiste.imaging import file_format, heic

Photo = NDArray[np.uint8]
"""uint8 [h, w, 3], RGB on white, with the orientation applied. A gray photo has three equal channels."""

MAX_BYTES = 50 * 2**20
MAX_PIXELS = 65_000_000
MIN_SIDE = 8


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
        cause = getattr(error, "strerror", error)
        raise InputError(f"{path} cannot be read ({cause}). Check its permissions.") from None
    try:
        return decode_bytes(data)
    except InputError as error:
        raise type(error)(str(error).replace("The photo", str(path), 1)) from None


def decode_bytes(data: bytes) -> Photo:
    """Decode a complete JPEG, PNG or WebP file, or HEIC where the extra `heic` is installed: its first frame.

    Raises:
        InputError: it is larger than 50 MiB or 65 million pixels, has a side below 8 pixels, is of another format,
            truncated or damaged.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"The photo is larger than {MAX_BYTES // 2**20} MiB. Make it smaller.")
    with _decoder_errors_as_input_error():
        if file_format.detect_format(data[:16]) == "HEIC":
            return _decode_heic(data)
        encoded = file_format.parse(data)
        check_size(*encoded.size)
        image = Image.open(io.BytesIO(encoded.data), formats=(encoded.format,))
        if image.size != encoded.size:
            raise ValueError("two different sizes in the header")
        image.load()
        _scale_transparency(image, bit_depth=encoded.data[24])
        rgb = to_rgb(image)
        rgb.info.clear()  # of WebP, whose other metadata Pillow would log
        rgb.getexif()[ExifTags.Base.Orientation] = encoded.orientation
        ImageOps.exif_transpose(rgb, in_place=True)
        return np.asarray(rgb)


def decode_pillow(image: Image.Image) -> Photo:
    """Convert a Pillow image of any mode to a photo, oriented; raises InputError as `decode_bytes`."""
    check_size(*image.size)
    with _decoder_errors_as_input_error():  # Pillow decodes the file only now
        return np.asarray(to_rgb(ImageOps.exif_transpose(image)))


def decode_array(pixels: NDArray[np.generic]) -> Photo:
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
        raise InputError(f"The photo is an array {list(shape)} of {pixels.dtype}. {advice}.")
    check_size(shape[1], shape[0])
    values = to_uint8(pixels)
    return values if shape[2:] == (3,) else np.asarray(to_rgb(Image.fromarray(values)))


def check_size(width: int, height: int) -> None:
    """Raise an InputError if a photo of this size in pixels is too large or too small to be decoded."""
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise InputError(f"The photo has {width} x {height} pixels, more than {limit} million. Make it smaller.")
    if min(width, height) < MIN_SIDE:
        raise InputError(f"The photo has {width} x {height} pixels, but needs {MIN_SIDE} a side. Give a larger one.")


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
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")  # Pillow lacks the direct conversion
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), rgba).convert("RGB")


def to_uint8(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale pixel values to 0 to 255.

    Floats are taken as 0 to 1, or 0 to 255 if any is above 1; uint16 as 0 to 65,535; other integers as 0 to 255, or 0
    to 65,535 if any is above 255.

    Raises:
        InputError: a value is negative, too large or not a number.
    """
    if values.dtype == np.uint8:
        return values  # type: ignore[return-value]
    limits = {"b": (1, 1), "u": (255, 65535), "i": (255, 65535), "f": (1, 255)}.get(values.dtype.kind)
    if limits is None:
        raise InputError(f"The photo has pixels of type {values.dtype}. Give uint8, 0 to 255.")
    lowest, highest = float(values.min()), float(values.max())
    limit = limits[1] if values.dtype.type is np.uint16 or highest > limits[0] else limits[0]
    if not (lowest >= 0 and highest <= limit):  # false for NaN, too
        raise InputError(f"The photo has pixels from {lowest:g} to {highest:g}. Give 0 to 255, or floats from 0 to 1.")
    scaled = values.astype(np.float32)
    scaled *= 255 / limit
    return np.rint(scaled, out=scaled).astype(np.uint8)


def _scale_transparency(image: Image.Image, bit_depth: int) -> None:
    """Scale the transparent level or color of a PNG, which Pillow leaves in the bit depth of the file, to 8 bits."""
    transparent = image.info.get("transparency")
    if image.mode == "L" and transparent is not None:
        image.info["transparency"] = transparent * 255 // (2**bit_depth - 1)
    elif image.mode == "RGB" and transparent is not None and bit_depth == 16:
        image.info["transparency"] = tuple(value >> 8 for value in transparent)


def _decode_heic(data: bytes) -> Photo:
    width, height, pixels = heic.decode(data)
    check_size(width, height)
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


@contextmanager
def _decoder_errors_as_input_error() -> Iterator[None]:
    """Raise an InputError for whatever a decoder raises: for damaged files, that can be any exception."""
    try:
        yield
    except InputError:
        raise
    except Exception:  # noqa: BLE001
        raise InputError("The photo is truncated or damaged. Copy or download it again.") from None
