"""The arrays of a prediction file, .npz, .npy or .csv, as its tool wrote them; they are not checked here."""

import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modiste.data.split import Labels
from modiste.errors import InputError

FORM = (
    "Write one line per image, in their order: a number for each class, or one label, with commas between and decimal "
    "points, without other columns than an index."
)

MAX_BYTES = 1 << 30
"""Of all arrays of a file, unpacked."""


class Table(NamedTuple):
    """What a file holds: [n, k] values or [n] predicted labels; the class of each column and each image's label."""

    values: NDArray[Any]
    class_names: list[str] | None = None
    labels: Labels | None = None


def read(path: Path, class_names: tuple[str, ...]) -> Table:
    """Read a file by its suffix; raises InputError if it has no predictions, and any other error if it is damaged."""
    if path.suffix == ".csv":
        return _read_csv(path, class_names)
    content = path.read_bytes()  # in memory, because numpy leaves a damaged file open
    if path.suffix == ".npz":
        return _read_npz(path, content)
    if len(content) > MAX_BYTES:
        raise ValueError("it has more than a gigabyte")
    return Table(np.asarray(np.load(io.BytesIO(content), allow_pickle=False)))


def _read_npz(path: Path, content: bytes) -> Table:
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise ValueError("no .npz archive")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(array.file_size for array in archive.infolist()) > MAX_BYTES:
            raise ValueError("its arrays have more than a gigabyte")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        key = "arr_0" if set(arrays.files) - {"class_names", "labels"} == {"arr_0"} else "probabilities"
        if key not in arrays:
            raise InputError(
                f"{path} holds {', '.join(arrays.files) or 'nothing'}, but no array named probabilities. Write it with "
                "np.savez(file, probabilities=array); a single array without a name is read as well."
            )
        class_names = list(map(str, arrays["class_names"])) if "class_names" in arrays else None
        labels = np.asarray(arrays["labels"], np.int64) if "labels" in arrays else None
        return Table(np.asarray(arrays[key]), class_names, labels)


def _read_csv(path: Path, class_names: tuple[str, ...]) -> Table:
    """Read a CSV with or without a header and an index column, as `DataFrame.to_csv` and `numpy.savetxt` write it."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        lines = [([cell.strip() for cell in row], reader.line_num) for row in reader if row]
    rows = [row for row, _ in lines]
    header = rows[0] if rows and _is_header(rows[0], class_names) else None
    _require_numbers(path, lines[bool(header) :], class_names)
    cells = np.array(rows[1:] if header else rows, np.str_)
    if cells.ndim != 2:
        return Table(np.zeros((0, 0)))
    if _has_index(cells, header, class_names):
        cells, header = cells[_row_order(path, cells[:, 0]), 1:], header and header[1:]
    if cells.shape[1] == 1:
        return Table(cells[:, 0] if set(cells[:, 0]) & set(class_names) else cells[:, 0].astype(np.float64))
    numbers_classes = header == list(map(str, range(len(class_names))))
    return Table(cells.astype(np.float64), None if numbers_classes else header)


def _require_numbers(path: Path, lines: Sequence[tuple[list[str], int]], class_names: tuple[str, ...]) -> None:
    """Raise an InputError with the number of the first line that has another length, or a cell that is no number.

    Where a last column has class names, it has predicted labels, which are checked later.
    """
    width = len(lines[0][0]) if lines else 0
    has_names = width <= 2 and any(row[-1] in class_names for row, _ in lines)
    for row, line in lines:
        if len(row) != width:
            raise InputError(f"{path}, line {line} has {len(row)} cells, but the lines before have {width}. {FORM}")
        if "" in row:
            raise InputError(f"{path}, line {line} has a blank cell. {FORM}")
        if odd := [cell for cell in row[: width - has_names] if not _is_number(cell)]:
            raise InputError(f"{path}, line {line} has {odd[0]!r}, which is not a number. {FORM}")


def _is_header(row: list[str], class_names: tuple[str, ...]) -> bool:
    if row == list(map(str, range(len(class_names)))):
        return len(row) > 1
    return not _is_number(row[0]) and (len(row) > 1 or row[0] not in class_names)


def _has_index(cells: NDArray[np.str_], header: list[str] | None, class_names: tuple[str, ...]) -> bool:
    """Return whether the first column numbers the images: there is one more than the classes, or than the labels."""
    width, classes = cells.shape[1], len(class_names)
    if width not in (2, classes + 1) or not np.char.isdigit(cells[:, 0]).all():
        return False
    if not width == classes == 2:
        return True
    if header is not None:  # probabilities of two classes, or an index and labels
        return sorted(header) not in (sorted(class_names), ["0", "1"])
    return len(cells) > 2


def _row_order(path: Path, column: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return the rows in the order of an index column, which numbers the images from 0 or from 1."""
    index = column.astype(np.float64)
    order = np.argsort(index, kind="stable").astype(np.int64)
    if not any(np.array_equal(index[order], np.arange(first, first + len(index))) for first in (0, 1)):
        raise InputError(
            f"{path} has a first column that does not number the images from 0 or 1, one row each. Write one row per "
            "image in their order, without other columns than the classes."
        )
    return order


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
