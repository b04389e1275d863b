"""Fit the temperature and the threshold of a model on its validation split."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modiste.data.split import CandidateLabels, Split
from modiste.inference.calibration import FLOOR, Calibration, LabelGroups
from modiste.labels import NONE_OF_THESE

MIN_IMAGES = 100
"""Fewer images, or predictions of a class, are not fitted to: a model without errors would get full confidence."""

TEMPERATURE_RANGE = 0.25, 4.0

Floats = NDArray[np.floating[Any]]


def fit_calibration(
    probabilities: Floats,
    validation: Split,
    class_names: tuple[str, ...],
    label_groups: LabelGroups = (),
) -> Calibration:
    """Fit the temperature, and with a class "none of these" the threshold, to the network's probabilities, [n, k]."""
    if len(validation) < MIN_IMAGES:
        return Calibration(label_groups=label_groups)
    calibration = Calibration(fit_temperature(probabilities, validation), label_groups=label_groups)
    if NONE_OF_THESE not in class_names:
        return calibration
    calibrated, none = calibration.calibrate(probabilities), class_names.index(NONE_OF_THESE)
    predicted = calibrated.argmax(1)
    is_class = predicted != none
    if is_class.sum() < MIN_IMAGES:
        return calibration
    correct, none_correct = validation.is_correct(predicted), validation.is_correct(np.full_like(predicted, none))
    confidence = calibration.confidence(calibrated)
    threshold = fit_threshold(confidence[is_class], correct[is_class], none_correct[is_class])
    return Calibration(calibration.temperature, threshold, label_groups)


def fit_temperature(probabilities: Floats, validation: Split) -> float:
    """Return the temperature within `TEMPERATURE_RANGE` with the least cross-entropy (Guo et al. 2017, section 4.2)."""
    from scipy.optimize import minimize_scalar  # a training without validation images does not wait for this import

    def loss(log_temperature: float) -> float:
        calibrated = Calibration(float(np.exp(log_temperature))).calibrate(probabilities)
        return float(-np.log(validation.true_class_probabilities(calibrated).clip(FLOOR)).mean())

    result = minimize_scalar(loss, bounds=np.log(TEMPERATURE_RANGE), method="bounded")
    return round(float(np.exp(result.x)), 4)


def fit_threshold(confidence: Floats, correct: NDArray[np.bool_], none_correct: NDArray[np.bool_]) -> float:
    """Return the confidence below which to predict "none of these", so that most predictions are correct.

    All thresholds between two confidences are tried, each error costs the same (Chow 1970); of equally good ones the
    highest is returned, and 0 where no threshold is better than none. All arguments, [n], are of predictions of a
    class: their confidence, whether they are correct, and whether "none of these" would be correct.
    """
    order = np.argsort(confidence, kind="stable")
    gains = np.cumsum((none_correct.astype(int) - correct)[order])
    gain_below = np.append(0.0, gains[:-1])  # correct predictions gained by abstaining from all that are less confident
    ordered = confidence[order]
    gain_below[1:][ordered[1:] == ordered[:-1]] = -np.inf  # no threshold between equal ones
    best = len(ordered) - 1 - int(gain_below[::-1].argmax())
    return float(ordered[best]) if best else 0.0


def find_label_groups(candidate_labels: CandidateLabels | None) -> LabelGroups:
    """Return the groups of classes that are candidate labels of one image; groups that share a class are merged."""
    groups: list[set[int]] = []
    for row in [] if candidate_labels is None else np.unique(candidate_labels[candidate_labels.sum(1) > 1], axis=0):
        group = set(np.flatnonzero(row).tolist())
        group.update(*(other for other in groups if other & group))
        groups = [other for other in groups if not other & group] + [group]
    return tuple(tuple(sorted(group)) for group in groups)
