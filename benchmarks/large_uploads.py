"""Requests whose photos take much memory when they are decoded, or much while they are received."""

import base64
import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

Upload = tuple[bytes, str]
"""A body and its content type."""

COAT = Path(__file__).parents[1] / "src" / "modiste" / "assets" / "samples" / "coat.jpg"


def photo(kind: str, mode: str, width: int, height: int, **options: Any) -> Callable[[], Upload]:
    """Return what makes a photo of one color and this size."""

    def make() -> Upload:
        file = io.BytesIO()
        Image.new(mode, (width, height)).save(file, kind, **options)
        return file.getvalue(), f"image/{kind.lower()}"

    return make


def form() -> Upload:
    """Return a form of 30 photos with a megabyte of padding each, nearly as large as one may be."""
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%b\r\n' % (
        COAT.read_bytes() + bytes(2 * 2**20)
    )
    return part * 30 + b"--b--\r\n", "multipart/form-data; boundary=b"


def as_json() -> Upload:
    """Return a photo of nearly 20 MiB, most of it padding, in base64."""
    content = base64.b64encode(COAT.read_bytes() + bytes(19 * 2**20)).decode()
    return json.dumps({"image": content}).encode(), "application/json"


LARGE_UPLOADS: dict[str, Callable[[], Upload]] = {
    "PNG, RGBA, 8,000 x 8,000": photo("PNG", "RGBA", 8000, 8000),
    "PNG, 16 bits, 8,000 x 8,000": photo("PNG", "I;16", 8000, 8000),
    "PNG, RGB, 12,000 x 9,000": photo("PNG", "RGB", 12000, 9000),
    "JPEG, 12,000 x 9,000": photo("JPEG", "RGB", 12000, 9000, quality=50),
    "progressive JPEG, 12,000 x 9,000": photo("JPEG", "RGB", 12000, 9000, quality=50, progressive=True),
    "JPEG, CMYK, 8,000 x 8,000": photo("JPEG", "CMYK", 8000, 8000, progressive=True),
    "WebP, 12,000 x 9,000": photo("WEBP", "RGB", 12000, 9000),
    "lossless WebP, RGBA, 8,000 x 8,000": photo("WEBP", "RGBA", 8000, 8000, lossless=True),
    "20 MB of noise": lambda: (os.urandom(20_000_000), "image/png"),
    "gzip of zeros": lambda: (gzip.compress(bytes(2**28)), "application/octet-stream"),
    "form of 30 photos, 60 MiB": form,
    "JSON of 25 MiB": as_json,
}
"""Name -> what makes the body."""
