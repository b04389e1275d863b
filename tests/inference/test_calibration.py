"""How sure a model is: temperature, threshold, and labels that count label_groups."""

import numpy as np
import pytest

from helpers.models import tiny_model
from modiste import inference
from modiste.errors import InputError
from modiste.inference import calibration
from modiste.inference.calibration import Calibration

GRAY = np.full((28, 28), 140, np.uint8)


def test_a_temperature_divides_the_logits() -> None:
    """The order of the labels stays, also where a probability is 0; 1 changes no bit."""
    probabilities = np.array([[0.8, 0.15, 0.05], [1.0, 0.0, 0.0]], np.float32)
    halved = Calibration(2.0).calibrated(probabilities)
    assert halved[0] == pytest.approx(np.sqrt([0.8, 0.15, 0.05]) / np.sqrt([0.8, 0.15, 0.05]).sum())
    assert halved.sum(1) == pytest.approx([1, 1])
    assert (halved.argmax(1) == 0).all()
    assert (Calibration().calibrated(probabilities) == probabilities).all()


def test_labels_that_were_not_told_apart_count_together() -> None:
    """A shoe that may be one kind or another is surely a shoe; a shirt is as sure as its label."""
    found = Calibration(label_groups=((0, 1),)).confidence(np.array([[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]]))
    assert found == pytest.approx([0.9, 0.6])


def test_who_is_not_sure_enough_gives_no_label() -> None:
    """Below the threshold it is "none of these", with what was nearest; the record keeps its form."""
    model = inference.load(tiny_model(facts={"temperature": "0.5", "threshold": "0.9"}))
    (told,) = model.predict([GRAY])
    assert told.label == "none of these"
    assert told.probability == pytest.approx(1 - told.top[0][1])
    assert [label for label, _ in told.top] == ["bright", "dark"]
    (plain,) = inference.load(tiny_model()).predict([GRAY])
    assert plain.label == "bright"
    assert told.top[0][1] > plain.top[0][1]  # a temperature below 1 makes it bolder


def test_who_has_none_as_a_label_tells_its_probability() -> None:
    """Also when it is said for want of confidence in another."""
    labels = '["none of these", "shirt"]'
    model = inference.load(tiny_model(("a", "b"), facts={"class_names": labels, "threshold": "0.99"}))
    (told,) = model.predict([GRAY])
    assert told.label == "none of these"
    assert [label for label, _ in told.top] == ["shirt", "none of these"]
    assert told.probability == told.top[1][1]


def test_who_says_none_says_how_probable_that_is() -> None:
    """A label of its own needs no threshold."""
    labels = '["shirt", "none of these"]'
    model = inference.load(tiny_model(("a", "b"), facts={"class_names": labels, "threshold": "0.9"}))
    (told,) = model.predict([GRAY])
    assert (told.label, told.probability) == told.top[0]
    assert told.label == "none of these"


def test_facts_are_read_as_they_were_written() -> None:
    """In a model file, by the names of the labels."""
    labels = ("boot", "shirt", "sneaker")
    mine = Calibration(0.7, 0.55, ((0, 2),))
    assert calibration.of(mine.facts(labels), labels) == mine
    assert calibration.of({}, labels) == Calibration()


@pytest.mark.parametrize(
    "wrong",
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
def test_facts_that_cannot_be(wrong: dict[str, str]) -> None:
    """A file that says such a thing is refused."""
    with pytest.raises(InputError, match="says wrongly how sure it is"):
        inference.load(tiny_model(facts=wrong))
