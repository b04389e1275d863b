"""The model card, for those who use the ONNX file without modiste."""

from typing import Any

import numpy as np
import pytest

from modiste.data.split import Split, TrainingData
from modiste.export import model_card
from modiste.imaging.resize import RESIZE_MODES
from modiste.inference.calibration import Calibration
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe


def render(changes: dict[str, Any]) -> str:
    """Return the card of a training on RGB images of 8 pixels, with some settings."""
    split = Split("train", np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1]))
    recipe = settings.with_settings(Recipe(), {"data.image_size": 8, "data.channels": 3, **changes})
    return model_card.render("r", recipe, TrainingData(("a", "b"), split, split), {"epoch": 1}, Calibration(), 5)


def test_fault_45_names_in_a_card_are_text() -> None:
    """Not HTML, links or cells of the table, nor further lines."""
    split = Split("train", np.zeros((2, 28, 28), np.uint8), np.array([0, 1]))
    names = ("<script>alert(1)</script>", "![x](http://a.example)|b\n# c")
    data = TrainingData(names, split, split)
    card = model_card.render("r<b>", Recipe(), data, {"epoch": 1}, Calibration(), 5)
    assert "<script>" not in card
    assert "<b>" not in card
    (row,) = (line for line in card.splitlines() if line.startswith("| classes"))
    assert row.count("|") - row.count("\\|") == 3
    assert "&lt;script&gt;alert(1)&lt;/script&gt;, \\!\\[x\\](http://a.example)\\|b" in row


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_the_card_says_how_photos_become_square(mode: str) -> None:
    """Beside the shape of the input."""
    assert f"| uint8 images, [n, 8, 8, 3]; resize mode {mode} |" in render({"data.resize_mode": mode})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "none"),
        ({"model.flip_tta": True}, "mirror image in `model.onnx`"),
        ({"model.tta_threshold": 0.6}, "mirror image where the highest probability is below 60%: by `modiste`"),
        ({"model.tta_threshold": 0.6, "model.tta_crop": 0.85}, "mirror image and center crop (85% of each side) where"),
    ],
)
def test_the_card_says_which_views_are_averaged(changes: dict[str, Any], text: str) -> None:
    """In the graph, or by modiste alone."""
    assert f"| test-time augmentation | {text}" in render(changes)


def test_the_card_evaluates_on_a_split_that_the_data_has() -> None:
    """On the held-out images of one's own data; not at all where none were held out."""
    split = Split("train", np.zeros((2, 28, 28), np.uint8), np.array([0, 1]))
    own = settings.with_settings(Recipe(), {"data.source": "photos"})
    validation = {"validation": {"accuracy": 1.0, "loss": 0.0, "n": 2}}

    def command(recipe: Recipe, scores: dict[str, Any]) -> str | None:
        data = TrainingData(("a", "b"), split, split)
        card = model_card.render("r", recipe, data, {"epoch": 1, **scores}, Calibration(), 5)
        return next((line.strip() for line in card.splitlines() if "modiste evaluate ." in line), None)

    assert command(Recipe(), validation) == "modiste evaluate ."
    assert command(own, validation) == "modiste evaluate . --split validation"
    assert command(own, {}) is None
