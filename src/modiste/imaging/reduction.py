"""Large photos are reduced while or after they are decoded; what decoding them takes."""

import math

from modiste.errors import InputError
from modiste.imaging.file_format import EncodedPhoto
from modiste.imaging.memory import MEBIBYTE, PIXELS

MIN_REDUCED_SIDE = 1024
"""Pixels that the shorter side of a reduced photo has at least: no model takes larger images."""

MAX_PREPARED_PIXELS = 8_000_000
"""Of the photo that is prepared for a model: an elongated one is reduced below `MIN_REDUCED_SIDE` for it."""

PREPARED_BYTES = 20
"""Per pixel of a prepared photo: copies in Pillow (4 each), as an array (3), and of the steps of the preparation."""

JPEG_SCALES = (8, 4, 2, 1)

MAX_PIXELS = {"JPEG": 210_000_000, "PNG": 65_000_000, "WEBP": 20_000_000, "HEIC": 50_000_000}
"""By format: JPEG is decoded at a reduced size; the decoder of WebP holds 16 bytes for each pixel, that of HEIC 7."""

MAX_STEPS = 1_400_000_000
"""`EncodedPhoto.decoder_steps` of a photo: about a second. Encoders write progressive JPEGs of 6 to 12 scans."""

MIN_SIDE = 8


def check_size(width: int, height: int, photo_format: str = "PNG") -> None:
    """Raise an InputError if a photo of this size in pixels is too large or too small to be decoded."""
    limit = MAX_PIXELS[photo_format]
    if width * height > limit:
        raise InputError(
            f"The photo has {width} x {height} pixels, more than {limit // 1_000_000} million. Make it smaller."
        )
    if min(width, height) < MIN_SIDE:
        raise InputError(f"The photo has {width} x {height} pixels, but needs {MIN_SIDE} a side. Give a larger one.")


def reduction_factor(width: int, height: int) -> int:
    """Return by how much a photo is reduced on each side; 1 for most."""
    by_side = min(width, height) // MIN_REDUCED_SIDE
    by_pixels = math.ceil(math.sqrt(width * height / MAX_PREPARED_PIXELS))
    return max(1, min(max(by_side, by_pixels), min(width, height) // MIN_SIDE))


def jpeg_scale(width: int, height: int) -> int:
    """Return by how much the decoder of JPEG reduces a photo: 1, 2, 4 or 8."""
    return next(scale for scale in JPEG_SCALES if scale <= reduction_factor(width, height))


def decoding_bytes(photo: EncodedPhoto) -> int:
    """Return the bytes that decoding and preparing a photo take; raises an InputError if no budget has them."""
    width, height = photo.size
    check_size(width, height, photo.format)
    if photo.decoder_steps > MAX_STEPS:
        raise InputError(
            f"The photo has {width} x {height} pixels, whose decoding takes too long: it has many scans, is "
            "interlaced or has 16 bits. Make it smaller, or save it as baseline JPEG."
        )
    decoded = width * height
    if photo.format == "JPEG":
        decoded //= jpeg_scale(width, height) ** 2
    prepared = min(MAX_PREPARED_PIXELS, width * height // reduction_factor(width, height) ** 2)
    needed = photo.decoder_bytes + photo.bytes_per_pixel * decoded + PREPARED_BYTES * prepared
    if needed > PIXELS.total:
        raise InputError(
            f"The photo has {width} x {height} pixels, whose decoding takes {needed // MEBIBYTE} MiB, more than "
            f"{PIXELS.total // MEBIBYTE}. Make it smaller, or save it as baseline JPEG."
        )
    return needed
