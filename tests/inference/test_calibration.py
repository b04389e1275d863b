"""Calibration: temperature, threshold and label groups."""

import numpy as np
import pytest

from helpers.models import tiny_model
from modiste import inference
from modiste.errors import InputError
from modiste.inference import calibration
from modiste.inference.calibration import Calibration

GRAY = np.full((28, 28), 140, np.uint8)


def test_a_temperature_divides_the_logits() -> None:
    """The order of the classes stays, also where a probability is 0; a temperature of 1 changes no bit."""
    probabilities = np.array([[0.8, 0.15, 0.05], [1.0, 0.0, 0.0]], np.float32)
    halved = Calibration(2.0).calibrate(probabilities)
    assert halved[0] == pytest.approx(np.sqrt([0.8, 0.15, 0.05]) / np.sqrt([0.8, 0.15, 0.05]).sum())
    assert halved.sum(1) == pytest.approx([1, 1])
    assert (halved.argmax(1) == 0).all()
    assert (Calibration().calibrate(probabilities) == probabilities).all()


def test_the_confidence_is_the_sum_over_a_label_group() -> None:
    """A class outside all groups has its own probability."""
    confidence = Calibration(label_groups=((0, 1),)).confidence(np.array([[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]]))
    assert confidence == pytest.approx([0.9, 0.6])


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([0.4, 0.3, 0.2, 0.1], (0, 1, 2)),
        ([0.3, 0.5, 0.0, 0.2], (1, 0)),
        ([0.9, 0.05, 0.04, 0.01], ()),
        ([0.1, 0.2, 0.2, 0.5], ()),
    ],
)
def test_close_labels_of_a_group_are_named_best_first(probabilities: list[float], expected: tuple[int, ...]) -> None:
    """As many as have nine tenths of the group's probability; none where one class has that, or is in no group."""
    assert Calibration(label_groups=((0, 1, 2),)).close_labels(np.array(probabilities)) == expected


def test_below_the_threshold_a_model_abstains() -> None:
    """The label is "none of these"; `top` still has the most probable classes."""
    model = inference.load(tiny_model(metadata={"temperature": "0.5", "threshold": "0.9"}))
    (prediction,) = model.predict([GRAY])
    assert prediction.label == "none of these"
    assert prediction.probability == pytest.approx(1 - prediction.top[0][1])
    assert [label for label, _ in prediction.top] == ["bright", "dark"]
    (plain,) = inference.load(tiny_model()).predict([GRAY])
    assert plain.label == "bright"
    assert prediction.top[0][1] > plain.top[0][1]  # a temperature below 1 makes it bolder


def test_abstaining_has_what_the_confidence_leaves() -> None:
    """Not the probability of the class "none of these", which may be close to 0."""
    labels = '["none of these", "dress", "shirt"]'
    model = inference.load(tiny_model(("a", "b", "c"), metadata={"class_names": labels, "threshold": "0.99"}))
    (prediction,) = model.predict([GRAY])
    assert prediction.label == "none of these"
    assert [label for label, _ in prediction.top] == ["shirt", "dress", "none of these"]
    assert prediction.probability == pytest.approx(1 - prediction.top[0][1])


def test_the_class_none_of_these_can_be_predicted() -> None:
    """As any other class, with its probability."""
    labels = '["shirt", "none of these"]'
    model = inference.load(tiny_model(("a", "b"), metadata={"class_names": labels, "threshold": "0.9"}))
    (prediction,) = model.predict([GRAY])
    assert (prediction.label, prediction.probability) == prediction.top[0]
    assert prediction.label == "none of these"


def test_metadata_is_read_as_it_was_written() -> None:
    """By the names of the classes."""
    class_names = ("boot", "shirt", "sneaker")
    calibrated = Calibration(0.7, 0.55, ((0, 2),))
    assert calibration.from_metadata(calibrated.to_metadata(class_names), class_names) == calibrated
    assert calibration.from_metadata({}, class_names) == Calibration()


@pytest.mark.parametrize(
    "invalid",
    [
        {"temperature": "0"},
        {"temperature": "1e-320"},
        {"temperature": "inf"},
        {"temperature": "nan"},
        {"temperature": "warm"},
        {"threshold": "1.5"},
        {"label_groups": '[["dark", "boot"]]'},
        {"label_groups": '["dark"]'},
        {"label_groups": "{}"},
        {"label_groups": "["},
    ],
)
def test_invalid_metadata_is_refused(invalid: dict[str, str]) -> None:
    """A value out of its range, or a group that is not a list of classes."""
    with pytest.raises(InputError, match="invalid metadata"):
        inference.load(tiny_model(metadata=invalid))
