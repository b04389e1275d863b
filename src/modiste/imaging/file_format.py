"""What is read from a photo file before a decoder runs: format, size and orientation; other metadata is removed.

JPEG and PNG are read segment by segment and rebuilt without metadata, so that EXIF, ICC, XMP, comments and the further
images of MPO and Ultra HDR files cannot reach a decoder, a log or a message. A file that ends before a segment does is
truncated.
"""

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import NamedTuple

from modiste.errors import UnsupportedPhoto

MAX_SEGMENTS = 100_000
"""Of a file; what follows is left out. Valid files have far fewer, and reading them takes time."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""The chunks that define pixels."""

PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PNG_STEPS = {False: 5, True: 7}
"""`decoder_steps` for each byte of the pixels, by whether they are interlaced."""

JPEG_SCAN = 0xDA
JPEG_WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xD9), 0xFF})
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_END = b"\xff\xd9"
JPEG_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
MAX_SCANS = 50
"""Of a progressive JPEG; encoders write up to a dozen."""

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

INTEGER_KINDS = {3: "H", 4: "I"}
"""Types of EXIF: SHORT, as the standard wants an orientation, and LONG, as some programs write it."""


class EncodedPhoto(NamedTuple):
    """A photo file that is not decoded yet: JPEG or PNG without metadata, or WEBP.

    `format` names the only decoder of Pillow that may read it; `size` is width and height as stored, before the
    `orientation` of EXIF, 1 to 8, is applied. The decoder takes `bytes_per_pixel` for each pixel that it returns, and
    `decoder_bytes` beside them; it takes as much time as for so many pixels of a scan of a JPEG, `decoder_steps`.
    `has_end` is False where the marker at the end of a JPEG is missing; `data` has it.
    """

    format: str
    size: tuple[int, int]
    orientation: int
    data: bytes
    bytes_per_pixel: int = 4
    decoder_bytes: int = 0
    decoder_steps: int = 0
    has_end: bool = True


def detect_format(data: bytes, formats: Mapping[str, tuple[bytes, ...]] = PHOTO_FORMATS) -> str | None:
    """Return the photo format that the first 16 bytes of a file show, such as "JPEG"; None when it is not a photo."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(b"BM") and data[6:10] == bytes(4):
        return "BMP"
    start = data[4:] if data[4:8] == b"ftyp" else data
    return next((name for name, starts in formats.items() if start.startswith(starts)), None)


def parse(data: bytes) -> EncodedPhoto:
    """Read the size and orientation of a complete photo file and remove its metadata, without decoding it.

    Raises:
        UnsupportedPhoto: it is not JPEG, PNG or WebP.
        ValueError, EOFError, IndexError, struct.error: it is truncated or damaged.
    """
    if len(data) < 4:
        reason = "too short for a photo" if data else "empty"
        raise UnsupportedPhoto(f"The photo is {reason}. {_advice()}")
    if data.startswith(b"\xff\xd8"):
        return _parse_jpeg(data)
    if PNG_SIGNATURE.startswith(data[:8]):
        return _parse_png(data)
    if data.startswith(b"RIFF") and b"WEBP".startswith(data[8:12]):
        return _parse_webp(data)
    other = detect_format(data) or detect_format(data, OTHER_FORMATS) or "of no known photo format"
    raise UnsupportedPhoto(f"The photo is {other}. {_advice()}")


def is_heic_supported() -> bool:
    """Return whether the extra `heic` is installed."""
    return find_spec("pi_heif") is not None


def _advice() -> str:
    return f"Give a JPEG, PNG or WebP photo{', or HEIC' if is_heic_supported() else ''}."


def _read_orientation(exif: bytes) -> int:
    """Read the orientation from an EXIF block; 1 when it is missing or invalid.

    Nothing else is parsed: Pillow's EXIF reader writes warnings with metadata to the log.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    with suppress(KeyError, struct.error):
        order = {b"II*\0": "<", b"MM\0*": ">"}[tiff[:4]]
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for entry in range(count):
            tag, kind = struct.unpack_from(order + "HH", tiff, start + 2 + 12 * entry)
            if tag == 0x0112 and kind in INTEGER_KINDS:
                (value,) = struct.unpack_from(order + INTEGER_KINDS[kind], tiff, start + 10 + 12 * entry)
                return int(value) if 1 <= value <= 8 else 1
    return 1


def _parse_jpeg(data: bytes) -> EncodedPhoto:
    segments = list(_jpeg_segments(data))
    marker, frame = [segment for segment in segments if segment[0] in JPEG_FRAMES][-1]
    height, width = struct.unpack_from(">HH", frame, 5)
    scan = segments[-1][1]
    has_end = JPEG_END in scan
    is_buffered = marker in JPEG_PROGRESSIVE or scan[4] < frame[9]
    scans = _count_scans(scan, frame, marker in JPEG_PROGRESSIVE) if is_buffered else 1
    exif = [segment[4:] for marker, segment in segments if marker == 0xE1 and segment.startswith(b"Exif\0\0", 4)]
    pixel_segments = [segment for marker, segment in segments if marker not in JPEG_METADATA]
    stripped = b"".join([data[:2], *pixel_segments, b"" if has_end else JPEG_END])
    return EncodedPhoto(
        "JPEG",
        (width, height),
        _read_orientation(exif[0] if exif else b""),
        stripped,
        decoder_bytes=_coefficient_bytes(frame, width * height) if is_buffered else 0,
        decoder_steps=width * height * scans,
        has_end=has_end,
    )


def _coefficient_bytes(frame: bytes, pixels: int) -> int:
    """Return what the decoder of a JPEG of several scans holds: 2 bytes for each sample of each component."""
    factors = [(frame[at] >> 4) * (frame[at] & 15) for at in range(11, 11 + 3 * frame[9], 3)]
    return 2 * pixels * sum(factors) // max(*factors, 1)


def _count_scans(scans: bytes, frame: bytes, is_progressive: bool) -> int:
    """Return the number of scans of a JPEG, which give every component all its coefficients in full precision.

    Raises:
        EOFError: they do not: the file was cut after a scan, and would be shown blurred.
        ValueError: they are more than `MAX_SCANS`.
    """
    missing = {(frame[at], index) for at in range(10, 10 + 3 * frame[9], 3) for index in range(64)}
    start = count = 0
    while start >= 0:
        components = scans[start + 5 : start + 5 + 2 * scans[start + 4] : 2]
        first, last, precision = scans[start + 5 + 2 * scans[start + 4] :][:3]
        if not precision & 15:
            indices = range(first, last + 1) if is_progressive else range(64)
            missing -= {(component, index) for component in components for index in indices}
        start, count = scans.find(bytes([0xFF, JPEG_SCAN]), start + 2), count + 1
        if count > MAX_SCANS:
            raise ValueError("too many scans")
    if missing:
        raise EOFError
    return count


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and bytes of each segment of a JPEG; the last one is the scan and everything after it."""
    end = 2
    for _ in range(MAX_SEGMENTS):
        start = data.index(b"\xff", end)
        marker = data[start + 1]
        if marker == JPEG_SCAN:
            yield marker, data[start:]
            return
        end = start + 1
        if marker not in JPEG_WITHOUT_LENGTH:
            end += 1 + int(struct.unpack_from(">H", data, start + 2)[0])
            yield marker, data[start:end]


def _parse_png(data: bytes) -> EncodedPhoto:
    chunks = list(png_chunks(data))
    width, height = struct.unpack_from(">II", data, 16)
    exif = bytes(dict(chunks).get(b"eXIf", b"")[8:-4])
    stripped = b"".join([PNG_SIGNATURE, *(chunk for name, chunk in chunks if name in PNG_CHUNKS)])
    depth, color, is_interlaced = data[24], data[25], data[28]
    byte_count = width * height * depth * PNG_CHANNELS[color] // 8
    is_masked = depth == 16 and any(name == b"tRNS" for name, _ in chunks)
    return EncodedPhoto(
        "PNG",
        (width, height),
        _read_orientation(exif),
        stripped,
        bytes_per_pixel=24 if is_masked else 4,
        decoder_steps=byte_count * PNG_STEPS[bool(is_interlaced)],
    )


def png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and bytes of each chunk of a PNG; raises an EOFError where one is cut."""
    view, end = memoryview(data), len(PNG_SIGNATURE)
    for _ in range(MAX_SEGMENTS):
        start = end
        length, name = struct.unpack_from(">I4s", data, start)
        end = start + 12 + length
        if end > len(data):
            raise EOFError
        yield name, view[start:end]
        if name == b"IEND":
            return


def _parse_webp(data: bytes) -> EncodedPhoto:
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise EOFError
    orientation = _read_orientation(webp_chunk(data, b"EXIF"))
    return EncodedPhoto("WEBP", _webp_size(data), orientation, data, bytes_per_pixel=16)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height by RFC 9649; they are checked before libwebp allocates the canvas."""
    chunk = data[12:16]
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    if chunk == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    raise ValueError("unknown WebP chunk")


def webp_chunk(data: bytes, *names: bytes) -> bytes:
    """Return the content of the first chunk of a WebP with one of these names; empty when it has none."""
    start = 12
    for _ in range(MAX_SEGMENTS):
        name, length = data[start : start + 4], int.from_bytes(data[start + 4 : start + 8], "little")
        if name in names:
            return data[start + 8 : start + 8 + length]
        if not name:
            break
        start += 8 + length + length % 2
    return b""
