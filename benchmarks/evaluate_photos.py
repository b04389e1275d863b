"""Evaluate models on photos that they were not trained on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from photo_folds import OTHER_CLASSES, candidate_labels

from modiste.data.split import Split
from modiste.inference import model_file
from modiste.inference.calibration import Calibration
from modiste.labels import NONE_OF_THESE
from modiste.metrics import calibration, intervals
from modiste.metrics.scores import calibration_error
from modiste.runs.folder import Run

PRECISION = 0.95
"""Fraction of the answered photos that shall be correct where the rate of "none of these" is measured."""

BATCH = 64

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PhotoPredictions:
    """The predictions of a model for photos that it was not trained on.

    Args:
        photos: paths; the folder of each is its class.
        probabilities: [n, labels], without temperature.
        candidate_labels: bool [n, labels], the accepted labels of each photo.
        class_names: names of the labels.
    """

    photos: list[Path]
    probabilities: Floats
    candidate_labels: NDArray[np.bool_]
    class_names: tuple[str, ...]

    @property
    def split(self) -> Split:
        """The labels as a split without images."""
        images = np.empty((len(self.photos), 0, 0), np.uint8)
        return Split("validation", images, self.candidate_labels.argmax(1).astype(np.int64), self.candidate_labels)

    @property
    def is_correct(self) -> NDArray[np.bool_]:
        """Whether the most probable label of each photo is an accepted one: bool [n]."""
        return self.split.is_correct(self.probabilities.argmax(1))

    def fit_calibration(self) -> Calibration:
        """Fit temperature and threshold on these photos, as for every exported model."""
        label_groups = calibration.find_label_groups(self.candidate_labels)
        return calibration.fit_calibration(self.probabilities, self.split, self.class_names, label_groups)

    def fit_precise_calibration(self) -> Calibration:
        """Fit the temperature, and the lowest threshold at which 95 % of the answered photos are correct."""
        fitted = self.fit_calibration()
        calibrated = fitted.calibrate(self.probabilities)
        predicted = calibrated.argmax(1)
        has_label = predicted != self.class_names.index(NONE_OF_THESE)
        confidence, is_correct = fitted.confidence(calibrated), self.split.is_correct(predicted)
        return replace(fitted, threshold=threshold_for_precision(confidence[has_label], is_correct[has_label]))

    def subset(self, mask: NDArray[np.bool_]) -> "PhotoPredictions":
        """Return the predictions of some photos, bool [n]."""
        photos = [path for path, is_selected in zip(self.photos, mask, strict=True) if is_selected]
        return PhotoPredictions(photos, self.probabilities[mask], self.candidate_labels[mask], self.class_names)

    def has_class(self, *names: str) -> NDArray[np.bool_]:
        """Return which photos are of one of these classes: bool [n]."""
        return np.array([path.parent.name in names for path in self.photos])


def predict_photos(run: Run, paths: list[Path]) -> PhotoPredictions:
    """Predict photos with the model of a run."""
    model = model_file.load(run.model)
    batches = []
    for start in range(0, len(paths), BATCH):
        images = [model.preprocess(path)[1] for path in paths[start : start + BATCH]]
        batches.append(model.probabilities(np.stack(images)))
    probabilities = np.concatenate(batches).astype(np.float64)
    return PhotoPredictions(paths, probabilities, candidate_labels(paths, model.class_names), model.class_names)


def concatenate(folds: list[PhotoPredictions]) -> PhotoPredictions:
    """Return the predictions of all folds, each by the run that was not trained on it."""
    paths = [path for fold in folds for path in fold.photos]
    probabilities = np.concatenate([fold.probabilities for fold in folds])
    labels = np.concatenate([fold.candidate_labels for fold in folds])
    return PhotoPredictions(paths, probabilities, labels, folds[0].class_names)


def other_folds(folds: list[PhotoPredictions]) -> list[PhotoPredictions]:
    """Return for each fold all the others, on which its calibration is fitted; a single fold is its own."""
    if len(folds) == 1:
        return folds
    return [concatenate([other for other in folds if other is not fold]) for fold in folds]


def summarize(folds: list[PhotoPredictions], senders: Mapping[Path, str] | None = None) -> dict[str, Any]:
    """Return accuracy, calibration error and rates of "none of these" over all folds; `senders` as in `accuracy`."""
    pooled, references = concatenate(folds), other_folds(folds)
    groups = sender_groups(pooled, senders)
    calibrated = list(zip(folds, [each.fit_calibration() for each in references], strict=True))
    precise = list(zip(folds, [each.fit_precise_calibration() for each in references], strict=True))
    is_correct = pooled.is_correct
    confidence = np.concatenate(
        [fitted.confidence(fitted.calibrate(fold.probabilities)) for fold, fitted in calibrated]
    )
    most_confident = np.argsort(-confidence, kind="stable")[: round(0.8 * len(confidence))]
    classes = sorted({path.parent.name for path in pooled.photos})
    shipped = pooled.fit_calibration()
    return {
        **accuracy(pooled, senders),
        "accuracy_of_classes": {name: float(is_correct[pooled.has_class(name)].mean()) for name in classes},
        "accuracy_of_surest_80_percent": float(is_correct[most_confident].mean()),
        "ece": calibration_error(confidence, is_correct),
        "at_95_percent_right": answer_rates(pooled, np.concatenate([is_answered(*each) for each in precise]), groups),
        "as_shipped": answer_rates(pooled, np.concatenate([is_answered(*each) for each in calibrated]), groups),
        "temperature": shipped.temperature,
        "threshold": shipped.threshold,
        "threshold_at_95_percent_right": pooled.fit_precise_calibration().threshold,
        "label_groups": [[pooled.class_names[label] for label in group] for group in shipped.label_groups],
    }


def accuracy(predictions: PhotoPredictions, senders: Mapping[Path, str] | None = None) -> dict[str, Any]:
    """Return the fraction of photos whose most probable label is correct, with its interval.

    Args:
        predictions: of photos.
        senders: by resolved path, resampled with all their photos for the interval; None: photos are independent.
    """
    is_correct, groups = predictions.is_correct, sender_groups(predictions, senders)
    interval = intervals.accuracy_interval(is_correct, groups)
    counts = {"images": len(is_correct)} | ({} if groups is None else {"groups": len(np.unique(groups))})
    return counts | {"accuracy": float(is_correct.mean()), "interval_images": interval}


def sender_groups(predictions: PhotoPredictions, senders: Mapping[Path, str] | None) -> NDArray[np.int64] | None:
    """Return a number for the sender of each photo: int64 [n]; None without `senders`, which are as in `accuracy`."""
    if senders is None:
        return None
    return np.unique([senders[path.resolve()] for path in predictions.photos], return_inverse=True)[1]


def answer_rates(
    predictions: PhotoPredictions, answered: NDArray[np.bool_], groups: NDArray[np.int64] | None
) -> dict[str, Any]:
    """Return the rates when the answered photos, bool [n], get their label and all others "none of these".

    The interval resamples `groups`, int64 [n]; None: photos are independent.
    """
    is_correct, is_none = predictions.is_correct, predictions.has_class(*OTHER_CLASSES)
    answer_correct = np.where(answered, is_correct, is_none)
    return {
        "answered": float(answered.mean()),
        "answered_correct": float(is_correct[answered].mean()) if answered.any() else None,
        "none_recall": float((~answered)[is_none].mean()) if is_none.any() else None,
        "answers_correct": float(answer_correct.mean()),
        "answers_correct_interval": intervals.accuracy_interval(answer_correct, groups),
    }


def is_answered(predictions: PhotoPredictions, fitted: Calibration) -> NDArray[np.bool_]:
    """Return which photos get a label other than "none of these": bool [n]."""
    calibrated = fitted.calibrate(predictions.probabilities)
    is_confident: NDArray[np.bool_] = fitted.confidence(calibrated) >= fitted.threshold
    has_label: NDArray[np.bool_] = calibrated.argmax(1) != predictions.class_names.index(NONE_OF_THESE)
    return is_confident & has_label


def threshold_for_precision(confidence: Floats, is_correct: NDArray[np.bool_]) -> float:
    """Return the lowest confidence from which on 95 % of the labels are correct; 1 if there is none."""
    order = np.argsort(-confidence, kind="stable")
    precision = np.cumsum(is_correct[order]) / np.arange(1, len(order) + 1)
    is_last = np.append(confidence[order][1:] < confidence[order][:-1], True)  # of photos with equal confidence
    reached = np.flatnonzero(is_last & (precision >= PRECISION))
    return float(confidence[order][reached[-1]]) if len(reached) else 1.0
