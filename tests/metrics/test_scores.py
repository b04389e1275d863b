"""The scorer."""

import json
import math

import numpy as np
import pytest

from modiste.errors import InputError
from modiste.metrics.scores import Confused, Scores, calibration_error, compute_scores

NAMES = ("bag", "coat", "dress")
LABELS = np.array([0, 0, 1, 1, 1])
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.1, 0.7, 0.2], [0.9, 0.05, 0.05], [0.3, 0.1, 0.6]], np.float32
)


def test_figures_are_those_worked_out_by_hand() -> None:
    """Three of five right; loss, precision, recall and F1 as on paper."""
    found = compute_scores(PROBABILITIES, LABELS, NAMES, "test")
    assert found.n == 5
    assert found.accuracy == pytest.approx(0.6)
    assert found.loss == pytest.approx(-sum(map(math.log, (0.8, 0.6, 0.7, 0.05, 0.1))) / 5, abs=1e-6)
    bag, coat, _ = found.per_class
    assert (bag.precision, bag.recall, bag.f1, bag.support) == pytest.approx((2 / 3, 1, 0.8, 2))
    assert (coat.precision, coat.recall, coat.support) == pytest.approx((1, 1 / 3, 3))


def test_a_label_without_images_has_no_recall() -> None:
    """What cannot be computed is None, not 0."""
    dress = compute_scores(PROBABILITIES, LABELS, NAMES, "test").per_class[2]
    assert dress.recall is None
    assert dress.precision == 0


def test_confusion_has_the_truth_in_rows() -> None:
    """Rows are true labels; the normalized rows sum to 1, or to 0 where there is no image."""
    found = compute_scores(PROBABILITIES, LABELS, NAMES, "test")
    assert found.confusion_matrix == ((2, 0, 0), (1, 1, 1), (0, 0, 0))
    assert found.normalized().sum(1).tolist() == pytest.approx([1, 1, 0])
    assert found.most_confused == (Confused("coat", "bag", 1), Confused("coat", "dress", 1))


def test_worst_is_the_surest_mistake() -> None:
    """The wrong image with the highest probability comes first."""
    assert compute_scores(PROBABILITIES, LABELS, NAMES, "test").worst_mistakes == (3, 4)


def test_a_probability_of_zero_costs_no_infinity() -> None:
    """A method that gave the truth no chance is scored, dearly."""
    found = compute_scores(np.array([[0.0, 1.0, 0.0]]), np.array([0]), NAMES, "test")
    assert 80 < found.loss < 100


def test_calibration_error_is_the_gap() -> None:
    """Always 90 % sure and right half of the time is off by 0.4; sure and right is not off."""
    assert calibration_error(np.full(4, 0.9), np.array([True, False, True, False])) == pytest.approx(0.4)
    assert calibration_error(np.ones(3), np.ones(3, bool)) == 0


def test_scores_go_through_json_unchanged() -> None:
    """What is written reads back to an equal record."""
    found = compute_scores(PROBABILITIES, LABELS, NAMES, "test")
    assert Scores.from_dict(json.loads(json.dumps(found.as_dict(), allow_nan=False)), "here") == found


def test_something_else_is_no_scores() -> None:
    """A file that lacks fields is refused with its name."""
    with pytest.raises(InputError, match=r"^scores\.json holds no scores"):
        Scores.from_dict({"accuracy": 1}, "scores.json")


@pytest.mark.parametrize("shape", [(5, 2), (4, 3), (0, 3)])
def test_shapes_must_belong_together(shape: tuple[int, int]) -> None:
    """Other images or labels than those of the split are refused."""
    with pytest.raises(InputError, match="need"):
        compute_scores(np.full(shape, 0.5), LABELS, NAMES, "test")
