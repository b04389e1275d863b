"""The ONNX file of a trained network."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import nn

from helpers.models import tiny_model
from modiste.errors import TrainingError
from modiste.export import onnx_file
from modiste.imaging.resize import RESIZE_MODES
from modiste.inference import model_file
from modiste.inference.calibration import Calibration
from modiste.models.normalized import NormalizedModel
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8), dtype=np.uint8)
NETWORK = NormalizedModel(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), torch.zeros(1), torch.ones(1)).eval()


def recipe(folder: Path) -> Recipe:
    """A recipe with paths below a folder."""
    paths = {
        "data.source": str(folder / "photos"),
        "model.weights": str(folder / "first.safetensors"),
        "distillation.teachers": [str(folder / "teachers" / "fold-0")],
        "data.image_size": 8,
    }
    return settings.with_settings(Recipe(), paths)


def test_the_file_has_no_paths_of_this_machine(tmp_path: Path) -> None:
    """Neither in the recipe nor in any note of the exporter; names of files and folders stay."""
    content = onnx_file.to_onnx(NETWORK, recipe(tmp_path), ("a", "b"), {}, Calibration())
    written = json.loads(model_file.load(content).recipe_json)
    assert written["data"]["source"] == "photos"
    assert written["model"]["weights"] == "first.safetensors"
    assert written["distillation"]["teachers"] == ["fold-0"]
    for place in (tmp_path, Path(torch.__file__).parent, Path(onnx_file.__file__).parents[1]):
        assert str(place).encode() not in content


def test_the_bundled_data_has_no_name() -> None:
    """An empty path is not the current folder."""
    assert onnx_file.without_paths(Recipe()) == Recipe()
    imagenet = replace(Recipe(), model=replace(Recipe().model, name="resnet18", weights="imagenet"))
    assert onnx_file.without_paths(imagenet) == imagenet


def with_weights(value: float) -> bytes:
    """A model whose weights are all the same."""
    return tiny_model(size=8, weights=np.full((64, 2), value, np.float32))


def test_a_model_that_agrees_is_written(tmp_path: Path) -> None:
    """With its content unchanged."""
    probabilities = model_file.load(with_weights(0)).probabilities(IMAGES)
    onnx_file.write_verified(tmp_path / "model.onnx", with_weights(0), probabilities, IMAGES)
    assert (tmp_path / "model.onnx").read_bytes() == with_weights(0)


@pytest.mark.parametrize("content", [with_weights(np.nan), tiny_model(size=8), with_weights(0)[:-20]])
def test_a_model_that_differs_is_never_in_its_place(tmp_path: Path, content: bytes) -> None:
    """Not for a moment: NaN, other probabilities and a damaged file are a failed training, and leave nothing."""
    probabilities = np.full((5, 2), 0.5, np.float32)
    with pytest.raises(TrainingError, match="exported model"):
        onnx_file.write_verified(tmp_path / "model.onnx", content, probabilities, IMAGES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, 0.502])
def test_every_difference_counts(value: float) -> None:
    """A single probability of the network that is NaN, or 0.002 away."""
    probabilities = np.full((5, 2), 0.5, np.float32)
    probabilities[3, 0] = value
    with pytest.raises(TrainingError, match="differs from the trained network"):
        onnx_file.verify(with_weights(0), probabilities, IMAGES)


@pytest.mark.parametrize(
    ("images", "outliers", "is_equal"), [(5, 1, True), (5, 2, False), (60, 3, True), (60, 4, False)]
)
def test_rounding_errors_of_few_images_are_no_difference(images: int, outliers: int, is_equal: bool) -> None:
    """Batch norm enlarges those of nearly constant channels, while nearly all other images agree."""
    probabilities = np.full((images, 2), 0.5, np.float32)
    probabilities[:outliers] += [0.0005, -0.0005]
    with nullcontext() if is_equal else pytest.raises(TrainingError, match="differs from the trained network"):
        onnx_file.verify(with_weights(0), probabilities, np.zeros((images, 8, 8), np.uint8))


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_the_file_says_how_photos_become_square(mode: str) -> None:
    """And the model that is loaded from it does it."""
    gray = settings.with_settings(Recipe(), {"data.image_size": 8, "data.resize_mode": mode})
    model = model_file.load(onnx_file.to_onnx(NETWORK, gray, ("a", "b"), {}, Calibration(), is_on_black=False))
    assert model.resize_mode == mode
    photo = np.random.default_rng(0).integers(0, 256, (30, 20, 3), np.uint8)
    expected = RESIZE_MODES[mode](Image.fromarray(photo).convert("L"), 8)
    assert (model.preprocess(photo)[1] == np.asarray(expected)).all()


def test_onnx_checks_the_file(tmp_path: Path) -> None:
    """The official checker accepts what is written."""
    content = onnx_file.to_onnx(NETWORK, recipe(tmp_path), ("a", "b"), {}, Calibration())
    onnx.checker.check_model(onnx.load_model_from_string(content))
