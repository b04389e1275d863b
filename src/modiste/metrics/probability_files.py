"""Files of probabilities that any tool wrote, as .npz or .csv: read and checked."""

import csv
import io
import zipfile
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from modiste.data.folds import round_robin_order
from modiste.data.split import Labels, Split
from modiste.errors import InputError
from modiste.metrics.scores import count_confusions

SUFFIXES = (".npz", ".csv")
MAX_BYTES = 1 << 30
"""Of all arrays of an .npz, unpacked."""

TOLERANCE = 1e-3
"""How far the sum of a row may be from 1: float16 and four decimals pass, logits do not."""

ORDER_MARGIN = 0.2
"""Accuracy that another order of rows or columns must gain before it is suggested."""

Floats = NDArray[np.float64]


class Content(NamedTuple):
    """What a file holds: [n, k] values, the class of each column and the label of each row where it states them."""

    values: Floats
    class_names: list[str] | None = None
    labels: Labels | None = None


def read_probabilities(path: Path, class_names: tuple[str, ...], split: Split) -> tuple[Floats, tuple[str, ...]]:
    """Read the probabilities of a split's images.

    A .csv has one row per image and one column per class; a header of class names states the order of the columns. An
    .npz has the array `probabilities`, or `arr_0`, as `np.savez(file, array)` names it; `class_names` states the order
    of the columns, and `labels`, indices into these, must be labels of the images. Rows are in the order of the images:
    of IDX files as stored, of class folders sorted by folder name, then by file name, as in torchvision's ImageFolder.

    Returns:
        Probabilities, float64 [n, k], columns in the order of `class_names`; and notes for the user on their order.

    Raises:
        InputError: the file cannot be read, does not hold one distribution per image, or is of other images.
    """
    try:
        content = _read_npz(path) if path.suffix == ".npz" else _read_csv(path)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - zipfile and numpy raise many types for damaged files
        reason = getattr(error, "strerror", None) or error
        message = f"{path} has no probabilities that can be read ({reason}). Write it as .npz or .csv."
        raise InputError(message) from None
    columns = _find_columns(path, content.class_names or class_names, class_names)
    _require_distributions(path, content.values, (len(split), len(class_names)))
    probabilities = content.values[:, columns]
    if content.labels is not None:
        _require_same_images(path, content.labels, columns, split)
    stated = () if content.class_names else (f"Columns are taken as: {', '.join(class_names)}.",)
    return probabilities, stated + _suggest_order(probabilities, split.labels, class_names)


def _read_npz(path: Path) -> Content:
    content = path.read_bytes()  # in memory, because numpy leaves a damaged file open
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
        return Content(np.asarray(arrays[key], np.float64), class_names, labels)


def _read_csv(path: Path) -> Content:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    try:
        float(rows[0][0] if rows else 0)
    except ValueError:  # a header
        return Content(np.array(rows[1:], np.float64), [title.strip() for title in rows[0]])
    return Content(np.array(rows, np.float64))


def _find_columns(path: Path, names: Sequence[str], class_names: tuple[str, ...]) -> list[int]:
    """Return the column of each class."""
    if sorted(names) != sorted(class_names):
        raise InputError(f"{path} has the columns {', '.join(names)}, but the classes are {', '.join(class_names)}.")
    return [names.index(name) for name in class_names]


def _require_same_images(path: Path, labels: Labels, columns: list[int], split: Split) -> None:
    """Raise an InputError unless each label, the index of a column, is one of its image."""
    comparable = labels.shape == split.labels.shape and bool(np.isin(labels, columns).all())
    labels = np.argsort(columns)[labels] if comparable else labels
    if comparable and split.is_correct(labels).all():
        return
    if np.array_equal(np.sort(labels), np.sort(split.labels)):
        raise InputError(
            f"{path} has the labels of this split in another order. Write one row per image, class folders sorted by "
            "name and files sorted by name in each, or IDX images as stored."
        )
    raise InputError(f"{path} was made for other images: its labels are not those of this split. Choose its --split.")


def _suggest_order(probabilities: Floats, labels: Labels, class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return a note where another order of the columns, or of the rows, would be far more accurate."""
    predicted = probabilities.argmax(1)
    counts = count_confusions(labels, predicted, len(class_names))
    classes, columns = linear_sum_assignment(-counts)
    order = ", ".join(class_names[label] for label in np.argsort(columns))
    accuracies = {
        f"columns in the order {order}": counts[classes, columns].sum() / len(labels),
        "rows sorted by class": np.mean(predicted == np.sort(labels)),
        "rows that take one image of each class in turn": np.mean(predicted == labels[round_robin_order(labels)]),
    }
    best, best_accuracy = max(accuracies.items(), key=itemgetter(1))
    accuracy = np.mean(predicted == labels)
    if best_accuracy < max(accuracy + ORDER_MARGIN, 0.5):
        return ()
    return (f"With {best} the accuracy would be {best_accuracy:.1%} instead of {accuracy:.1%}. Check the order.",)


def _require_distributions(path: Path, values: Floats, shape: tuple[int, int]) -> None:
    if values.shape != shape:
        raise InputError(
            f"{path} has shape {list(values.shape)}, but {shape[0]} images and {shape[1]} classes need {list(shape)}."
        )
    is_row_invalid = ~(np.isfinite(values) & (values >= 0)).all(1)
    if is_row_invalid.any():
        row = int(is_row_invalid.argmax())
        raise InputError(
            f"{path} has a negative or non-finite number in row {row} (from 0), but probabilities are 0 to 1."
        )
    deviations = np.abs(values.sum(1) - 1)
    if deviations.max() > TOLERANCE:
        row = int(deviations.argmax())
        raise InputError(
            f"{path} has a row {row} (from 0) that sums to {values[row].sum():.4f}, but probabilities sum to 1 within "
            f"{TOLERANCE}. Apply a softmax to logits."
        )
