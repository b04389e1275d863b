"""What is read from a photo file before a decoder runs: format, size and orientation; other metadata is removed.

JPEG and PNG are read segment by segment and rebuilt without metadata, so that EXIF, ICC, XMP, comments and the further
images of MPO and Ultra HDR files cannot reach a decoder, a log or a message. A file that ends before a segment does is
truncated.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from modiste.errors import InputError, UnsupportedPhoto

MAX_SEGMENTS = 100_000
"""Of a file; valid files have far fewer, and reading them takes time."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""The chunks that define pixels."""

JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
JPEG_METADATA = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
"""APP1 to APP13, APP15 and comments. APP0 and APP14 are needed: they define the color space."""

PHOTO_FORMATS = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (PNG_SIGNATURE,),
    "GIF": (b"GIF8",),
    "TIFF": (b"II*\0", b"MM\0*"),
    "JPEG XL": (b"\xff\x0a", b"\0\0\0\x0cJXL "),
    "JPEG 2000": (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "),
    "PNM": tuple(b"P%d%c" % (kind, space) for kind in range(1, 7) for space in b" \n"),
    "HEIC": tuple(b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")),
    "AVIF": (b"ftypavif", b"ftypavis"),
    "CR3": (b"ftypcrx ",),
}
"""First bytes; of ISO base media files (ISO/IEC 14496-12) after their size. TIFF includes most camera raw formats."""

OTHER_FORMATS = {"PDF": (b"%PDF",), "a zip file": (b"PK",), "text": (b"<",), "PSD": (b"8BPS",), "EPS": (b"%!PS",)}


@dataclass(frozen=True, slots=True)
class EncodedPhoto:
    """A photo file that is not decoded yet.

    Args:
        format: Pillow's name of the only decoder that may read it: JPEG, PNG or WEBP.
        width: stored pixels, before the orientation is applied.
        height: likewise.
        orientation: of EXIF, 1 to 8; 1 when it is missing or invalid.
        data: the file; of JPEG and PNG without metadata.
    """

    format: str
    width: int
    height: int
    orientation: int
    data: bytes


def detect_format(data: bytes, formats: Mapping[str, tuple[bytes, ...]] = PHOTO_FORMATS) -> str | None:
    """Return the photo format that the first 16 bytes of a file show, such as "JPEG"; None when it is not a photo."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(b"BM") and data[6:10] == bytes(4):
        return "BMP"
    start = data[4:] if data[4:8] == b"ftyp" else data
    return next((name for name, starts in formats.items() if start.startswith(starts)), None)


def parse(data: bytes, name: str) -> EncodedPhoto:
    """Read the size and orientation of a photo file and remove its metadata, without decoding it.

    Args:
        data: the complete file.
        name: name of the file for error messages.

    Raises:
        UnsupportedPhoto: it is not JPEG, PNG or WebP.
        InputError: it is truncated, or its segments are invalid.
    """
    if len(data) < 4:
        reason = "is too short for a photo" if data else "is empty"
        raise UnsupportedPhoto(f"{name} {reason}. Give a JPEG, PNG or WebP photo.")
    try:
        if data.startswith(b"\xff\xd8"):
            return _parse_jpeg(data)
        if PNG_SIGNATURE.startswith(data[:8]):
            return _parse_png(data)
        if data.startswith(b"RIFF") and b"WEBP".startswith(data[8:12]):
            return _parse_webp(data)
    except (struct.error, IndexError, EOFError):
        raise InputError(f"{name} is truncated. Copy or download it again.") from None
    except ValueError:
        raise InputError(f"{name} is damaged. Save the photo again as JPEG or PNG.") from None
    other = detect_format(data) or detect_format(data, OTHER_FORMATS) or "of no known photo format"
    raise UnsupportedPhoto(f"{name} is {other}. Give a JPEG, PNG or WebP photo.")


def read_orientation(exif: bytes) -> int:
    """Read the orientation from an EXIF block; 1 when it is missing or invalid.

    Nothing else is parsed: Pillow's EXIF reader writes warnings with metadata to the log.
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


def _parse_jpeg(data: bytes) -> EncodedPhoto:
    segments = [data[:2]]
    size, exif = (0, 0), b""
    for marker, start, end in _jpeg_segments(data):
        if marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, start + 5)
            size = (width, height)
        if marker == 0xE1 and not exif and data.startswith(b"Exif\0\0", start + 4):
            exif = data[start + 4 : end]
        if marker not in JPEG_METADATA:
            segments.append(data[start:end])
    return EncodedPhoto("JPEG", *size, read_orientation(exif), b"".join(segments))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment of a JPEG; the last one is the scan and everything after it."""
    position = 2
    for _ in range(MAX_SEGMENTS):
        position = data.find(b"\xff", position)
        if position < 0:
            raise EOFError
        marker = data[position + 1]
        if marker == 0xD9:
            raise ValueError("no scan before the end marker")
        if marker == 0xDA:
            yield marker, position, len(data)
            return
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in JPEG_WITHOUT_LENGTH:
            position += 2
        else:
            end = position + 2 + int(struct.unpack_from(">H", data, position + 2)[0])
            if end > len(data):
                raise EOFError
            yield marker, position, end
            position = end
    raise ValueError("too many segments")


def _parse_png(data: bytes) -> EncodedPhoto:
    chunks, exif = [PNG_SIGNATURE], b""
    width, height = struct.unpack_from(">II", data, 16)
    position = len(PNG_SIGNATURE)
    for _ in range(MAX_SEGMENTS):
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise EOFError
        if name == b"eXIf":
            exif = data[position + 8 : end - 4]
        if name in PNG_CHUNKS:
            chunks.append(data[position:end])
        if name == b"IEND":
            return EncodedPhoto("PNG", width, height, read_orientation(exif), b"".join(chunks))
        position = end
    raise ValueError("too many segments")


def _parse_webp(data: bytes) -> EncodedPhoto:
    (length,) = struct.unpack_from("<I", data, 4)
    if len(data) < 8 + length:
        raise EOFError
    width, height = _webp_size(data)
    return EncodedPhoto("WEBP", width, height, read_orientation(_webp_exif(data)), data)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height by RFC 9649; they are checked before libwebp allocates the canvas."""
    chunk = data[12:16]
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    if chunk == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    raise ValueError("unknown WebP chunk")


def _webp_exif(data: bytes) -> bytes:
    position = 12
    for _ in range(MAX_SEGMENTS):
        if position + 8 > len(data):
            return b""
        name, length = struct.unpack_from("<4sI", data, position)
        if name == b"EXIF":
            return data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
    raise ValueError("too many segments")
