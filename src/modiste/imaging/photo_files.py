"""Find the photos in a folder: by their suffix, and by their first bytes where the suffix does not decide."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
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
    """Paths of photos in formats that are read and that are not read, sorted by their parts."""

    readable: list[str]
    unreadable: list[str]


def find_photos(folder: Path) -> PhotoFiles:
    """List the photos in a folder and the folders below it, apart from hidden ones.

    Links to missing files and folders that cannot be opened count as readable, so that reading them raises an error.
    """
    errors: list[OSError] = []
    files = {path: is_readable_photo(path) for path in _walk(folder, errors.append)}
    files |= {str(Path(error.filename)): True for error in errors}
    paths = sorted(files, key=lambda path: path.replace(os.sep, "\0"))  # sorts as lists of parts would, but faster
    return PhotoFiles([path for path in paths if files[path]], [path for path in paths if files[path] is False])


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is not the user's: it is hidden, or a system made it."""
    return name.startswith(".") or name in SYSTEM_FOLDERS


def is_readable_photo(path: str) -> bool | None:
    """Return whether a photo file can be read: False for one in another format, None for a file that is not a photo.

    Hidden files are not photos. A file is opened only if its suffix is missing, unknown, or of a format that is not
    read, since a JPEG is sometimes called photo.jpg.1 or photo.tiff.
    """
    name = path.rpartition(os.sep)[2]
    _, dot, end = name.rpartition(".")
    suffix = dot + end.lower()
    if is_hidden(name) or suffix in SIDECAR_SUFFIXES:
        return None
    photo_format = FORMATS.get(suffix) or file_format.detect_format(_first_bytes(path))
    if photo_format == "HEIC":
        return file_format.is_heic_supported()
    if photo_format in {"JPEG", "PNG", "WEBP"}:
        return True
    return False if photo_format or suffix in OTHER_PHOTO_SUFFIXES else None


def _first_bytes(path: str) -> bytes:
    """Return the first 16 bytes of a regular file; nothing where it cannot be read."""
    file_path = Path(path)
    with suppress(OSError):
        if file_path.is_file():  # opening a FIFO would wait
            with file_path.open("rb", buffering=0) as file:
                return file.read(16)
    return b""


def _walk(folder: Path, on_error: Callable[[OSError], object]) -> Iterator[str]:
    """Yield all files below a folder, links followed; each folder once, by its own path rather than a link."""
    visited: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=on_error, followlinks=True):
        if (real_path := os.path.realpath(parent)) in visited:
            folders.clear()
            continue
        visited.add(real_path)
        visible = [name for name in folders if not is_hidden(name)]
        folders[:] = sorted(visible, key=lambda name: (Path(parent, name).is_symlink(), name))
        start = str(Path(parent, "_"))[:-1]  # a Path for each of a million names would take seconds
        yield from (start + name for name in names)
