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
