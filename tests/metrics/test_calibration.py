"""Temperature and threshold, on probabilities of which the answer is known."""

import numpy as np
import pytest

from modiste.data.split import Split
from modiste.inference import calibration as inference_calibration
from modiste.inference.calibration import Calibration
from modiste.labels import NONE_OF_THESE
from modiste.metrics import calibration
from modiste.metrics.scores import calibration_error

NAMES = ("boot", "shirt", "sneaker", NONE_OF_THESE)


def drawn(n: int, bold: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right as often as they say, made bolder by dividing their logits by `bold`; and labels."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (n, 4))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([random.choice(4, p=row) for row in true])
    return Calibration(bold).calibrate(true), labels


def split(labels: np.ndarray, candidate_labels: np.ndarray | None = None) -> Split:
    """Held out images of which only the labels count."""
    return Split("validation", np.zeros((len(labels), 1, 1), np.uint8), labels, candidate_labels)


@pytest.mark.parametrize("bold", [0.5, 1.0, 2.0])
def test_the_temperature_undoes_what_was_done(bold: float) -> None:
    """Logits that were divided by something are multiplied by it, and the calibration error goes down."""
    probabilities, labels = drawn(20_000, bold)
    found = calibration.fit_calibration(probabilities, split(labels), (*NAMES[:3], "hat"))
    assert found.temperature == pytest.approx(1 / bold, rel=0.05)
    assert found.threshold == 0
    right = probabilities.argmax(1) == labels
    assert calibration_error(found.calibrate(probabilities).max(1), right) < 0.02


def test_labels_that_may_be_several_are_right_together() -> None:
    """Where the truth is one of two, the sum of both is what has to fit."""
    probabilities, labels = drawn(20_000, 2.0)
    kin = (labels == 0) | (labels == 2)
    candidate_labels = np.eye(4, dtype=bool)[labels]
    candidate_labels[kin] |= [True, False, True, False]
    found = calibration.fit_calibration(
        probabilities, split(labels, candidate_labels), NAMES, calibration.find_label_groups(candidate_labels)
    )
    assert found.label_groups == ((0, 2),)
    assert found.temperature == pytest.approx(0.5, rel=0.1)


def test_groups_that_share_a_label_are_one() -> None:
    """What cannot be told from a second label, nor that from a third, are all label_groups, and a model file can say so."""
    candidate_labels = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 1, 1], [0, 1, 1, 0, 0], [1, 0, 0, 0, 0]], bool)
    found = calibration.find_label_groups(candidate_labels)
    assert sorted(found) == [(0, 1, 2), (3, 4)]
    labels = tuple("abcde")
    assert (
        inference_calibration.from_metadata(Calibration(label_groups=found).to_metadata(labels), labels).label_groups
        == found
    )
    assert calibration.find_label_groups(None) == calibration.find_label_groups(np.eye(3, dtype=bool)) == ()


def test_few_images_say_nothing() -> None:
    """Nobody becomes sure of everything for being right ten times."""
    probabilities, labels = drawn(calibration.FEWEST - 1, 2.0)
    assert calibration.fit_calibration(probabilities, split(labels), NAMES) == Calibration()


def test_the_threshold_leaves_most_answers_right() -> None:
    """It is the highest such, takes those equally sure label_groups, and is 0 where every label helps."""
    sure = np.array([0.9, 0.2, 0.3, 0.5, 0.4])
    right = np.array([True, False, False, True, False])
    none_right = np.array([False, True, False, False, True])
    assert calibration.fit_threshold(sure, right, none_right) == 0.5
    assert calibration.fit_threshold(sure[:4], right[:4], none_right[:4]) == 0.5  # 0.3 would be as good
    assert calibration.fit_threshold(np.full(5, 0.4), right, none_right) == 0
    assert calibration.fit_threshold(sure, np.ones(5, bool), np.zeros(5, bool)) == 0


def test_who_can_say_none_gets_a_threshold() -> None:
    """It is worth more right answers than no threshold, and than others."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 20_000)
    odd = labels == 3  # the network has hardly heard of these
    logits = random.normal(0, 1, (20_000, 4)) + 4 * np.eye(4)[labels] * ~odd[:, None] - [0, 0, 0, 3]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    found = calibration.fit_calibration(probabilities, split(labels), NAMES)
    calibrated = found.calibrate(probabilities)
    said, sure = calibrated.argmax(1), found.confidence(calibrated)

    def right(threshold: float) -> float:
        return float((np.where(sure < threshold, 3, said) == labels).mean())

    assert found.threshold > 0.3
    assert right(found.threshold) > right(0) + 0.05
    assert all(right(found.threshold) >= right(other) for other in np.linspace(0, 1, 101))
