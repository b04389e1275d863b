"""Models: photos and images in, predictions and probabilities out, with the real runtime."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from helpers.models import tiny_model
from helpers.photos import noise, saved
from modiste import inference
from modiste.errors import InputError, SettingError
from modiste.inference import tta

DARK, BRIGHT = np.full((28, 28), 10, np.uint8), np.full((28, 28), 240, np.uint8)


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """A tiny model in a run folder."""
    path = tmp_path / "my-run" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(tiny_model())
    return path


def test_a_model_file_describes_itself(model_file: Path) -> None:
    """Classes, image size, channels and recipe come from its metadata, the name from its folder."""
    model = inference.load(model_file)
    assert (model.name, model.class_names, model.image_size, model.channels) == ("my-run", ("dark", "bright"), 28, 1)
    assert model.recipe_json == "{}"
    assert model.resize_mode == "squash"  # the only mode when models had no such key
    assert inference.load(model_file.read_bytes()).class_names == model.class_names


def test_the_public_api(model_file: Path) -> None:
    """`modiste.inference.load(model).predict(photos)` returns classes, best first, with their probabilities."""
    dark, bright = inference.load(model_file).predict([DARK, saved(Image.fromarray(BRIGHT))])
    assert (dark.label, bright.label) == ("dark", "bright")
    assert dark.probability == dark.top[0][1] > dark.top[1][1]
    assert sum(probability for _, probability in dark.top) == pytest.approx(1, abs=1e-6)
    assert dark.model == "my-run"


def test_a_record_has_one_form(model_file: Path, tmp_path: Path) -> None:
    """A prediction as JSON has the six fields of the design, in their order."""
    path = tmp_path / "dark.png"
    path.write_bytes(saved(Image.fromarray(DARK)))
    (prediction,) = inference.load(model_file).predict(path, top=1)
    record = json.loads(json.dumps(prediction.as_dict()))
    assert list(record) == ["file", "label", "probability", "top", "model", "error"]
    assert record["file"] == str(path)
    assert record["top"] == [{"label": "dark", "probability": record["probability"]}]
    assert record["error"] is None


def test_a_broken_photo_does_not_affect_the_others(model_file: Path) -> None:
    """It has an error and no label, and the order does not change (fault 02)."""
    good = saved(Image.fromarray(noise()))
    first, broken, last = inference.load(model_file).predict([DARK, good[:50], BRIGHT])
    assert (first.label, broken.label, last.label) == ("dark", None, "bright")
    assert broken.probability is None
    assert broken.top == ()
    assert "truncated" in str(broken.error)


def test_a_pillow_image_is_read_as_its_file(model_file: Path) -> None:
    """In any mode; a broken one, and a list that is not a photo, do not affect the others."""
    content = saved(Image.fromarray(np.full((28, 28), 255, np.uint8)).quantize(2))
    cut, model = saved(Image.fromarray(noise()))[:100], inference.load(model_file)
    ragged: Any = [[1, 2], [3]]
    predictions = model.predict([Image.open(io.BytesIO(content)), Image.open(io.BytesIO(cut)), ragged, BRIGHT])
    assert [each.label for each in predictions] == ["bright", None, None, "bright"]
    assert predictions[0] == model.predict([content])[0]
    counts = Image.fromarray(np.full((28, 28), 240, np.int32))  # a mode of 32 bits, most of which nobody uses
    assert model.predict(counts)[0].label == "bright"


def test_nothing_to_predict(model_file: Path) -> None:
    """No photos, no predictions; no images, no probabilities."""
    model = inference.load(model_file)
    assert model.predict([]) == []
    assert model.probabilities(np.empty((0, 28, 28), np.uint8)).shape == (0, 2)


def test_batches_do_not_change_the_numbers(model_file: Path) -> None:
    """1,100 images, in six batches, get the probabilities they get one by one."""
    model = inference.load(model_file, threads=1)
    images = np.random.default_rng(0).integers(0, 256, (1100, 28, 28), dtype=np.uint8)
    batched = model.probabilities(images)
    assert batched.dtype == np.float32
    assert batched.shape == (1100, 2)
    for index in (0, 191, 192, 1099):
        assert np.abs(model.probabilities(images[index : index + 1])[0] - batched[index]).max() <= 1e-5


def test_uncertain_images_get_a_center_crop_too() -> None:
    """Their probabilities are the mean over four views; the crop is enlarged to the size of the image."""
    seen: list[np.ndarray] = []

    def predict(images: np.ndarray) -> np.ndarray:
        seen.append(images)
        return np.tile(np.float32([0.1, 0.9]), (len(images), 1))

    images = np.zeros((2, 20, 20, 3), np.uint8)
    images[1, 2:18, 2:10] = 200  # all of the crop's left half
    plain = np.float32([[0.8, 0.2], [0.5, 0.5]])
    averaged = tta.average_views(plain, images, predict, 0.7, 0.8)
    np.testing.assert_allclose(averaged, [[0.8, 0.2], [0.2, 0.8]], atol=1e-6)
    mirrored, cropped, mirrored_crop = (views[0].astype(int) for views in seen)
    assert (mirrored == images[1, :, ::-1]).all()
    assert (cropped[:, :8].min(), cropped[:, 12:].max()) == (200, 0)
    assert (mirrored_crop == cropped[:, ::-1]).all()
    assert (plain[1] == 0.5).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_images_below_the_threshold_get_flip_tta(channels: int) -> None:
    """Their probabilities are the mean over the image and its mirror image; other images get one forward pass."""
    weights = np.zeros((28, 28, channels, 2), np.float32)
    weights[:, :14, :, 1] = 1e-4 / channels  # only what is bright on the left is bright
    plain, with_tta = (
        inference.load(tiny_model(channels=channels, weights=weights.reshape(-1, 2), metadata=metadata))
        for metadata in ({}, {"tta_threshold": "0.9"})
    )
    images = np.zeros((3, *plain.image_shape), np.uint8)
    images[1, :, :14], images[2] = 160, 255
    original, flipped = plain.probabilities(images), plain.probabilities(images[:, :, ::-1])
    assert (original.max(1) < 0.9).tolist() == [False, True, False]
    assert np.abs(original[1] - flipped[1]).max() > 0.1
    assert np.allclose(
        with_tta.probabilities(images), np.stack([original[0], (original[1] + flipped[1]) / 2, original[2]]), atol=1e-6
    )
    assert with_tta.probabilities(images[:0]).shape == (0, 2)
    assert (with_tta.occlusion_map(images[1], 1) == plain.occlusion_map(images[1], 1)).all()


def test_rgb_models_take_photos() -> None:
    """A model of three channels gets RGB images of its size from any photo."""
    model = inference.load(tiny_model(("a", "b", "c"), size=32, channels=3))
    (prediction,) = model.predict([saved(Image.new("RGB", (300, 200), "white"))], top=9)
    assert prediction.label == "c"
    assert len(prediction.top) == 3


@pytest.mark.parametrize(
    "images", [np.zeros((2, 27, 28), np.uint8), np.zeros((2, 28, 28)), np.zeros((28, 28), np.uint8)]
)
def test_other_images_are_refused(model_file: Path, images: np.ndarray) -> None:
    """Images of another shape or type; the error has the expected ones."""
    with pytest.raises(InputError, match=r"takes uint8 \['n', 28, 28\]"):
        inference.load(model_file).probabilities(images)


def test_top_0_is_refused(model_file: Path) -> None:
    """A record has at least one class."""
    with pytest.raises(SettingError, match="top is 0"):
        inference.load(model_file).predict([DARK], top=0)


@pytest.mark.parametrize("output", [[[1.4, -0.4]], [[0.2, 0.2]], [[2.0, 3.0]]], ids=["negative", "sum 0.4", "sum 5"])
def test_fault_39_values_that_are_not_probabilities_are_an_error(output: list[list[float]]) -> None:
    """Below 0, or not summing to 1 (fault 39)."""
    model = onnx.load_model_from_string(tiny_model())
    del model.graph.node[:]
    value = onnx.numpy_helper.from_array(np.array(output, np.float32))
    model.graph.node.append(onnx.helper.make_node("Constant", [], ["probabilities"], value=value))
    with pytest.raises(InputError, match="values that are not probabilities"):
        inference.load(model.SerializeToString()).predict([DARK])


@pytest.mark.parametrize(
    ("weights", "labels"),
    [(np.full((784, 2), np.nan), ("a", "b")), (np.zeros((784, 3)), ("a", "b"))],
)
def test_fault_23_nan_or_more_outputs_than_classes_is_an_error(weights: np.ndarray, labels: tuple[str, ...]) -> None:
    """And never a label (fault 23)."""
    model = inference.load(tiny_model(labels, weights=weights))
    with pytest.raises(InputError, match="Export it again"):
        model.predict([DARK])


def test_predicting_imports_no_torch(model_file: Path) -> None:
    """Loading and predicting need neither torch nor onnx nor scikit-learn."""
    code = (
        "import sys; from modiste import inference; import numpy as np;"
        "inference.load(sys.argv[1]).predict([np.zeros((28, 28), np.uint8)]);"
        "assert not {'torch', 'onnx', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(model_file)], check=True)


@pytest.mark.parametrize("scores", ["[", "[]", '{"test": 1}', '{"test": {"accuracy": NaN, "n": "x"}}', "[" * 100000])
def test_scores_that_cannot_be_read_are_left_out(scores: str) -> None:
    """Only finite numbers of a split are returned."""
    assert not any(inference.load(tiny_model(metadata={"scores": scores})).scores.values())
