"""Temperature and threshold, on probabilities whose correct ones are computed."""

import numpy as np
import pytest

from helpers.scores import split_of
from modiste.inference import calibration as inference_calibration
from modiste.inference.calibration import Calibration
from modiste.labels import NONE_OF_THESE
from modiste.metrics import calibration
from modiste.metrics.scores import calibration_error

NAMES = ("boot", "shirt", "sneaker", NONE_OF_THESE)


def drawn(n: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are correct as often as they state, with logits then divided by `sharpness`; and labels."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (n, 4))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([random.choice(4, p=row) for row in true])
    return Calibration(sharpness).calibrate(true), labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.0])
def test_temperature_restores_scaled_logits(sharpness: float) -> None:
    """Logits that were divided by something are multiplied by it, and the calibration error goes down."""
    probabilities, labels = drawn(20_000, sharpness)
    fitted = calibration.fit_calibration(probabilities, split_of(labels), (*NAMES[:3], "hat"))
    assert fitted.temperature == pytest.approx(1 / sharpness, rel=0.05)
    assert fitted.threshold == 0
    correct = probabilities.argmax(1) == labels
    assert calibration_error(fitted.calibrate(probabilities).max(1), correct) < 0.02


def test_candidate_labels_are_correct_as_a_group() -> None:
    """Where the truth is one of two, the sum of both is what has to fit."""
    probabilities, labels = drawn(20_000, 2.0)
    kin = (labels == 0) | (labels == 2)
    candidate_labels = np.eye(4, dtype=bool)[labels]
    candidate_labels[kin] |= [True, False, True, False]
    fitted = calibration.fit_calibration(
        probabilities, split_of(labels, candidate_labels), NAMES, calibration.find_label_groups(candidate_labels)
    )
    assert fitted.label_groups == ((0, 2),)
    assert fitted.temperature == pytest.approx(0.5, rel=0.1)


def test_groups_that_share_a_label_are_one() -> None:
    """Classes that are candidates with a second one, which is with a third, are one group; a model file can hold it."""
    candidate_labels = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 1, 1], [0, 1, 1, 0, 0], [1, 0, 0, 0, 0]], bool)
    fitted = calibration.find_label_groups(candidate_labels)
    assert sorted(fitted) == [(0, 1, 2), (3, 4)]
    labels = tuple("abcde")
    assert (
        inference_calibration.from_metadata(Calibration(label_groups=fitted).to_metadata(labels), labels).label_groups
        == fitted
    )
    assert calibration.find_label_groups(None) == calibration.find_label_groups(np.eye(3, dtype=bool)) == ()


def test_few_images_fit_nothing() -> None:
    """A model that is correct on ten images does not become certain."""
    probabilities, labels = drawn(calibration.MIN_IMAGES - 1, 2.0)
    assert calibration.fit_calibration(probabilities, split_of(labels), NAMES) == Calibration()


def test_the_threshold_leaves_most_predictions_correct() -> None:
    """It is the highest such, does not separate equal confidences, and is 0 where every prediction of a class helps."""
    confidence = np.array([0.9, 0.2, 0.3, 0.5, 0.4])
    correct = np.array([True, False, False, True, False])
    none_correct = np.array([False, True, False, False, True])
    assert calibration.fit_threshold(confidence, correct, none_correct) == 0.5
    assert calibration.fit_threshold(confidence[:4], correct[:4], none_correct[:4]) == 0.5  # so would be 0.3
    assert calibration.fit_threshold(np.full(5, 0.4), correct, none_correct) == 0
    assert calibration.fit_threshold(confidence, np.ones(5, bool), np.zeros(5, bool)) == 0


def test_models_with_none_of_these_get_a_threshold() -> None:
    """It gives more correct predictions than no threshold, and than any other."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 20_000)
    odd = labels == 3  # the network rarely predicts these
    logits = random.normal(0, 1, (20_000, 4)) + 4 * np.eye(4)[labels] * ~odd[:, None] - [0, 0, 0, 3]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    fitted = calibration.fit_calibration(probabilities, split_of(labels), NAMES)
    calibrated = fitted.calibrate(probabilities)
    predicted, confidence = calibrated.argmax(1), fitted.confidence(calibrated)

    def correct(threshold: float) -> float:
        return float((np.where(confidence < threshold, 3, predicted) == labels).mean())

    assert fitted.threshold > 0.3
    assert correct(fitted.threshold) > correct(0) + 0.05
    assert all(correct(fitted.threshold) >= correct(other) for other in np.linspace(0, 1, 101))
