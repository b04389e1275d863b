"""Temperature and threshold of a model, chosen on the images that its training held out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modiste.data.split import CandidateLabels, Split
from modiste.inference.calibration import FLOOR, Calibration, LabelGroups
from modiste.labels import NONE_OF_THESE

FEWEST = 100
"""Images, and labels given; fewer say too little: who is right on all of them would end up sure of everything."""

COLDEST, HOTTEST = 0.25, 4.0

Floats = NDArray[np.floating[Any]]


def fit_calibration(
    probabilities: Floats, held_out: Split, names: tuple[str, ...], label_groups: LabelGroups = ()
) -> Calibration:
    """Choose the temperature, and the threshold where "none of these" is a label.

    Args:
        probabilities: [n, labels], the network's own.
        held_out: the images they are of.
        names: of the labels.
        label_groups: as `Calibration`.
    """
    if len(held_out) < FEWEST:
        return Calibration(label_groups=label_groups)
    calibration = Calibration(fit_temperature(probabilities, held_out), label_groups=label_groups)
    if NONE_OF_THESE not in names:
        return calibration
    calibrated, none = calibration.calibrate(probabilities), names.index(NONE_OF_THESE)
    said = calibrated.argmax(1)
    given = said != none
    if given.sum() < FEWEST:
        return calibration
    right, none_right = held_out.is_correct(said), held_out.is_correct(np.full(len(said), none))
    chosen = fit_threshold(calibration.confidence(calibrated)[given], right[given], none_right[given])
    return Calibration(calibration.temperature, chosen, label_groups)


def fit_temperature(probabilities: Floats, held_out: Split) -> float:
    """The one of least cross-entropy, within a quarter and four."""
    from scipy.optimize import minimize_scalar  # here, as a training that holds nothing out does not wait for it

    def loss(logarithm: float) -> float:
        calibrated = Calibration(float(np.exp(logarithm))).calibrate(probabilities)
        return float(-np.log(held_out.likelihood(calibrated).clip(FLOOR)).mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return round(float(np.exp(found.x)), 4)


def fit_threshold(sure: Floats, right: NDArray[np.bool_], none_right: NDArray[np.bool_]) -> float:
    """The confidence below which "none of these" is said, so that most answers are right; of several such, the highest.

    Args:
        sure: [n], of labels, each the most probable one.
        right: [n], whether it is right.
        none_right: [n], whether "none of these" would be.
    """
    order = np.argsort(sure, kind="stable")
    gained = np.cumsum(none_right[order].astype(int) - right[order])
    before = np.append(0, gained[:-1])  # by saying it of all that are less sure
    before[1:][sure[order][1:] == sure[order][:-1]] = -len(sure)  # those equally sure are told label_groups
    best = len(before) - 1 - int(before[::-1].argmax())
    return float(sure[order][best]) if best else 0.0


def find_label_groups(candidate_labels: CandidateLabels | None) -> LabelGroups:
    """The groups of labels of which images were said to have one or another; those that share a label are one."""
    groups: list[set[int]] = []
    for row in [] if candidate_labels is None else np.unique(candidate_labels[candidate_labels.sum(1) > 1], axis=0):
        group = set(np.flatnonzero(row).tolist())
        group.update(*(other for other in groups if other & group))
        groups = [other for other in groups if not other & group] + [group]
    return tuple(tuple(sorted(group)) for group in groups)
