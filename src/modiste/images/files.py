"""Picture files by their names: what counts as a picture when a folder is walked."""

from pathlib import Path

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})

UNREADABLE = frozenset({".heic", ".heif", ".avif", ".gif", ".bmp", ".tif", ".tiff"})
"""Pictures that a person would expect to count, and that are not read."""


def is_picture(path: Path) -> bool:
    """Whether the name says that this is a picture that can be read; hidden files are none."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def pictures_below(folder: Path) -> list[Path]:
    """All pictures in a folder and the folders below it, sorted by path."""
    return sorted(path for path in folder.rglob("*") if is_picture(path) and path.is_file())


def unreadable_below(folder: Path) -> list[Path]:
    """Pictures in a folder and the folders below it that are in a format that is not read, sorted by path."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in UNREADABLE)
