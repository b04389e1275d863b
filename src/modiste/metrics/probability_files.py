"""Probabilities that any tool wrote, as .npz or .csv: checked, then scored like our own."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modiste.errors import InputError

SUFFIXES = (".npz", ".csv")
KEY = "probabilities"
LARGEST = 1 << 30
"""Bytes of all arrays of an .npz, unpacked."""

TOLERANCE = 1e-3
"""How far the sum of a row may be from 1: float16 and four decimals pass, logits do not."""


def read_probabilities(path: Path, class_names: tuple[str, ...], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Read probabilities, float64 [n, k], in the order of the labels' images.

    An .npz holds the array `probabilities` (or one array alone); a `labels` array in it must be the truth. A .csv holds
    a row an image and a column a label; a header of label names may order the columns otherwise.

    Args:
        path: the file.
        class_names: the k names.
        labels: [n], the truth of the split that is to be scored.

    Raises:
        InputError: it cannot be read, or holds something else than one distribution for each image.
    """
    try:
        found = _npz(path, labels) if path.suffix == ".npz" else _csv(path, class_names)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - damaged files make zipfile and numpy raise whatever they come upon
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{path} holds no probabilities that can be read ({reason}). Write it as .npz or .csv."
        ) from None
    _check(path, found, (len(labels), len(class_names)))
    return found


def _npz(path: Path, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    content = path.read_bytes()  # from memory, as numpy leaves a damaged file open
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise ValueError("no .npz archive")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(array.file_size for array in archive.infolist()) > LARGEST:
            raise ValueError("its arrays have more than a gigabyte")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        if "labels" in arrays and not np.array_equal(arrays["labels"], labels):
            raise InputError(
                f"{path} was made for other images: its labels are not those of this split. Name its --split."
            )
        key = KEY if KEY in arrays or len(arrays.files) != 1 else arrays.files[0]
        if key not in arrays:
            raise InputError(f"{path} holds {', '.join(arrays.files) or 'nothing'}, but no array named {KEY}.")
        return np.asarray(arrays[key], np.float64)


def _csv(path: Path, names: tuple[str, ...]) -> NDArray[np.float64]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    header = bool(rows) and not _is_number(rows[0][0])
    if not header:
        return np.array(rows, np.float64)
    titles = [title.strip() for title in rows[0]]
    if sorted(titles) != sorted(names):
        raise InputError(f"{path} has the columns {', '.join(titles)}, but the labels are {', '.join(names)}.")
    return np.array(rows[1:], np.float64)[:, [titles.index(name) for name in names]]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check(path: Path, found: NDArray[np.float64], shape: tuple[int, int]) -> None:
    if found.shape != shape:
        raise InputError(
            f"{path} has shape {list(found.shape)}, but {shape[0]} images and {shape[1]} labels need {list(shape)}."
        )
    if not np.isfinite(found).all() or (found < 0).any():
        row = int(np.flatnonzero(~(np.isfinite(found) & (found >= 0)).all(1))[0])
        raise InputError(f"{path} has a negative number or none in row {row} (from 0), but probabilities are 0 to 1.")
    off = np.abs(found.sum(1) - 1)
    if off.max() > TOLERANCE:
        row = int(off.argmax())
        raise InputError(
            f"{path} has a row {row} (from 0) that sums to {found[row].sum():.4f}, but probabilities sum to 1 within "
            f"{TOLERANCE}. Put a softmax behind logits."
        )
