"""The model card."""

import numpy as np
import pytest

from modiste.data.split import Split, TrainingData
from modiste.export import model_card
from modiste.imaging.resize import RESIZE_MODES
from modiste.inference.calibration import Calibration
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_the_card_says_how_photos_become_square(mode: str) -> None:
    """For those who use the ONNX file without modiste."""
    split = Split("train", np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1]))
    recipe = settings.with_settings(Recipe(), {"data.image_size": 8, "data.channels": 3, "data.resize_mode": mode})
    data = TrainingData(("a", "b"), split, split)
    card = model_card.render("r", recipe, data, {"epoch": 1}, Calibration(), parameters=5)
    assert f"| uint8 images, [n, 8, 8, 3]; resize mode {mode} |" in card
