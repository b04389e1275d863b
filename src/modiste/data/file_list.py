"""A CSV table of photo files and their labels, with an optional column that says which split a row belongs to."""

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from modiste.data.arrays import ImageFormat
from modiste.data.class_values import Values, as_values, classes_of, to_labels
from modiste.data.lazy_split import LazySplit, first_split
from modiste.data.photo_loader import load_photos
from modiste.data.split_names import split_of_word
from modiste.errors import InputError

FILE_COLUMNS = (
    "file", "filename", "file_name", "filepath", "file_path", "path", "image", "image_path", "image_file", "img",
    "img_path",
)  # fmt: skip
LABEL_COLUMNS = ("label", "class", "category", "target", "label_name", "class_name")
SPLIT_COLUMNS = ("split", "subset", "set", "partition")
"""Titles of the columns, in any case; the first that is there is used."""

Row = tuple[str, str, str]
"""File, label and split."""


def find_column(header: list[str], titles: tuple[str, ...]) -> int | None:
    """Return the column whose title is the first of these that a header has, in any case; None where it has none."""
    folded = [title.strip().casefold() for title in header]
    return next((folded.index(title) for title in titles if title in folded), None)


def is_file_list(header: list[str]) -> bool:
    """Return whether a table has a column of files and one of labels, but no probability, which predictions have."""
    needed = (find_column(header, titles) for titles in (FILE_COLUMNS, LABEL_COLUMNS))
    return None not in needed and find_column(header, ("probability",)) is None


@dataclass(frozen=True)
class FileList:
    """Photos that tables list, as a `Source`; paths are relative to the folder of the tables, or to one named as them.

    Args:
        files: the table of each split; one table with a column of splits is that of train.
        image_format: the images that the photos become.
        is_lenient: list files that do not exist, too, instead of raising an error.
    """

    files: Mapping[str, Path]
    image_format: ImageFormat
    is_lenient: bool = False
    has_photos = True
    is_fashion_mnist = False

    @property
    def folder(self) -> Path:
        """The folder of the tables."""
        return next(iter(self.files.values())).parent

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The labels of train, or of the first split there is, sorted, "none of these" last."""
        return tuple(self._classes)

    def has_split(self, name: str) -> bool:
        """Whether a row belongs to the split."""
        return name in self._rows

    def part(self, name: str) -> LazySplit:
        """List the photos of a split, in the order of the table; they are decoded when images are loaded.

        Raises:
            InputError: a file does not exist, or its label is none of train.
        """
        rows = self._rows[name]
        labels = to_labels(self._values(name), self._classes, f"The labels of {self._table(name)}")
        folder, names = self._photo_folder(name, rows), [file for file, _, _ in rows]
        paths = [folder / file for file in names]
        missing = [file for file, path in zip(names, paths, strict=True) if not path.is_file()]
        if missing and not self.is_lenient:
            more = f" and {len(missing) - 5} more" if missing[5:] else ""
            raise InputError(
                f"{self._table(name)} lists files that do not exist: {', '.join(missing[:5])}{more}. Paths are "
                f"relative to {folder}. Correct them, or remove the rows."
            )
        load = partial(load_photos, paths.__getitem__, names, self.image_format)
        return LazySplit(labels, load, names, photo=paths.__getitem__)

    def read_files(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Read all photo files of a split; their names hold their labels."""
        folder = self._photo_folder(name, self._rows[name])
        for file, label, _ in self._rows[name]:
            yield f"{label}/{file}", (folder / file).read_bytes()

    def how_to_add(self, split: str) -> str:
        """Return how rows become those of a split."""
        return f"Write {split} into a column named split of {self._table('train')}"

    def first_in_other_folder(self) -> tuple[str, str] | None:
        """Return the first file that is not in a folder with the name of its label, and its label; else None."""
        rows = (row for rows in self._rows.values() for row in rows)
        return next(((file, label) for file, label, _ in rows if Path(file).parent.name != label), None)

    def _photo_folder(self, split: str, rows: list[Row]) -> Path:
        """Return the folder with the first photo: that of the tables, or one in it, named as the table or the split."""
        first, _, _ = rows[0]
        named = [self.folder / self._table(split).stem, self.folder / split, self.folder / "images"]
        return next((folder for folder in (self.folder, *named) if (folder / first).is_file()), self.folder)

    def _table(self, split: str) -> Path:
        return self.files.get(split, next(iter(self.files.values())))

    @cached_property
    def _rows(self) -> dict[str, list[Row]]:
        """The rows of each split."""
        rows: dict[str, list[Row]] = {}
        for split, file in self.files.items():
            for row in _read(file, split):
                rows.setdefault(row[2], []).append(row)
        listed: set[Path] = set()
        for split, of_split in rows.items():
            folder = self._photo_folder(split, of_split)
            for name, _, _ in of_split:
                require_inside(self.folder, str(folder / name), self._table(split))
                if folder / name in listed:
                    raise InputError(f"{self._table(split)} lists {name} for the second time. Remove one of the rows.")
                listed.add(folder / name)
        return rows

    @cached_property
    def _classes(self) -> list[str]:
        split = first_split(self)
        return classes_of(self._values(split), f"The labels of {self._table(split)}")

    def _values(self, split: str) -> Values:
        labels = np.array([label for _, label, _ in self._rows[split]])
        return as_values(labels, f"The labels of {self._table(split)}")


def require_inside(folder: Path, name: str, table: Path) -> None:
    """Raise an InputError for a name in a table of files that leads out of their folder, as in data of a stranger."""
    if not Path(os.path.normpath(folder.absolute() / name)).is_relative_to(os.path.normpath(folder.absolute())):
        raise InputError(f"{table} lists {name}, which is not in {folder}. Move the table above the photos.")


def read_header(file: Path) -> list[str]:
    """Read the titles of a table; none where it cannot be read as text."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            return next(csv.reader(stream), [])
    except (OSError, ValueError, csv.Error):
        return []


def _read(file: Path, split: str) -> list[Row]:
    """Read a table of at least one row; rows without a split have the given one."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            header, *lines = [line for line in csv.reader(stream) if line]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{file} cannot be read ({error}). Save it as CSV in UTF-8.") from None
    columns = [find_column(header, titles) for titles in (FILE_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS)]
    if not lines:
        raise InputError(f"{file} lists no files. Add a row for each, or name other data with --data.")
    rows = []
    for row_number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise InputError(
                f"{file} has {len(line)} columns in row {row_number}, but {len(header)} titles. Correct it."
            )
        name, label, own_split = (None if column is None else line[column].strip() for column in columns)
        named = split_of_word(own_split) if own_split else split
        if not name or not label or not named:
            unknown_split = f"the split {own_split!r}, which is none of train, validation, test"
            problem = unknown_split if name and label else "no file or no label"
            raise InputError(f"{file} has {problem}, in row {row_number}. Correct it, or remove the row.")
        rows.append((name.replace("\\", "/"), label, named))
    return rows
