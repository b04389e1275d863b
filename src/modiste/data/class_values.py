"""Labels as data has them, numbers or text, and the classes that these are."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modiste.data.annotations import read_class_names
from modiste.data.split import Labels
from modiste.errors import InputError
from modiste.labels import NONE_OF_THESE

Values = NDArray[Any]
"""[n], whole numbers (int64) or text, one an image."""


def as_values(labels: NDArray[Any], place: str) -> Values:
    """Check labels, [n] or [n, 1], and return them as [n] int64 or text.

    Args:
        labels: of any type.
        place: where they are, for errors.

    Raises:
        InputError: an image has several labels, or one that is negative, not a whole number, or empty.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise InputError(
            f"{place} have the shape {list(labels.shape)}, but each image needs one label. Write one number an image, "
            "of one-hot rows their argmax(1)."
        )
    if labels.dtype.kind in "biuf":
        with np.errstate(invalid="ignore"):  # NaN is named below
            numbers = labels.astype(np.int64)
        if len(invalid := labels[(numbers != labels) | (numbers < 0)]):
            raise InputError(f"{place} have the value {invalid[0]}, but a label is a whole number from 0. Correct it.")
        return numbers
    texts = [str(label).strip() for label in labels.tolist()]
    if invalid_rows := [row for row, text in enumerate(texts) if not (text and text.isprintable())]:
        raise InputError(f"{place} have no text that can be printed in row {invalid_rows[0]} (from 0). Correct it.")
    return np.array(texts)


def classes_of(values: Values, place: str) -> list[Any]:
    """Return the different labels: numbers and numbers as text ascending, other text by name, "none of these" last.

    Fewer than two are an InputError, which names their place.
    """
    different = np.unique(values).tolist()
    if len(different) < 2:
        only = repr(different[0]) if different else "none"
        raise InputError(f"{place} have one class ({only}), but at least two are needed. Name other data with --data.")
    if all(str(value).isdecimal() for value in different):
        return sorted(different, key=int)
    return sorted(different, key=lambda value: (value == NONE_OF_THESE, value))


def names_of(classes: list[Any], labels_file: Path, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Name classes: text by itself; numbers by labels.json where there is one, else by `default` or as numbers."""
    if isinstance(classes[0], str):
        return tuple(classes)
    if not labels_file.is_file():
        return tuple(default[value] if default else str(value) for value in classes)
    names = read_class_names(labels_file, max(classes) + 1)
    return tuple(names[value] for value in classes)


def to_labels(values: Values, classes: list[Any], place: str) -> Labels:
    """Return the index of each value among the classes, int64 [n]; InputError for a value that is none of them."""
    indices = {value: index for index, value in enumerate(classes)}
    if unknown := [value for value in np.unique(values).tolist() if value not in indices]:
        similar = find_similar(str(unknown[0]), map(str, classes))
        advice = f"Is it {similar!r}? Correct it" if similar else "Correct it"
        raise InputError(
            f"{place} have the value {unknown[0]!r}, but no image to train on has it. {advice}, or add such images."
        )
    return np.array([indices[value] for value in values.tolist()], np.int64)


def simplify(name: str) -> str:
    """Return a class name without case, accents, spaces, hyphens and underscores, in which typing errors differ."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter) and letter not in " -_")


def find_similar(name: str, names: Iterable[str]) -> str | None:
    """Return the first other name that is the same but for what `simplify` removes; None where there is none."""
    return next((other for other in names if other != name and simplify(other) == simplify(name)), None)
