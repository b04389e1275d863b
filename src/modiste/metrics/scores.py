"""Scores of probabilities on a split, and the scores.json that keeps them."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from modiste.data.split import Labels, Split
from modiste.errors import InputError
from modiste.inference.calibration import FLOOR
from modiste.metrics import intervals
from modiste.metrics.intervals import Interval
from modiste.runs import files, parsing

OPENINGS = "test_openings"
"""The key in scores.json of how often the test split was opened for the run."""

SPLITS = ("test", "validation")
"""The splits to evaluate on; where both have scores, those of the first are shown."""

BINS = 15
"""Number of bins of the calibration error, as in Guo et al. 2017."""

APPROXIMATE = "The interval is approximate: {} groups of images are too few for one that covers 95 %."
NO_INTERVAL = "There is no interval: the images come in {} groups, and {} are the fewest for one."

MAX_MISTAKES = 32
MAX_PAIRS = 10


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Precision, recall and F1 of one class, None for a division by zero; support is its number of images."""

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """How many images of one class were predicted as another."""

    true: str
    predicted: str
    count: int


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of probabilities on a split.

    Args:
        split: train, validation or test.
        n: number of images.
        loss: mean cross-entropy in nats, without label smoothing or temperature; probabilities are raised to `FLOOR`.
        accuracy: fraction of correct images; with candidate labels, each of them is correct.
        interval_images: 95 % interval of the accuracy: Wilson's, or where images have groups, one over groups; None
            with fewer than `intervals.FEWEST_GROUPS`.
        ece: expected calibration error before any temperature, in `BINS` bins of equal width (Naeini et al. 2015; Guo
            et al. 2017, eq. 3). The confidence of a model includes the classes in the label group of the predicted one.
        confusion_matrix: counts, [k, k]; rows are true classes, columns predicted ones.
        most_confused: the pairs of classes with the most errors, in descending order.
        worst_mistakes: indices of the wrong images with the highest predicted probability, in descending order.
        accuracy_flip_tta: accuracy of the mean over each image and its mirror image; None for models not trained on
            mirror images, models that use such a mean themselves, and files of probabilities.
        ece_calibrated: `ece` after the model's temperature; None for files of probabilities, and on the split that the
            temperature was fitted on.
        n_ambiguous: images with several candidate labels. Their true class is unknown, so they are left out of
            `per_class`, `confusion_matrix` and `most_confused`.
        n_groups: number of groups of images; None where the data has no groups.
        is_interval_approximate: whether the groups are too few for an interval that covers what it says.
        balanced_accuracy: mean recall of the classes that have images, without ambiguous ones.
        macro_f1: mean F1 of the classes that have images or predictions, likewise.
        brier: mean squared distance of the probabilities from the label, 0 to 2 (Brier 1950), likewise.
        chosen_on_split: the epoch of the weights was chosen on this split, so the accuracy is optimistic.
        notes: sentences for the user, on what limits these scores.
    """

    split: str
    n: int
    loss: float
    accuracy: float
    interval_images: Interval | None
    ece: float
    per_class: tuple[ClassScore, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    most_confused: tuple[ConfusedPair, ...]
    worst_mistakes: tuple[int, ...]
    accuracy_flip_tta: float | None = None
    ece_calibrated: float | None = None
    n_ambiguous: int = 0
    n_groups: int | None = None
    is_interval_approximate: bool = False
    balanced_accuracy: float | None = None
    macro_f1: float | None = None
    brier: float | None = None
    chosen_on_split: bool = False
    notes: tuple[str, ...] = ()

    def normalized(self) -> NDArray[np.float64]:
        """Return the confusion matrix with rows that sum to 1; a class without images has a row of zeros."""
        counts = np.asarray(self.confusion_matrix, np.float64)
        return np.asarray(counts / np.maximum(counts.sum(1, keepdims=True), 1))

    def lowest_recall(self) -> tuple[ClassScore, ...]:
        """Return the class with the lowest recall; several when they tie, none without images."""
        return self._with_recall(min)

    def highest_recall(self) -> tuple[ClassScore, ...]:
        """Return the class with the highest recall; several when they tie, none without images."""
        return self._with_recall(max)

    def _with_recall(self, choose: Callable[[Iterable[float]], float]) -> tuple[ClassScore, ...]:
        recalls = [each.recall for each in self.per_class if each.recall is not None]
        return tuple(each for each in self.per_class if recalls and each.recall == choose(recalls))

    def most_frequent_errors(self, label: str) -> tuple[list[str], int, int]:
        """Find the wrong class that is most often predicted for the images of a class.

        Returns:
            Its name, or several names when they tie, or none without errors; number of these errors; number of all
            errors.
        """
        names = [each.name for each in self.per_class]
        counts = dict(zip(names, self.confusion_matrix[names.index(label)], strict=True))
        del counts[label]
        most = max(counts.values())
        return [name for name, count in counts.items() if count == most > 0], most, sum(counts.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the record as scores.json has it, with the normalized confusion matrix beside the counts."""
        rows = [[round(value, 4) for value in row] for row in self.normalized().tolist()]
        return dataclasses.asdict(self) | {"confusion_matrix_normalized": rows}

    @classmethod
    def from_dict(cls, content: Any, origin: str) -> Self:
        """Parse what `as_dict` returned, from the file `origin`; an InputError names the file."""
        with parsing.as_input_error(f"{origin} has no scores. Remove it and run `modiste evaluate` again."):
            values = {field.name: content[field.name] for field in dataclasses.fields(cls) if field.name in content}
            groups = int(content.get("n_groups") or intervals.FEWEST_GROUPS)
            interval = _parse_interval(content["interval_images"]) if groups >= intervals.FEWEST_GROUPS else None
            values |= {
                "interval_images": interval,  # earlier versions wrote one over any number of groups
                "per_class": tuple(ClassScore(**each) for each in content["per_class"]),
                "confusion_matrix": tuple(tuple(map(int, row)) for row in content["confusion_matrix"]),
                "most_confused": tuple(ConfusedPair(**pair) for pair in content["most_confused"]),
                "worst_mistakes": tuple(map(int, content["worst_mistakes"])),
                "notes": tuple(map(str, content.get("notes", ()))),
            }
            scores = cls(**values)
            if not _is_consistent(scores):
                raise ValueError("figures that contradict one another")
        return scores


def read_scores(path: Path) -> dict[str, Any]:
    """Read a run's scores.json: a record per split, and the number of openings; only 0 of these without a file."""
    content = files.read_json(path) if path.exists() else {}
    if not isinstance(content, dict) or type(content.get(OPENINGS, 0)) is not int:
        raise InputError(f"{path} has no scores. Remove it and run `modiste evaluate` again.")
    return {OPENINGS: 0} | content


def compute_scores(probabilities: NDArray[np.floating[Any]], split: Split, class_names: tuple[str, ...]) -> Scores:
    """Score the probabilities, [n, k], of the n images of a split; each row sums to 1.

    Raises:
        InputError: the shapes do not match, or there is no image.
    """
    n, k = len(split), len(class_names)
    if not n or probabilities.shape != (n, k):
        raise InputError(
            f"The probabilities have shape {list(probabilities.shape)}, but {n} images and {k} classes need {[n, k]}, "
            "with at least one image."
        )
    exact = probabilities.astype(np.float64)
    confidence, predicted = exact.max(1), exact.argmax(1)
    correct = split.is_correct(predicted)
    unambiguous = np.ones(n, bool) if split.candidate_labels is None else split.candidate_labels.sum(1) == 1
    confusion = count_confusions(split.labels[unambiguous], predicted[unambiguous], k)
    per_class = _per_class(confusion, class_names)
    n_groups = None if split.groups is None else len(np.unique(split.groups))
    interval = intervals.accuracy_interval(correct, split.groups)
    is_approximate = intervals.is_approximate(split.groups)
    return Scores(
        split=split.name,
        n=n,
        loss=float(-np.log(split.true_class_probabilities(exact).clip(FLOOR)).mean()) + 0.0,  # not -0.0
        accuracy=float(correct.mean()),
        interval_images=interval,
        ece=calibration_error(confidence, correct),
        per_class=per_class,
        confusion_matrix=tuple(map(tuple, confusion.tolist())),
        most_confused=_most_confused(confusion, class_names),
        worst_mistakes=_worst_mistakes(confidence, correct),
        n_ambiguous=int(n - unambiguous.sum()),
        n_groups=n_groups,
        is_interval_approximate=is_approximate,
        balanced_accuracy=_mean(each.recall for each in per_class),
        macro_f1=_mean(each.f1 for each in per_class),
        brier=brier_score(exact[unambiguous], split.labels[unambiguous]) if unambiguous.any() else None,
        notes=_note_groups(interval, n_groups, is_approximate),
    )


def brier_score(probabilities: NDArray[np.float64], labels: Labels) -> float:
    """Return the mean squared distance of probabilities, [n, k], from the labels, [n], between 0 and 2 (Brier 1950)."""
    return float(((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(1).mean())


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are there."""
    present = [value for value in values if value is not None]
    return fmean(present) if present else None


def calibration_error(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """Return the mean difference of confidence and accuracy over bins of confidence, weighted by predictions, [n]."""
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)  # (0, 1/15], (1/15, 2/15], ...
    expected = np.bincount(bins, weights=confidence, minlength=BINS)
    hits = np.bincount(bins, weights=correct, minlength=BINS)
    return float(np.abs(expected - hits).sum() / len(confidence))


def _parse_interval(content: Any) -> Interval:
    low, high = map(float, content)
    return low, high


def _note_groups(interval: Interval | None, n_groups: int | None, is_approximate: bool) -> tuple[str, ...]:
    """Return a sentence on groups that are too few."""
    if interval is None:
        return (NO_INTERVAL.format(n_groups, intervals.FEWEST_GROUPS),)
    return (APPROXIMATE.format(n_groups),) if is_approximate else ()


def _is_consistent(scores: Scores) -> bool:
    """Whether the confusion matrix is square, has the images and the accuracy of the record, and the loss is finite."""
    counts, classes = scores.confusion_matrix, len(scores.per_class)
    total, diagonal = sum(map(sum, counts)), sum(row[label] for label, row in enumerate(counts))
    if {len(counts), *map(len, counts)} != {classes} or min(map(min, counts)) < 0 or scores.n_ambiguous < 0:
        return False
    if scores.n < 1 or total + scores.n_ambiguous != scores.n or not math.isfinite(scores.loss + scores.ece):
        return False
    return -1e-6 <= scores.accuracy - diagonal / scores.n <= scores.n_ambiguous / scores.n + 1e-6


def count_confusions(labels: Labels, predicted: Labels, k: int) -> NDArray[np.int64]:
    """Return the confusion matrix of k classes: [true, predicted] counts."""
    return np.bincount(labels * k + predicted, minlength=k * k).reshape(k, k)


def _per_class(confusion: NDArray[np.int64], class_names: tuple[str, ...]) -> tuple[ClassScore, ...]:
    hits, support, predicted = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    figures = ((hits, predicted), (hits, support), (2 * hits, support + predicted))
    columns = [[int(n) / int(total) if total else None for n, total in zip(*pair, strict=True)] for pair in figures]
    return tuple(itertools.starmap(ClassScore, zip(class_names, *columns, support.tolist(), strict=True)))


def _most_confused(confusion: NDArray[np.int64], class_names: tuple[str, ...]) -> tuple[ConfusedPair, ...]:
    errors = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-errors, axis=None, kind="stable")[:MAX_PAIRS]
    pairs = [divmod(int(index), len(class_names)) for index in order]
    return tuple(ConfusedPair(class_names[t], class_names[p], int(errors[t, p])) for t, p in pairs if errors[t, p])


def _worst_mistakes(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> tuple[int, ...]:
    errors = np.flatnonzero(~correct)
    order = np.argsort(-confidence[errors], kind="stable")[:MAX_MISTAKES]
    return tuple(errors[order].tolist())
