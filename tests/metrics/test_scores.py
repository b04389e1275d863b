"""Scores of probabilities."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_recall_fscore_support

from helpers.scores import compute_scores
from modiste.errors import InputError
from modiste.metrics.scores import ConfusedPair, Scores, calibration_error

NAMES = ("bag", "coat", "dress")
LABELS = np.array([0, 0, 1, 1, 1])
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.1, 0.7, 0.2], [0.9, 0.05, 0.05], [0.3, 0.1, 0.6]], np.float32
)


def test_scores_equal_a_calculation_by_hand() -> None:
    """Accuracy, loss, precision, recall, F1 and support of five images."""
    scores = compute_scores(PROBABILITIES, LABELS, NAMES, "test")
    assert scores.n == 5
    assert scores.accuracy == pytest.approx(0.6)
    assert scores.loss == pytest.approx(-sum(map(math.log, (0.8, 0.6, 0.7, 0.05, 0.1))) / 5, abs=1e-6)
    bag, coat, _ = scores.per_class
    assert (bag.precision, bag.recall, bag.f1, bag.support) == pytest.approx((2 / 3, 1, 0.8, 2))
    assert (coat.precision, coat.recall, coat.support) == pytest.approx((1, 1 / 3, 3))


def test_a_class_without_images_has_no_recall() -> None:
    """It is None, not 0."""
    dress = compute_scores(PROBABILITIES, LABELS, NAMES, "test").per_class[2]
    assert dress.recall is None
    assert dress.precision == 0


def test_rows_of_the_confusion_matrix_are_true_labels() -> None:
    """Normalized rows sum to 1, or to 0 for a class without images."""
    scores = compute_scores(PROBABILITIES, LABELS, NAMES, "test")
    assert scores.confusion_matrix == ((2, 0, 0), (1, 1, 1), (0, 0, 0))
    assert scores.normalized().sum(1).tolist() == pytest.approx([1, 1, 0])
    assert scores.most_confused == (ConfusedPair("coat", "bag", 1), ConfusedPair("coat", "dress", 1))


def test_the_worst_mistakes_are_sorted_by_confidence() -> None:
    """The wrong image with the highest probability comes first."""
    assert compute_scores(PROBABILITIES, LABELS, NAMES, "test").worst_mistakes == (3, 4)


def test_the_loss_of_perfect_probabilities_is_0() -> None:
    """It is not -0.0, which would be printed with its sign."""
    assert str(compute_scores(np.eye(3)[LABELS], LABELS, NAMES, "test").loss) == "0.0"


def test_the_loss_of_a_probability_of_0_is_finite() -> None:
    """Probabilities are clipped to a lower bound."""
    scores = compute_scores(np.array([[0.0, 1.0, 0.0]]), np.array([0]), NAMES, "test")
    assert 80 < scores.loss < 100


def test_calibration_error_is_confidence_minus_accuracy() -> None:
    """It is 0.4 for a confidence of 90 % and an accuracy of 50 %, and 0 where all are certain and correct."""
    assert calibration_error(np.full(4, 0.9), np.array([True, False, True, False])) == pytest.approx(0.4)
    assert calibration_error(np.ones(3), np.ones(3, bool)) == 0


CANDIDATES = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 1, 0], [0, 1, 1]], bool)


def test_support_does_not_depend_on_the_prediction() -> None:
    """Images with several candidate labels are left out of the scores by class, whatever is predicted for them."""
    for probabilities in (PROBABILITIES, PROBABILITIES[:, ::-1], np.full((5, 3), 1 / 3)):
        scores = compute_scores(probabilities, CANDIDATES.argmax(1), NAMES, "test", CANDIDATES)
        assert [each.support for each in scores.per_class] == [1, 1, 0]
        assert (scores.n, scores.n_ambiguous) == (5, 3)
        assert Scores.from_dict(scores.as_dict(), "here") == scores


def test_each_candidate_label_is_correct() -> None:
    """The accuracy counts all images; the probability of an image is the sum over its candidates."""
    scores = compute_scores(PROBABILITIES, CANDIDATES.argmax(1), NAMES, "test", CANDIDATES)
    assert scores.accuracy == 1
    assert scores.confusion_matrix == ((1, 0, 0), (0, 1, 0), (0, 0, 0))
    assert scores.loss == pytest.approx(-sum(map(math.log, (0.8, 0.8, 0.7, 0.95, 0.7))) / 5, abs=1e-6)


def test_a_split_of_ambiguous_images_alone_has_scores() -> None:
    """No class has support, and nothing is divided by zero."""
    scores = compute_scores(PROBABILITIES, LABELS, NAMES, "test", np.ones((5, 3), bool))
    assert (scores.accuracy, scores.n_ambiguous) == (1, 5)
    assert [each.recall for each in scores.per_class] == [None] * 3
    assert (scores.lowest_recall(), scores.most_confused) == ((), ())


def test_groups_widen_the_interval() -> None:
    """Images of one group count as the same image, and the number of groups is recorded."""
    probabilities, labels = np.eye(2)[np.repeat([0, 1, 0, 0] * 2, 25)], np.zeros(200, np.int64)
    scores = compute_scores(probabilities, labels, ("a", "b"), "test", groups=np.repeat(np.arange(7, 15), 25))
    low, high = compute_scores(probabilities, labels, ("a", "b"), "test").interval_images
    assert scores.n_groups == 8
    assert scores.interval_images[0] < low < high < scores.interval_images[1]


def test_a_tie_of_recalls_is_a_tie() -> None:
    """All classes of the highest or lowest recall are named; classes without images are not."""
    scores = compute_scores(np.eye(4)[[0, 1, 0, 2]], np.array([0, 1, 2, 2]), ("a", "b", "c", "d"), "test")
    assert [each.name for each in scores.highest_recall()] == ["a", "b"]
    assert [each.name for each in scores.lowest_recall()] == ["c"]


def test_scores_are_read_as_they_were_written() -> None:
    """Through JSON."""
    scores = compute_scores(PROBABILITIES, LABELS, NAMES, "test", groups=np.arange(5))
    scores = replace(scores, notes=("one",), chosen_on_split=True)
    assert Scores.from_dict(json.loads(json.dumps(scores.as_dict(), allow_nan=False)), "here") == scores


def test_a_file_without_scores_is_refused() -> None:
    """The error names the file."""
    with pytest.raises(InputError, match=r"^scores\.json has no scores"):
        Scores.from_dict({"accuracy": 1}, "scores.json")


@pytest.mark.parametrize("shape", [(5, 2), (4, 3), (0, 3)])
def test_probabilities_of_another_shape_are_refused(shape: tuple[int, int]) -> None:
    """The number of images or classes differs from that of the split."""
    with pytest.raises(InputError, match="need"):
        compute_scores(np.full(shape, 0.5), LABELS, NAMES, "test")


@pytest.mark.parametrize("k", [2, 10])
def test_scores_by_class_equal_those_of_scikit_learn(k: int) -> None:
    """They are bit-identical, also for classes without images or predictions."""
    random = np.random.default_rng(k)
    labels, probabilities = random.integers(0, k, 12), random.dirichlet(np.ones(k), 12)
    scores = compute_scores(probabilities, labels, tuple(map(str, range(k))), "test")
    expected = precision_recall_fscore_support(labels, probabilities.argmax(1), labels=range(k), zero_division=np.nan)
    figures = [[each.precision, each.recall, each.f1, each.support] for each in scores.per_class]
    assert np.array_equal(np.array(figures, float), np.transpose(expected), equal_nan=True)


def test_the_scores_beside_accuracy_equal_those_of_scikit_learn() -> None:
    """Balanced accuracy and macro F1; the Brier score is calculated by hand."""
    random = np.random.default_rng(0)
    probabilities, labels = random.dirichlet(np.ones(3), 200), random.choice(3, 200, p=(0.6, 0.3, 0.1))
    scores, predicted = compute_scores(probabilities, labels, NAMES), probabilities.argmax(1)
    assert scores.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert scores.macro_f1 == pytest.approx(f1_score(labels, predicted, average="macro"))
    distances = [
        sum((p - (k == label)) ** 2 for k, p in enumerate(row))
        for row, label in zip(probabilities, labels, strict=True)
    ]
    assert scores.brier == pytest.approx(sum(distances) / 200)


def test_images_without_one_true_class_have_no_class_scores() -> None:
    """All have several candidate labels."""
    scores = compute_scores(np.full((2, 3), 1 / 3), np.array([0, 1]), NAMES, candidate_labels=np.ones((2, 3), bool))
    assert (scores.balanced_accuracy, scores.brier) == (None, None)


def test_an_interval_over_few_groups_is_marked_as_approximate() -> None:
    """In the record and in a note."""
    probabilities, labels = np.tile(PROBABILITIES, (12, 1)), np.tile(LABELS, 12)
    few, many = (compute_scores(probabilities, labels, NAMES, groups=np.arange(60) // size) for size in (5, 2))
    assert few.is_interval_approximate
    assert "12 groups" in few.notes[0]
    assert not many.is_interval_approximate
    assert Scores.from_dict(json.loads(json.dumps(few.as_dict())), "here") == few


def test_there_is_no_interval_over_two_groups() -> None:
    """A note says so; that of an earlier version's file, which may have no width, is left out."""
    scores = compute_scores(PROBABILITIES, LABELS, NAMES, groups=np.arange(len(LABELS)) % 2)
    assert scores.interval_images is None
    assert scores.notes == ("There is no interval: the images come in 2 groups, and 5 are the fewest for one.",)
    content = json.loads(json.dumps(scores.as_dict()))
    assert Scores.from_dict(content, "here") == scores
    assert Scores.from_dict(content | {"interval_images": [0.4, 0.4]}, "here") == scores
