"""The ranking of labels by probabilities."""

import numpy as np
import pytest

from helpers.scores import split_of
from modiste.metrics.label_quality import rank_labels

CLASSES = 3


def confident(labels: list[int], probability: float = 0.9) -> np.ndarray:
    """Probabilities of models that are sure of these labels."""
    rest = (1 - probability) / (CLASSES - 1)
    return np.where(np.eye(CLASSES)[labels] > 0, probability, rest).astype(np.float32)


def test_the_least_probable_label_comes_first() -> None:
    """Labels that the models contradict are suspects, by confident learning, too."""
    true = [0, 1, 2] * 20
    labels = [*true]
    labels[4], labels[8] = 2, 0
    probabilities = confident(true)
    probabilities[8] = [0.01, 0.01, 0.98]
    quality = rank_labels(split_of(labels), probabilities)
    assert quality.suspects.tolist() == [8, 4]
    assert quality.order[:2].tolist() == [8, 4]
    assert np.flatnonzero(quality.is_issue).tolist() == [4, 8]
    assert quality.suggested[[4, 8]].tolist() == [1, 2]
    assert quality.label_probabilities[8] == pytest.approx(0.01)
    assert quality.suggested_probabilities[8] == pytest.approx(0.98)


def test_of_candidate_labels_the_most_probable_counts() -> None:
    """A shoe that may be two classes is no suspect if the models predict one of them."""
    candidates = np.eye(CLASSES, dtype=bool)[[0, 1, 2] * 20]
    candidates[0] = [True, True, False]
    quality = rank_labels(split_of([0, 1, 2] * 20, candidates), confident([1, *([0, 1, 2] * 20)[1:]]))
    assert quality.labels[0] == 1
    assert len(quality.suspects) == 0


def test_a_split_may_lack_classes() -> None:
    """A test split of one class has no wrong labels if the models agree."""
    quality = rank_labels(split_of([1] * 30), confident([1] * 30))
    assert len(quality.suspects) == 0
    assert not quality.is_issue.any()
