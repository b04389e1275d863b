"""Find the photos in a folder: by their suffix, and by their first bytes where the suffix does not decide."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from modiste.imaging import file_format

FORMATS = dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG")
FORMATS |= {".png": "PNG", ".webp": "WEBP", ".heic": "HEIC", ".heif": "HEIC"}
"""Of suffixes that are trusted, so that a large folder is listed without opening its files."""

OTHER_PHOTO_SUFFIXES = frozenset(
    {".avif", ".gif", ".bmp", ".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".j2k", ".jxl", ".dng"}
    | {".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf"}
)
"""Of photos in formats that are not read, camera raw formats among them."""

SIDECAR_SUFFIXES = frozenset(
    {".txt", ".json", ".jsonl", ".csv", ".tsv", ".md", ".xml", ".xmp", ".html", ".yaml", ".yml", ".toml", ".ini"}
    | {".db", ".log", ".pdf", ".zip", ".gz", ".py", ".mp4", ".mov"}
)
"""Of files that are not photos; they are never opened."""


SYSTEM_FOLDERS = frozenset({"@eaDir", "__MACOSX"})
"""Of thumbnails that a Synology NAS makes, and of what macOS adds to archives."""


class PhotoFiles(NamedTuple):
    """Photos in formats that are read and that are not read, sorted by path."""

    readable: list[Path]
    unreadable: list[Path]


def find_photos(folder: Path) -> PhotoFiles:
    """List the photos in a folder and the folders below it, apart from hidden ones.

    Links to missing files and folders that cannot be opened count as readable, so that reading them raises an error.
    """
    errors: list[OSError] = []
    files = {path: is_readable_photo(path) for path in _walk(folder, errors.append)}
    files |= {Path(error.filename): True for error in errors}
    readable, unreadable = ([path for path in files if files[path] is flag] for flag in (True, False))
    in_order = attrgetter("parts")  # the order of paths, which compare parts in Python
    return PhotoFiles(sorted(readable, key=in_order), sorted(unreadable, key=in_order))


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is not the user's: it is hidden, or a system made it."""
    return name.startswith(".") or name in SYSTEM_FOLDERS


def is_readable_photo(path: Path) -> bool | None:
    """Return whether a photo file can be read: False for one in another format, None for a file that is not a photo.

    Hidden files are not photos. A file is opened only if its suffix is missing, unknown, or of a format that is not
    read, since a JPEG is sometimes called photo.jpg.1 or photo.tiff.
    """
    suffix = path.suffix.lower()
    if is_hidden(path.name) or suffix in SIDECAR_SUFFIXES:
        return None
    photo_format = FORMATS.get(suffix) or file_format.detect_format(_first_bytes(path))
    if photo_format == "HEIC":
        return file_format.is_heic_supported()
    if photo_format in {"JPEG", "PNG", "WEBP"}:
        return True
    return False if photo_format or suffix in OTHER_PHOTO_SUFFIXES else None


def _first_bytes(path: Path) -> bytes:
    """Return the first 16 bytes of a regular file; nothing where it cannot be read."""
    with suppress(OSError):
        if path.is_file():  # opening a FIFO would wait
            with path.open("rb", buffering=0) as file:
                return file.read(16)
    return b""


def _walk(folder: Path, on_error: Callable[[OSError], object]) -> Iterator[Path]:
    """Yield all files below a folder, links followed; each folder once, by its own path rather than a link."""
    visited: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=on_error, followlinks=True):
        if (real_path := os.path.realpath(parent)) in visited:
            folders.clear()
            continue
        visited.add(real_path)
        visible = [name for name in folders if not is_hidden(name)]
        folders[:] = sorted(visible, key=lambda name: (Path(parent, name).is_symlink(), name))
        yield from (Path(parent, name) for name in names)
