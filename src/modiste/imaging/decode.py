"""Decode photos from files, bytes, Pillow images and arrays. The only place where photos are decoded.

Only the JPEG, PNG and WebP decoders run here; HEIC is decoded in a separate process. Sizes are checked before decoding,
an incomplete file is an error, and the memory of all photos that are decoded at the same time is limited. Every failure
is an `InputError` of one sentence without metadata of the photo.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from modiste.errors import InputError
from modiste.imaging import file_format, heic, reduction
from modiste.imaging.completeness import require_complete
from modiste.imaging.file_format import EncodedPhoto
from modiste.imaging.memory import FILES, MEBIBYTE, PIXELS
from modiste.imaging.reduction import check_size

Photo = NDArray[np.uint8]
"""uint8 [h, w, 3], RGB on white, with the orientation applied. A gray photo has three equal channels."""

MAX_BYTES = 50 * MEBIBYTE

DECODERS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}
"""Of Pillow; called directly, so that no other one can be chosen by the content of a file."""

TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a photo upright, by the orientation of EXIF."""

STRIP_PIXELS = 1_000_000
"""Of a large photo, converted at a time."""


@contextmanager
def open_file(path: Path) -> Iterator[Photo]:
    """Read and decode a photo file as `open_bytes`; error messages contain the path.

    Raises:
        InputError: the file is missing, not a regular file, or cannot be read; otherwise as `open_bytes`.
    """
    with FILES.reserve(3 * _file_size(path)), _open(_read(path), str(path)) as photo:
        yield photo


@contextmanager
def open_bytes(data: bytes) -> Iterator[Photo]:
    """Decode a complete JPEG, PNG or WebP file, or HEIC where the extra `heic` is installed: its first frame.

    Photos whose shorter side has at least 2,048 pixels are reduced to half of it or less, see `reduction`. Memory is
    reserved until the block ends: with many threads, some wait. Within the block, no other photo must be opened.

    Raises:
        InputError: it is larger than 50 MiB, has more pixels than `reduction.MAX_PIXELS` or a side below 8, is of
            another format, truncated or damaged.
    """
    with FILES.reserve(2 * len(data)), _open(data) as photo:
        yield photo


def decode_bytes(data: bytes) -> Photo:
    """Return what `open_bytes` yields; raises as that."""
    with open_bytes(data) as photo:
        return photo


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


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to RGB: alpha composited on white, integers and floats as `to_uint8`."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        gray = to_uint8(values).copy()
        if (transparent := image.info.get("transparency")) is not None:
            gray[values == transparent] = 255
        return Image.fromarray(gray).convert("RGB")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
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


def reduce_to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode as `to_rgb`, in strips, and reduce a large one by the mean of its pixels."""
    factor = reduction.reduction_factor(*image.size)
    if factor == 1:
        return to_rgb(image)
    reduced = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    rows = factor * max(1, STRIP_PIXELS // (image.width * factor))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(image.height, top + rows)))
        is_reducible = image.mode in {"RGB", "RGBA", "L"} and "transparency" not in image.info
        strip = to_rgb(strip.reduce(factor)) if is_reducible else to_rgb(strip).reduce(factor)
        reduced.paste(strip, (0, top // factor))
    return reduced


@contextmanager
def _open(data: bytes, name: str = "The photo") -> Iterator[Photo]:
    """Decode a file for `open_bytes`; errors call it by its name."""
    with _decoder_errors_as_input_error(name):
        if len(data) > MAX_BYTES:
            raise InputError(f"The photo is larger than {MAX_BYTES // MEBIBYTE} MiB. Make it smaller.")
        is_heic = file_format.detect_format(data[:16]) == "HEIC"
        encoded = None if is_heic else file_format.parse(data)
        needed = reduction.decoding_bytes(encoded) if encoded else heic.decoding_bytes(data)
    with PIXELS.reserve(needed):
        with _decoder_errors_as_input_error(name):
            photo = _decode(encoded) if encoded else _decode_heic(data, needed)
        yield photo


def _file_size(path: Path) -> int:
    """Return the bytes of a file, at most `MAX_BYTES`; raises InputError where it is none."""
    try:
        if path.is_dir():
            os.scandir(path).close()  # raises for a folder without permission
        if not path.is_file():
            reason = "is not a file" if path.exists() else "does not exist"
            raise InputError(f"{path} {reason}. Give the path of a photo.")
        return min(path.stat().st_size, MAX_BYTES)
    except (OSError, ValueError) as error:  # a path with a null byte is a ValueError
        raise _unreadable(path, error) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} cannot be read ({getattr(error, 'strerror', error)}). Check its permissions.")


def _decode(encoded: EncodedPhoto) -> Photo:
    image = _decode_pixels(encoded)
    require_complete(encoded, image, _decode_pixels)
    _scale_transparency(image, encoded)
    rgb = reduce_to_rgb(image)
    transposition = TRANSPOSITIONS.get(encoded.orientation)
    photo = np.asarray(rgb if transposition is None else rgb.transpose(transposition))
    image.close()  # frees its pixels now: it is part of a reference cycle
    return photo


def _decode_pixels(encoded: EncodedPhoto, raw_mode: str | None = None) -> Image.Image:
    """Run the decoder; `raw_mode` replaces the order of bytes in which Pillow reads a PNG."""
    image = DECODERS[encoded.format](io.BytesIO(encoded.data))
    if image.size != encoded.size:
        raise ValueError("two different sizes in the header")
    scale = reduction.jpeg_scale(*encoded.size) if encoded.format == "JPEG" else 1
    if scale > 1:
        image.draft(None, (image.width // scale, image.height // scale))
    if raw_mode:
        image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
    image.load()
    return image


def _scale_transparency(image: Image.Image, encoded: EncodedPhoto) -> None:
    """Apply the transparent level or color of a PNG, which Pillow leaves in the bit depth of the file."""
    transparent, bit_depth = image.info.get("transparency"), encoded.data[24]
    if image.mode == "L" and transparent is not None:
        image.info["transparency"] = transparent * 255 // (2**bit_depth - 1)
    elif image.mode == "RGB" and transparent is not None and bit_depth == 16:
        # Pillow reads the high bytes of 16-bit RGB; colors that differ in the low bytes alone are not transparent
        low_bytes = _decode_pixels(encoded, "RGB;16L")
        is_opaque = np.asarray(image) != [value >> 8 for value in transparent]
        is_opaque |= np.asarray(low_bytes) != [value & 255 for value in transparent]
        del image.info["transparency"]
        image.putalpha(Image.fromarray(is_opaque.any(2)).convert("L"))


def _decode_heic(data: bytes, memory: int) -> Photo:
    width, height, pixels = heic.decode(data, memory)
    if not pixels:
        check_size(width, height, "HEIC")
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


@contextmanager
def _decoder_errors_as_input_error(name: str = "The photo") -> Iterator[None]:
    """Raise an InputError for whatever a decoder raises: for damaged files, that can be any exception."""
    try:
        yield
    except InputError as error:
        raise type(error)(str(error).replace("The photo", name, 1)) from None
    except Exception:  # noqa: BLE001
        raise InputError(f"{name} is truncated or damaged. Copy or download it again.") from None
