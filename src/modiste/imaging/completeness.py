"""Find photo files that were cut and closed again: their decoders fill what is missing, and report no error.

What cannot be told: a progressive JPEG that was cut inside its last scan and closed, a lossy WebP whose missing part is
a plain area, and an animated WebP.
"""

import zlib
from collections.abc import Callable

from PIL import Image

from modiste.imaging.file_format import JPEG_END, JPEG_SCAN, PNG_CHANNELS, EncodedPhoto, png_chunks, webp_chunk

PADDING = bytes(range(251)) * 16
"""Data that a decoder reads in place of what is missing, and ignores where nothing is. It has no marker, and no half of
one: a cut may leave its first byte."""

JPEG_FILL = {(value, value) for value in (127, 128)}
"""Lowest and highest value of each channel where the decoder of JPEG has no data; inverted for CMYK."""

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row, and steps of the seven passes of an interlaced PNG."""

COMPARED_ROWS = 64


def require_complete(photo: EncodedPhoto, image: Image.Image, decode: Callable[[EncodedPhoto], Image.Image]) -> None:
    """Raise an EOFError if pixels of a decoded photo are missing in its file.

    Args:
        photo: the file.
        image: its decoded pixels, as the decoder returns them.
        decode: decodes a changed file; called only where the pixels look like missing ones.
    """
    is_cut = {"JPEG": _is_cut_jpeg, "PNG": _is_cut_png, "WEBP": _is_cut_webp}[photo.format]
    if is_cut(photo, image, decode):
        raise EOFError


def _is_cut_jpeg(photo: EncodedPhoto, image: Image.Image, decode: Callable[[EncodedPhoto], Image.Image]) -> bool:
    """Return whether other data before the end changes the pixels; asked where the last pixel is a filled one."""
    if photo.has_end:
        if photo.decoder_bytes or not JPEG_FILL.issuperset(_bands(_last_row(image, width=1))):
            return False
        end = photo.data.index(JPEG_END, photo.data.index(bytes([0xFF, JPEG_SCAN])))
    else:
        end = len(photo.data) - len(JPEG_END)
        if photo.data.endswith(bytes(16) + JPEG_END) and not _is_plain(_last_row(image, image.width)):
            return True  # a download that reserved its space and was not completed
    padded = decode(photo._replace(data=photo.data[:end] + PADDING + photo.data[end:]))
    for top in range(0, image.height, COMPARED_ROWS):
        box = (0, top, image.width, min(image.height, top + COMPARED_ROWS))
        if image.crop(box).tobytes() != padded.crop(box).tobytes():
            return True
    return False


def _is_cut_png(photo: EncodedPhoto, image: Image.Image, _: object) -> bool:
    """Return whether the stream has fewer bytes than the rows; asked where the last row has only zeros."""
    is_interlaced = bool(photo.data[28])
    if not is_interlaced and _last_row(image, image.width).getbbox(alpha_only=False) is not None:
        return False
    expected = _png_bytes(photo, is_interlaced)
    inflate = zlib.decompressobj()
    for name, chunk in png_chunks(photo.data):
        rest = bytes(chunk[8:-4]) if name == b"IDAT" else b""
        while rest and expected > 0:
            expected -= len(inflate.decompress(rest, 2**20))
            rest = inflate.unconsumed_tail
    return expected > 0


def _png_bytes(photo: EncodedPhoto, is_interlaced: bool) -> int:
    """Return the bytes of all rows of a PNG, each after a byte that names its filter."""
    bits = photo.data[24] * PNG_CHANNELS[photo.data[25]]
    passes = ADAM7 if is_interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, step_x, step_y in passes:
        width, height = -((left - photo.size[0]) // step_x), -((top - photo.size[1]) // step_y)
        total += height * (1 + (width * bits + 7) // 8) if width > 0 else 0
    return total


def _is_cut_webp(photo: EncodedPhoto, image: Image.Image, _: object) -> bool:
    """Return whether the file ends with more zeros than the plain area at the bottom of the photo explains."""
    content = webp_chunk(photo.data, b"VP8 ", b"VP8L")
    zeros = len(content) - len(content.rstrip(b"\0"))
    if webp_chunk(photo.data, b"VP8L"):
        return zeros > 64
    if zeros <= 64 + image.width // 8:  # of lossy files, a plain row of blocks of 16 pixels takes a byte per block
        return False
    return not _is_plain(_last_row(image, image.width))


def _last_row(image: Image.Image, width: int) -> Image.Image:
    """Return the last pixels of the last row."""
    return image.crop((image.width - width, image.height - 1, image.width, image.height))


def _is_plain(image: Image.Image) -> bool:
    """Return whether all pixels are equal."""
    return all(low == high for low, high in _bands(image))


def _bands(image: Image.Image) -> list[tuple[float, float]]:
    """Return the lowest and highest value of each channel."""
    return [band.getextrema() for band in image.split()]  # type: ignore[misc]
