"""A CSV table of pixels, as Kaggle has Fashion-MNIST: a column `label`, and one for each pixel of a square image."""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modiste.data import idx
from modiste.data.annotations import LABELS_FILE
from modiste.data.arrays import ImageFormat, are_fashion_mnist, loader, require_pairs
from modiste.data.class_values import classes_of, names_of, to_labels
from modiste.data.file_list import find_column
from modiste.data.lazy_split import LazySplit, first_split
from modiste.data.split import Images, Labels, index_names
from modiste.errors import InputError
from modiste.labels import FASHION_MNIST

MIN_PIXELS = 64
BLOCK = 1 << 22
"""Bytes that are parsed at once, which fit into the cache of a processor."""

NEWLINE, RETURN, COMMA, ZERO, NINE = b"\n\r,09"


class Table(NamedTuple):
    """Images, uint8 [n, s, s] or [n, s, s, 3], and the numbers of their classes, int64 [n]."""

    images: Images
    values: Labels


@dataclass(frozen=True)
class PixelCsv:
    """Tables of pixels, one for each split, as a `Source`.

    Args:
        files: the table of each split.
        image_format: the images that the recipe takes.
    """

    files: Mapping[str, Path]
    image_format: ImageFormat
    tables: dict[str, Table] = field(default_factory=dict, compare=False, repr=False)  # those that were read
    has_photos = False

    @property
    def folder(self) -> Path:
        """The folder of the tables."""
        return next(iter(self.files.values())).parent

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Those of labels.json; else of Fashion-MNIST where the images are the official ones; else the numbers."""
        return names_of(self._classes, self.folder / LABELS_FILE, FASHION_MNIST if self.is_fashion_mnist else ())

    @cached_property
    def is_fashion_mnist(self) -> bool:
        """Whether the first table has the official images and labels, in any order."""
        return are_fashion_mnist(*self._read(first_split(self)))

    def has_split(self, name: str) -> bool:
        """Whether the split has a table."""
        return name in self.files

    def part(self, name: str) -> LazySplit:
        """Read a table; raises InputError where it cannot be read, SettingError where the recipe takes other images."""
        images, values = self._read(name)
        labels = to_labels(values, self._classes, f"The labels of {self.files[name]}")
        return LazySplit(labels, loader(self.files[name], images, self.image_format), index_names(name, len(labels)))

    def read_files(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Read the table of a split and labels.json as stored."""
        for file in (self.files[name], self.folder / LABELS_FILE):
            if file.is_file():
                yield (file.name if file.name == LABELS_FILE else "table", file.read_bytes())

    def how_to_add(self, split: str) -> str:
        """Return how the table of a split is called."""
        return f"Put a table with {split} in its name into {self.folder}"

    @cached_property
    def _classes(self) -> list[int]:
        split = first_split(self)
        return classes_of(self._read(split).values, f"The labels of {self.files[split]}")

    def _read(self, split: str) -> Table:
        if split not in self.tables:
            self.tables[split] = read_table(self.files[split])
        return self.tables[split]


def is_pixel_csv(header: list[str]) -> bool:
    """Return whether a table has a column `label` and at least 64 others."""
    return find_column(header, ("label",)) is not None and len(header) > MIN_PIXELS


def read_table(file: Path) -> Table:
    """Read images and labels; a table of 60,000 images of 28 x 28 takes two seconds.

    Raises:
        InputError: it cannot be read, its images are not square, or a value is no whole number from 0 to 255.
    """
    content = idx.read_bytes(file)
    head, _, _ = content.partition(b"\n")
    header = next(csv.reader([head.decode("utf-8-sig", "replace")]), [])
    label_column = find_column(header, ("label",))
    if label_column is None:
        raise InputError(f"{file} has no column label. Add one with a number for each image.")
    shape = _image_shape(file, len(header) - 1)
    if RETURN in head:
        content = content.replace(b"\r", b"")
    values = _parse(file, content, len(head.rstrip(b"\r")) + 1, len(header))
    labels = values[:, label_column].astype(np.int64)
    pixels = np.delete(values, label_column, axis=1) if label_column else values[:, 1:]
    images = np.ascontiguousarray(pixels).reshape(-1, *shape)
    require_pairs(file, images, labels)
    return Table(images, labels)


def _image_shape(file: Path, pixels: int) -> tuple[int, ...]:
    """Return [s, s], or [s, s, 3] where there are three columns for each pixel."""
    for side, channels in ((math.isqrt(pixels), ()), (math.isqrt(pixels // 3), (3,))):
        if math.prod((side, side, *channels)) == pixels:
            return side, side, *channels
    raise InputError(
        f"{file} has {pixels} columns beside label, but square images have a column for each pixel, as 784 of 28 x 28. "
        "Remove other columns."
    )


def _parse(file: Path, content: bytes, start: int, columns: int) -> NDArray[np.uint8]:
    """Parse rows of whole numbers from 0 to 255, uint8 [n, columns], from a position in the content."""
    blocks, row = [np.empty((0, columns), np.uint8)], 2
    while start < len(content):
        end = start + BLOCK
        end = content.rfind(b"\n", start, end) + 1 or content.find(b"\n", end) + 1 or len(content)
        lines = content[start:end]
        values = _parse_block(lines if lines.endswith(b"\n") else lines + b"\n", columns)
        if values is None:
            raise InputError(f"{file}{_describe_fault(lines, columns, row)} Correct it, or write the table again.")
        blocks.append(values)
        start, row = end, row + len(values)
    return np.concatenate(blocks)


def _parse_block(lines: bytes, columns: int) -> NDArray[np.uint8] | None:
    """Parse complete lines, uint8 [n, columns], all at once; None where a value or a line is not as expected."""
    characters = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero(characters < ZERO)  # of values: commas and newlines
    separators, lengths = characters[ends], np.diff(ends, prepend=-1) - 1
    if len(ends) % columns or characters.max() > NINE or lengths.min() < 1 or lengths.max() > 3:
        return None
    table = separators.reshape(-1, columns)
    if (table[:, -1] != NEWLINE).any() or (table[:, :-1] != COMMA).any():
        return None
    digits = characters - ZERO
    values = digits[ends - 1].astype(np.uint16)
    for place, factor in ((2, 10), (3, 100)):
        longer = np.flatnonzero(lengths >= place)
        values[longer] += np.uint16(factor) * digits[ends[longer] - place]
    return values.astype(np.uint8).reshape(-1, columns) if values.max() <= 255 else None


def _describe_fault(lines: bytes, columns: int, first_row: int) -> str:
    for row, line in enumerate(lines.decode("utf-8", "replace").splitlines(), first_row):
        values = line.split(",")
        if len(values) != columns:
            return f" has {len(values)} columns in row {row}, but {columns} titles."
        for value in values:
            if not (value.isdecimal() and len(value) <= 3 and int(value) <= 255):
                return f" has {value[:20]!r} in row {row}, but labels and pixels are whole numbers from 0 to 255."
    return " cannot be read."
