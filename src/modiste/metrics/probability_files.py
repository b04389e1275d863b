"""Files of predictions that any tool wrote, as .npz, .npy or .csv: read and checked."""

import math
import shlex
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

from modiste.data.folds import round_robin_order
from modiste.data.split import Labels, Split
from modiste.errors import InputError
from modiste.inference.calibration import FLOOR
from modiste.metrics import prediction_tables
from modiste.metrics.scores import count_confusions

SUFFIXES = (".npz", ".npy", ".csv")

TOLERANCE = 1e-3
"""How far the sum of a row may be from 1: float16 and four decimals pass, logits do not."""

ORDER_MARGIN = 0.2
"""Accuracy that another order of rows or columns must gain before it is suggested."""

CHANCE_MARGIN = 0.1
"""Part of the way from the accuracy of shuffled predictions to 100 % (Cohen's kappa) below which a note says so."""

NEAR_CHANCE = (
    "The accuracy, {:.1%}, is near that of the same predictions in random order, {:.1%}. Check that rows are in the "
    "order of the images, and columns or labels in that of the classes."
)

ZEROS = (
    f"Images whose class has probability 0: {{:,}}. Each counts as {FLOOR:.2g} in the loss, {-math.log(FLOOR):.1f} "
    "nats; other tools replace 0 by other values, so that their loss differs."
)

HARD_LABELS = (
    "The file has predicted labels without probabilities, so loss, Brier score and calibration error say nothing."
)

Floats = NDArray[np.float64]


class ProbabilityFile(NamedTuple):
    """The content of a file of predictions.

    Args:
        probabilities: float64 [n, k], columns in the order of the class names; 0 and 1 for predicted labels.
        notes: sentences for the user, on the order of rows and columns.
        is_hard_labels: whether the file has predicted labels instead of probabilities.
    """

    probabilities: Floats
    notes: tuple[str, ...]
    is_hard_labels: bool = False


def read_probabilities(
    path: Path, class_names: tuple[str, ...], split: Split, is_logits: bool = False
) -> ProbabilityFile:
    """Read the predictions of a split's images.

    A .csv has one row per image and one column per class; a header of class names states the order of the columns, and
    a first column may number the images. A .npy has one such array. An .npz has the array `probabilities`, or `arr_0`,
    as `np.savez(file, array)` names it; `class_names` states the order of the columns, and `labels`, indices into
    these, must be labels of the images. One value per image is a predicted label: a class name, or its index from 0.
    Rows are in the order of the images: of IDX files as stored, of class folders sorted by folder name, then by file
    name, as in torchvision's ImageFolder.

    Args:
        path: of the file.
        class_names: k names of the classes.
        split: of the images.
        is_logits: whether the values are logits, of which the softmax is taken; they are never guessed to be.

    Raises:
        InputError: the file cannot be read, does not hold one distribution or label per image, or is of other images.
    """
    try:
        table = prediction_tables.read(path, class_names)
        is_labels = table.values.ndim == 1
        values = table.values if is_labels else table.values.astype(np.float64)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - zipfile and numpy raise many types for damaged files
        reason = getattr(error, "strerror", None) or error
        message = f"{path} has no probabilities that can be read ({reason}). Write it as .npz, .npy or .csv."
        raise InputError(message) from None
    columns = _find_columns(path, table.class_names or class_names, class_names)
    if is_labels:
        values = _to_one_hot(path, values, table.class_names or class_names, len(split))
    elif is_logits:
        _require_shape(path, values, (len(split), len(class_names)))
        values = softmax(_require_finite(path, values), axis=1)
    else:
        _require_distributions(path, values, (len(split), len(class_names)))
    probabilities = values[:, columns]
    if table.labels is not None:
        _require_same_images(path, table.labels, columns, split)
    stated = () if table.class_names or is_labels else (f"Columns are taken as: {', '.join(class_names)}.",)
    notes = (HARD_LABELS,) * is_labels + stated + _suggest_order(probabilities, split.labels, class_names)
    if not is_labels:
        notes += _count_zeros(probabilities, split)
    return ProbabilityFile(probabilities, notes, is_labels)


def _to_one_hot(path: Path, predicted: NDArray[Any], class_names: Sequence[str], images: int) -> Floats:
    """Return predicted labels, [n] class names or indices, as probabilities of 0 and 1."""
    if len(predicted) != images:
        raise InputError(f"{path} has {len(predicted)} labels, but the split has {images} images. Choose its --split.")
    if predicted.dtype.kind in "US":
        names = predicted.astype(np.str_)
        unknown = sorted(set(names) - set(class_names))
        labels = np.array([class_names.index(name) if name in class_names else -1 for name in names], np.float64)
    else:
        labels = predicted.astype(np.float64)
        unknown = [f"{label:g}" for label in sorted(set(labels[~np.isin(labels, np.arange(len(class_names)))]))]
    if unknown:
        counts_from_1 = unknown == [str(len(class_names))] and labels.min() == 1
        advice = "They count from 1: subtract 1 from each." if counts_from_1 else "Write one of these per image."
        raise InputError(
            f"{path} has the labels {', '.join(unknown[:5])}, but the classes are {', '.join(class_names)}, or 0 to "
            f"{len(class_names) - 1}. {advice}"
        )
    return np.eye(len(class_names))[labels.astype(np.int64)]


def _find_columns(path: Path, names: Sequence[str], class_names: tuple[str, ...]) -> list[int]:
    """Return the column of each class."""
    if sorted(names) != sorted(class_names):
        raise InputError(
            f"{path} has the columns {', '.join(names)}, but the classes are {', '.join(class_names)}. Name the "
            f"columns so, or 0 to {len(class_names) - 1}, or leave the header out."
        )
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


def _count_zeros(probabilities: Floats, split: Split) -> tuple[str, ...]:
    """Return a note where the loss depends on what a probability of 0 counts as."""
    count = int((split.true_class_probabilities(probabilities) == 0).sum())
    return (ZEROS.format(count),) if count else ()


def _suggest_order(probabilities: Floats, labels: Labels, class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return a note where another order of the columns, or of the rows, would be far more accurate, or any would do."""
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
        chance = counts.sum(0) @ counts.sum(1) / len(labels) ** 2
        is_chance = accuracy - chance < CHANCE_MARGIN * (1 - chance)
        return (NEAR_CHANCE.format(accuracy, chance),) if is_chance else ()
    return (f"With {best} the accuracy would be {best_accuracy:.1%} instead of {accuracy:.1%}. Check the order.",)


def _require_shape(path: Path, values: Floats, shape: tuple[int, int]) -> None:
    if values.shape != shape:
        raise InputError(
            f"{path} has shape {list(values.shape)}, but {shape[0]} images and {shape[1]} classes need {list(shape)}."
        )


def _require_finite(path: Path, values: Floats) -> Floats:
    if not np.isfinite(values).all():
        row = int((~np.isfinite(values).all(1)).argmax())
        raise InputError(
            f"{path} has NaN or infinity in row {row} (from 0). Predict that image again, or look why its tool gave no "
            "number."
        )
    return values


def _require_distributions(path: Path, values: Floats, shape: tuple[int, int]) -> None:
    _require_shape(path, values, shape)
    _require_finite(path, values)
    advice = f"Apply a softmax to logits, or name them as such: modiste compare --logits {shlex.quote(str(path))}"
    if (values < 0).any():
        row = int((values < 0).any(1).argmax())
        raise InputError(f"{path} has a negative number in row {row} (from 0), but probabilities are 0 to 1. {advice}")
    deviations = np.abs(values.sum(1) - 1)
    if deviations.max() > TOLERANCE:
        row = int(deviations.argmax())
        raise InputError(
            f"{path} has a row {row} (from 0) that sums to {values[row].sum():.4f}, but probabilities sum to 1 within "
            f"{TOLERANCE}. {advice}"
        )
