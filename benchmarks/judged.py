"""What models say of photos that their training has not seen, and the figures that come of it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from photo_folds import UNKNOWN, candidate_labels

from modiste.data.split import Split
from modiste.imaging.preprocess import to_image
from modiste.inference import model_file
from modiste.inference.calibration import Calibration
from modiste.labels import NONE_OF_THESE
from modiste.metrics import calibration, intervals
from modiste.metrics.scores import calibration_error
from modiste.runs.folder import Run

PRECISION = 0.95
"""Share of the labels given that shall be right when "none of these" is counted."""

AT_A_TIME = 64

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """What a model says of photos that its training has not seen.

    Args:
        photos: their paths; the folder of each is its class.
        probabilities: [n, labels], the network's own.
        candidate_labels: bool [n, labels], what each may be called.
        names: of the labels.
    """

    photos: list[Path]
    probabilities: Floats
    candidate_labels: NDArray[np.bool_]
    names: tuple[str, ...]

    @property
    def truth(self) -> Split:
        """What each may be called, as a split without images."""
        images = np.empty((len(self.photos), 0, 0), np.uint8)
        return Split("validation", images, self.candidate_labels.argmax(1).astype(np.int64), self.candidate_labels)

    def calibration(self) -> Calibration:
        """Temperature and threshold that these photos choose, as every model ships with."""
        return calibration.fit_calibration(
            self.probabilities, self.truth, self.names, calibration.find_label_groups(self.candidate_labels)
        )

    def careful(self) -> Calibration:
        """The same with a threshold from which on 95 % of the labels given are right."""
        calibration = self.calibration()
        calibrated = calibration.calibrate(self.probabilities)
        said = calibrated.argmax(1)
        given = said != self.names.index(NONE_OF_THESE)
        least = right_from(calibration.confidence(calibrated)[given], self.truth.is_correct(said)[given])
        return replace(calibration, threshold=least)

    def part(self, chosen: NDArray[np.bool_]) -> "Seen":
        """Some of the photos."""
        photos = [path for path, wanted in zip(self.photos, chosen, strict=True) if wanted]
        return Seen(photos, self.probabilities[chosen], self.candidate_labels[chosen], self.names)

    def of_class(self, *names: str) -> NDArray[np.bool_]:
        """Which of the photos are of these classes."""
        return np.array([path.parent.name in names for path in self.photos])


def seen(run: Run, paths: list[Path]) -> Seen:
    """Show photos to a run's model, by the way in that all pictures take."""
    model = model_file.load(run.model)
    found = []
    for start in range(0, len(paths), AT_A_TIME):
        images = [to_image(path, model.image_size, model.channels) for path in paths[start : start + AT_A_TIME]]
        found.append(model.probabilities(np.stack(images)))
    probabilities = np.concatenate(found).astype(np.float64)
    return Seen(paths, probabilities, candidate_labels(paths, model.class_names), model.class_names)


def pooled(folds_seen: list[Seen]) -> Seen:
    """The photos of all folds, each judged by the run that had not seen it."""
    paths = [path for each in folds_seen for path in each.photos]
    probabilities, may = (
        np.concatenate([getattr(each, key) for each in folds_seen]) for key in ("probabilities", "candidate_labels")
    )
    return Seen(paths, probabilities, may, folds_seen[0].names)


def others(folds_seen: list[Seen]) -> list[Seen]:
    """For each fold all the others, to choose its temperature and threshold; a single one has to choose its own."""
    if len(folds_seen) == 1:
        return folds_seen
    return [pooled([other for other in folds_seen if other is not each]) for each in folds_seen]


def figures(folds_seen: list[Seen]) -> dict[str, Any]:
    """Accuracy, calibration, and how it knows what it does not know, over the photos of all folds."""
    judged, choosers = pooled(folds_seen), others(folds_seen)
    usual = list(zip(folds_seen, [each.calibration() for each in choosers], strict=True))
    careful = list(zip(folds_seen, [each.careful() for each in choosers], strict=True))
    right = judged.truth.is_correct(judged.probabilities.argmax(1))
    sure = np.concatenate(
        [calibration.confidence(calibration.calibrate(each.probabilities)) for each, calibration in usual]
    )
    surest = np.argsort(-sure, kind="stable")[: round(0.8 * len(sure))]
    classes = sorted({path.parent.name for path in judged.photos})
    shipped = judged.calibration()
    return {
        **accuracy(judged),
        "accuracy_of_classes": {name: float(right[judged.of_class(name)].mean()) for name in classes},
        "accuracy_of_surest_80_percent": float(right[surest].mean()),
        "ece": calibration_error(sure, right),
        "at_95_percent_right": answers(judged, np.concatenate([labelled(*each) for each in careful])),
        "as_shipped": answers(judged, np.concatenate([labelled(*each) for each in usual])),
        "temperature": shipped.temperature,
        "threshold": shipped.threshold,
        "threshold_at_95_percent_right": judged.careful().threshold,
        "label_groups": [[judged.names[label] for label in group] for group in shipped.label_groups],
    }


def accuracy(judged: Seen) -> dict[str, Any]:
    """Share of photos whose most probable label is right."""
    right = judged.truth.is_correct(judged.probabilities.argmax(1))
    interval = intervals.wilson_interval(int(right.sum()), len(right))
    return {"images": len(right), "accuracy": float(right.mean()), "interval_images": interval}


def answers(judged: Seen, given: NDArray[np.bool_]) -> dict[str, Any]:
    """What becomes of the photos when only some are given a label and all others "none of these"."""
    right, none = judged.truth.is_correct(judged.probabilities.argmax(1)), judged.of_class(*UNKNOWN)
    answer = np.where(given, right, none)
    return {
        "answered": float(given.mean()),
        "answered_correct": float(right[given].mean()) if given.any() else None,
        "none_recall": float((~given)[none].mean()) if none.any() else None,
        "answers_correct": float(answer.mean()),
        "answers_correct_interval": intervals.wilson_interval(int(answer.sum()), len(answer)),
    }


def labelled(judged: Seen, calibration: Calibration) -> NDArray[np.bool_]:
    """Which photos are given a label."""
    calibrated = calibration.calibrate(judged.probabilities)
    sure: NDArray[np.bool_] = calibration.confidence(calibrated) >= calibration.threshold
    named: NDArray[np.bool_] = calibrated.argmax(1) != judged.names.index(NONE_OF_THESE)
    return sure & named


def right_from(sure: Floats, right: NDArray[np.bool_]) -> float:
    """The lowest confidence from which on 95 % of the labels are right; 1 where no such is."""
    order = np.argsort(-sure, kind="stable")
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    last = np.append(sure[order][1:] < sure[order][:-1], True)  # those equally sure are told label_groups
    enough = np.flatnonzero(last & (shares >= PRECISION))
    return float(sure[order][enough[-1]]) if len(enough) else 1.0
