"""Scores: probabilities and labels in, one frozen record out, the same for every method."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from modiste.errors import InputError
from modiste.inference.calibration import FLOOR
from modiste.metrics import intervals
from modiste.metrics.intervals import Interval
from modiste.runs import files, parsing

OPENINGS = "test_openings"
"""The key in scores.json of how often the test split was opened for the run."""

SPLITS = ("test", "validation")
"""That trainings are judged on; where both have scores, the first counts."""

BINS = 15
"""Of equal width, for the calibration error, as in Guo et al. 2017."""

WORST = 32
PAIRS = 10

Confusion = tuple[tuple[int, ...], ...]
"""[k, k] counts: row = true label, column = what it was taken for."""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How one label fares; a figure is None where it would be a division by zero.

    Args:
        name: of the class.
        precision: share of the images called so that are so.
        recall: share of the images that are so that are called so.
        f1: harmonic mean of the two.
        support: images that are so.
    """

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True, slots=True)
class Confused:
    """How often one label was taken for another."""

    true: str
    predicted: str
    count: int


@dataclass(frozen=True, slots=True)
class Scores:
    """What probabilities are worth on a split.

    Args:
        split: train, validation or test.
        n: images.
        loss: mean cross-entropy in nats, fp64, without smoothing or temperature, probabilities floored at `FLOOR`.
        accuracy: fraction right.
        interval_images: 95 % Wilson interval of the accuracy.
        ece: expected calibration error of how sure it is, before any temperature, `BINS` bins of equal width (Naeini et
            al. 2015; Guo et al. 2017, eq. 3). A model is sure of labels that its training did not tell apart label_groups.
        per_class: one record a class.
        confusion_matrix: counts, [true, taken for].
        most_confused: the commonest confusions, most first.
        worst_mistakes: indices of the wrong images that were most surely taken for something else, worst first.
        accuracy_flip_tta: fraction right of the mean of the probabilities of each image and of its mirror image; None
            where mirror images were no part of the training, or there are probabilities alone.
        ece_calibrated: the same after the model's temperature; None where there are probabilities alone.
    """

    split: str
    n: int
    loss: float
    accuracy: float
    interval_images: Interval
    ece: float
    per_class: tuple[ClassScore, ...]
    confusion_matrix: Confusion
    most_confused: tuple[Confused, ...]
    worst_mistakes: tuple[int, ...]
    accuracy_flip_tta: float | None = None
    ece_calibrated: float | None = None

    def normalized(self) -> NDArray[np.float64]:
        """The confusion matrix with rows that sum to 1; a label without images has a row of zeros."""
        counts = np.asarray(self.confusion_matrix, np.float64)
        shares: NDArray[np.float64] = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        return shares

    def lowest_recall(self) -> tuple[ClassScore, ...]:
        """Return the class with the lowest recall; several when they tie, none without images."""
        lowest = min((label.recall for label in self.per_class if label.recall is not None), default=None)
        return tuple(label for label in self.per_class if label.support and label.recall == lowest)

    def highest_recall(self) -> tuple[ClassScore, ...]:
        """Return the class with the highest recall; several when they tie, none without images."""
        highest = max((label.recall for label in self.per_class if label.recall is not None), default=None)
        return tuple(label for label in self.per_class if label.support and label.recall == highest)

    def as_dict(self) -> dict[str, Any]:
        """The record as scores.json has it, with the normalized matrix beside the raw one."""
        rows = [[round(value, 4) for value in row] for row in self.normalized().tolist()]
        return dataclasses.asdict(self) | {"confusion_matrix_normalized": rows}

    @classmethod
    def from_dict(cls, content: Any, origin: str) -> Self:
        """Read what `as_dict` wrote.

        Raises:
            InputError: it is something else; the message names the origin.
        """
        with parsing.as_input_error(f"{origin} holds no scores. Remove it and make it anew with `modiste evaluate`."):
            found = cls(
                split=str(content["split"]),
                n=int(content["n"]),
                loss=float(content["loss"]),
                accuracy=float(content["accuracy"]),
                interval_images=(float(content["interval_images"][0]), float(content["interval_images"][1])),
                ece=float(content["ece"]),
                per_class=tuple(map(_label, content["per_class"])),
                confusion_matrix=tuple(tuple(map(int, row)) for row in content["confusion_matrix"]),
                most_confused=tuple(
                    Confused(str(p["true"]), str(p["predicted"]), int(p["count"])) for p in content["most_confused"]
                ),
                worst_mistakes=tuple(map(int, content["worst_mistakes"])),
                accuracy_flip_tta=_given(content.get("accuracy_flip_tta")),
                ece_calibrated=_given(content.get("ece_calibrated")),
            )
            if not _belong_together(found):
                raise ValueError("figures that do not belong label_groups")
        return found


def read_scores(path: Path) -> dict[str, Any]:
    """Read a run's scores.json: scores by split, and what else stands there; empty when there is no such file.

    Raises:
        InputError: the file is damaged.
    """
    content = files.read_json(path) if path.exists() else {}
    if not isinstance(content, dict) or type(content.get(OPENINGS, 0)) is not int:
        raise InputError(f"{path} holds no scores. Remove it and make it anew with `modiste evaluate`.")
    return dict(content)


def _belong_together(found: Scores) -> bool:
    """Whether the confusion matrix is one, the accuracy is its own, and the loss is a number."""
    counts = [count for row in found.confusion_matrix for count in row]
    if _shape(found.confusion_matrix) != {len(found.per_class)} or min(counts) < 0 or not 0 < sum(counts) == found.n:
        return False
    right = sum(row[label] for label, row in enumerate(found.confusion_matrix))
    return math.isclose(found.accuracy, right / found.n, abs_tol=1e-6) and math.isfinite(found.loss + found.ece)


def compute_scores(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], class_names: tuple[str, ...], split: str
) -> Scores:
    """Score probabilities.

    Args:
        probabilities: [n, k], each row a distribution.
        labels: [n], the truth, each an index into the label names.
        class_names: k names.
        split: what the images are from, for the record.

    Raises:
        InputError: the shapes do not belong label_groups, or there is no image.
    """
    if not len(labels) or probabilities.shape != (len(labels), len(class_names)):
        raise InputError(
            f"The probabilities have shape {list(probabilities.shape)}, but {len(labels)} images and "
            f"{len(class_names)} labels need {[len(labels), len(class_names)]}, at least one image among them."
        )
    exact = probabilities.astype(np.float64)
    said = exact.argmax(1)
    right = said == labels
    confusion = _confusion(labels, said, len(class_names))
    return Scores(
        split=split,
        n=len(labels),
        loss=float(-np.log(np.maximum(exact[np.arange(len(labels)), labels], FLOOR)).mean()),
        accuracy=float(right.mean()),
        interval_images=intervals.wilson_interval(int(right.sum()), len(labels)),
        ece=calibration_error(exact.max(1), right),
        per_class=_per_class(labels, said, class_names),
        confusion_matrix=tuple(map(tuple, confusion.tolist())),
        most_confused=_most_confused(confusion, class_names),
        worst_mistakes=_worst_mistakes(exact.max(1), right),
    )


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Mean gap between how sure a model is and how often it is right, over bins of its confidence, weighted by images.

    Args:
        confidence: [n], the highest probability of each image.
        right: [n], whether that label is the true one.
    """
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)  # (0, 1/15], (1/15, 2/15], ...
    sure = np.bincount(bins, weights=confidence, minlength=BINS)
    hits = np.bincount(bins, weights=right, minlength=BINS)
    return float(np.abs(sure - hits).sum() / len(confidence))


def _given(value: Any) -> float | None:
    return None if value is None else float(value)


def _label(content: dict[str, Any]) -> ClassScore:
    precision, recall, f1 = (_given(content[key]) for key in ("precision", "recall", "f1"))
    return ClassScore(str(content["name"]), precision, recall, f1, int(content["support"]))


def _shape(confusion: Confusion) -> set[int]:
    """The lengths of both sides, all of them."""
    return {len(confusion), *map(len, confusion)}


def _confusion(labels: NDArray[np.int64], said: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = confusion_matrix(labels, said, labels=range(k))
    return counts


def _per_class(labels: NDArray[np.int64], said: NDArray[np.int64], names: tuple[str, ...]) -> tuple[ClassScore, ...]:
    columns = precision_recall_fscore_support(labels, said, labels=range(len(names)), zero_division=np.nan)
    rows = zip(names, *(column.tolist() for column in columns), strict=True)
    return tuple(ClassScore(name, _number(p), _number(r), _number(f), int(n)) for name, p, r, f, n in rows)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def _most_confused(confusion: NDArray[np.int64], names: tuple[str, ...]) -> tuple[Confused, ...]:
    off = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-off, axis=None, kind="stable")[:PAIRS]
    pairs = [divmod(int(place), len(names)) for place in order]
    return tuple(Confused(names[t], names[s], int(off[t, s])) for t, s in pairs if off[t, s])


def _worst_mistakes(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[int, ...]:
    wrong = np.flatnonzero(~right)
    order = np.argsort(-confidence[wrong], kind="stable")[:WORST]
    return tuple(wrong[order].tolist())
