"""What is read of a picture before any decoder sees it: kind, size, orientation; the rest that is no pixel is dropped.

JPEG and PNG are walked block by block and rebuilt without their metadata, so nothing in EXIF, ICC, XMP, comments or
the second pictures of MPO and Ultra-HDR files can reach a parser, a log or a message. A file whose blocks do not reach
the end they announce is truncated.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from modiste.errors import InputError, UnsupportedPicture

MAX_BLOCKS = 100_000
"""More blocks than any honest file has; walking them costs time, not memory."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
"""Markers that no length follows."""

JPEG_DROPPED = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
"""APP1 to APP13, APP15 and comments; APP0 and APP14 stay, they say how colors are stored."""

OTHER_KINDS = {
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"%PDF": "PDF",
    b"PK": "a zip file",
    b"<": "text",
    b"8BPS": "PSD",
    b"%!PS": "EPS",
}
BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}


@dataclass(frozen=True, slots=True)
class Container:
    """A picture file taken apart.

    Args:
        kind: the name of the only decoder that may see it: JPEG, PNG or WEBP.
        width: pixels as stored, before the orientation is applied.
        height: the same.
        orientation: 1 to 8 as EXIF counts; 1 when there is none or it is damaged.
        data: the file, of a JPEG or PNG without what is no pixel.
    """

    kind: str
    width: int
    height: int
    orientation: int
    data: bytes


def take_apart(data: bytes, name: str) -> Container:
    """Take a picture file apart without decoding it.

    Args:
        data: the whole file.
        name: what to call it in an error.

    Raises:
        InputError: it is no JPEG, PNG or WebP, truncated, or its blocks make no sense.
    """
    if len(data) < 4:
        what = "is too short for a picture" if data else "is empty"
        raise UnsupportedPicture(f"{name} {what}. Give a JPEG, PNG or WebP picture.")
    try:
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if PNG_SIGNATURE.startswith(data[:8]):
            return _png(data)
        if data.startswith(b"RIFF") and b"WEBP".startswith(data[8:12]):
            return _webp(data)
    except (struct.error, IndexError, EOFError):
        raise InputError(f"{name} is truncated. Copy or download it again.") from None
    except ValueError:
        raise InputError(f"{name} is damaged. Save the picture again as JPEG or PNG.") from None
    raise UnsupportedPicture(f"{name} is {_other_kind(data)}. Give a JPEG, PNG or WebP picture.")


def is_heic(data: bytes) -> bool:
    """Whether this is a photo as phones of Apple save it."""
    return data[4:8] == b"ftyp" and BRANDS.get(data[8:12]) == "HEIC"


def orientation(exif: bytes) -> int:
    """Read the orientation out of an EXIF block, 1 when it has none that is valid.

    Only this one number is parsed; Pillow's own reader warns in the log about what it finds.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for entry in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * entry)
            if tag == 0x0112:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _jpeg(data: bytes) -> Container:
    kept = [data[:2]]
    size, exif = (0, 0), b""
    for marker, start, end in _segments(data):
        if marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, start + 5)
            size = (width, height)
        if marker == 0xE1 and not exif and data.startswith(b"Exif\0\0", start + 4):
            exif = data[start + 4 : end]
        if marker not in JPEG_DROPPED:
            kept.append(data[start:end])
    return Container("JPEG", *size, orientation(exif), b"".join(kept))


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment of a JPEG; the last is the scan with all that follows."""
    position = 2
    for _ in range(MAX_BLOCKS):
        position = data.find(b"\xff", position)
        if position < 0:
            raise EOFError
        marker = data[position + 1]
        if marker == 0xD9:
            raise ValueError("ends before its pixels")
        if marker == 0xDA:
            yield marker, position, len(data)
            return
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in JPEG_ALONE:
            position += 2
        else:
            end = position + 2 + int(struct.unpack_from(">H", data, position + 2)[0])
            if end > len(data):
                raise EOFError
            yield marker, position, end
            position = end
    raise ValueError("too many blocks")


def _png(data: bytes) -> Container:
    kept, exif = [PNG_SIGNATURE], b""
    width, height = struct.unpack_from(">II", data, 16)
    position = len(PNG_SIGNATURE)
    for _ in range(MAX_BLOCKS):
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise EOFError
        if name == b"eXIf":
            exif = data[position + 8 : end - 4]
        if name in PIXEL_CHUNKS:
            kept.append(data[position:end])
        if name == b"IEND":
            return Container("PNG", width, height, orientation(exif), b"".join(kept))
        position = end
    raise ValueError("too many blocks")


def _webp(data: bytes) -> Container:
    (length,) = struct.unpack_from("<I", data, 4)
    if len(data) < 8 + length:
        raise EOFError
    width, height = _webp_size(data)
    return Container("WEBP", width, height, orientation(_webp_exif(data)), data)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Canvas size by the WebP container specification; it must be known before libwebp allocates the canvas."""
    chunk = data[12:16]
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    if chunk == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    raise ValueError("no size")


def _webp_exif(data: bytes) -> bytes:
    position = 12
    for _ in range(MAX_BLOCKS):
        if position + 8 > len(data):
            return b""
        name, length = struct.unpack_from("<4sI", data, position)
        if name == b"EXIF":
            return data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
    raise ValueError("too many blocks")


def _other_kind(data: bytes) -> str:
    if data[4:8] == b"ftyp":
        return BRANDS.get(data[8:12], "a film or an unknown picture")
    known = (kind for start, kind in OTHER_KINDS.items() if data.startswith(start))
    return next(known, "of no known format")
