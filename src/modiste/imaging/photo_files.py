"""Picture files by their names: what counts as a picture when a folder is walked."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from modiste.imaging import heic

SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp"})

HEIC = frozenset({".heic", ".heif"})
"""Read where the extra is installed."""

UNREADABLE = frozenset({".avif", ".gif", ".bmp", ".tif", ".tiff"})


def is_picture(path: Path) -> bool:
    """Whether the name says that this is a picture that can be read; hidden files are none."""
    suffix = path.suffix.lower()
    known = suffix in SUFFIXES or (suffix in HEIC and heic.can_be_read())
    return known and not path.name.startswith(".")


def is_unreadable(path: Path) -> bool:
    """Whether the name says that this is a picture that a person would expect to count, and that is not read."""
    return path.suffix.lower() in UNREADABLE | HEIC and not is_picture(path)


def pictures_below(folder: Path) -> list[Path]:
    """All pictures in a folder and the folders below it, sorted by path; links that lead nowhere are among them.

    So are folders that cannot be opened: what is in them is not to be left out without a word.
    """
    closed: list[OSError] = []
    found = filter(is_picture, _files_below(folder, closed.append))
    return sorted([*found, *(Path(error.filename) for error in closed)])


def unreadable_below(folder: Path) -> list[Path]:
    """Pictures in a folder and the folders below it that are in a format that is not read, sorted by path."""
    return sorted(filter(is_unreadable, _files_below(folder)))


def _files_below(folder: Path, closed: Callable[[OSError], object] | None = None) -> Iterator[Path]:
    """All files below a folder, and below all that links in it lead to, each folder once: rather by its own name."""
    seen: set[str] = set()
    for home, folders, names in os.walk(folder, onerror=closed, followlinks=True):
        if (place := os.path.realpath(home)) in seen:
            folders.clear()
            continue
        seen.add(place)
        folders.sort(key=lambda name: (Path(home, name).is_symlink(), name))
        yield from (Path(home, name) for name in names)
