"""Picture files by their names: what counts as a picture when a folder is walked."""

from pathlib import Path

from modiste.images import heic

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})

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
    """All pictures in a folder and the folders below it, sorted by path."""
    return sorted(path for path in folder.rglob("*") if is_picture(path) and path.is_file())


def unreadable_below(folder: Path) -> list[Path]:
    """Pictures in a folder and the folders below it that are in a format that is not read, sorted by path."""
    return sorted(filter(is_unreadable, folder.rglob("*")))
