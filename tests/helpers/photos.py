"""Photos and images for tests, drawn here."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from modiste.imaging.file_format import PNG_SIGNATURE


def clothes(height: int = 60, width: int = 40) -> Image.Image:
    """Draw a dark, colored rectangle on white, RGB, different at each of its corners."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    rows, columns = np.mgrid[0 : height - 20, 0 : width - 16]
    pixels[10:-10, 8:-8] = np.stack([rows * 2, columns * 3, (rows + columns) % 100], 2).astype(np.uint8)
    return Image.fromarray(pixels)


def saved(photo: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return the photo as a file of a format of Pillow, such as "JPEG"."""
    file = io.BytesIO()
    photo.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int = 6) -> bytes:
    """An EXIF block with an orientation and a place that must not be shown."""
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010E] = "12 Secret Street"
    return block.tobytes()


def chunk(name: bytes, content: bytes) -> bytes:
    """A block of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(
    width: int, height: int, rows: bytes, depth: int = 8, color: int = 2, interlace: int = 0, more: bytes = b""
) -> bytes:
    """A PNG of these rows, with other chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def noise(side: int = 28, seed: int = 0) -> np.ndarray:
    """A gray image of noise: uint8 [side, side], with black corners, so that a gray model takes it unchanged."""
    image = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    image[[0, 0, -1, -1], [0, -1, 0, -1]] = 0
    return image


def fill(folder: Path, count: int, draw: Callable[[int], Image.Image] | None = None, suffix: str = ".png") -> Path:
    """Make a class folder of `count` photos, by default of different noise, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        photo = draw(number) if draw else Image.fromarray(noise(16, number))
        photo.save(folder / f"{number}{suffix}")
    return folder


def heic_grid(tile: bytes, rows: int, columns: int, width: int = 160, height: int = 240) -> bytes:
    """A HEIC file that shows one tile, a HEIC file of one picture of this size, again and again (ISO/IEC 23008-12)."""
    start = tile.index(b"hvcC") - 4
    codec = tile[start : start + int.from_bytes(tile[start : start + 4], "big")]
    start = tile.index(b"mdat") + 4
    picture = tile[start : start + 4 + int.from_bytes(tile[start : start + 4], "big")]
    sides = struct.pack(">II", columns * width, rows * height)
    grid = bytes([0, 1, rows - 1, columns - 1]) + sides
    ids = range(2, 2 + rows * columns)

    def meta(offset: int) -> bytes:
        names = [(1, b"grid"), *((each, b"hvc1") for each in ids)]
        tiles = b"".join(struct.pack(">H", each) for each in ids)
        count = struct.pack(">H", len(names))
        places = [(1, offset + len(picture), len(grid)), *((each, offset, len(picture)) for each in ids)]
        own, all_of_them = struct.pack(">HBB", 1, 1, 3), [struct.pack(">HBBB", each, 2, 0x81, 2) for each in ids]
        content = [
            _full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
            _full_box(b"pitm", struct.pack(">H", 1)),
            _full_box(
                b"iinf", count, *(_full_box(b"infe", struct.pack(">HH4sB", i, 0, k, 0), version=2) for i, k in names)
            ),
            _full_box(b"iref", _box(b"dimg", struct.pack(">HH", 1, len(ids)), tiles)),
            _box(
                b"iprp",
                _box(b"ipco", codec, _full_box(b"ispe", struct.pack(">II", width, height)), _full_box(b"ispe", sides)),
                _full_box(b"ipma", bytes(2), count, own, *all_of_them),
            ),
            _full_box(b"iloc", b"\x44\0", count, *(struct.pack(">HHHII", i, 0, 1, at, size) for i, at, size in places)),
        ]
        return _full_box(b"meta", *content)

    head = _box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    return head + meta(len(head) + len(meta(0)) + 8) + _box(b"mdat", picture, grid)


def _box(name: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I", 8 + len(data)) + name + data


def _full_box(name: bytes, *content: bytes, version: int = 0) -> bytes:
    return _box(name, bytes([version, 0, 0, 0]), *content)
