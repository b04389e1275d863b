"""Model files, whole and broken, with the real runtime."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from helpers.models import tiny_model
from helpers.pictures import noise, saved
from modiste import inference
from modiste.errors import InputError, SettingError
from modiste.imaging.preprocess import Picture

DARK, BRIGHT = np.full((28, 28), 10, np.uint8), np.full((28, 28), 240, np.uint8)


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """A tiny model in a run folder."""
    path = tmp_path / "my-run" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(tiny_model())
    return path


def test_a_model_brings_its_facts(model_file: Path) -> None:
    """Labels, size, channels, recipe and a name come from the file and its place."""
    model = inference.load(model_file)
    assert (model.name, model.class_names, model.image_size, model.channels) == ("my-run", ("dark", "bright"), 28, 1)
    assert model.recipe_json == "{}"
    assert inference.load(model_file.read_bytes()).class_names == model.class_names


def test_the_public_door(model_file: Path) -> None:
    """`modiste.inference.load(model).predict(pictures)` gives labels, best first, with their probabilities."""
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


def test_a_broken_picture_stops_no_other(model_file: Path) -> None:
    """A broken picture has an error and no label; those around it keep their places (fault 02)."""
    good = saved(Image.fromarray(noise()))
    first, broken, last = inference.load(model_file).predict([DARK, good[:50], BRIGHT])
    assert (first.label, broken.label, last.label) == ("dark", None, "bright")
    assert broken.probability is None
    assert broken.top == ()
    assert "truncated" in str(broken.error)


def test_what_pillow_opened_is_read_as_its_file(model_file: Path) -> None:
    """In any mode, turned as its camera was; a broken one, and a list that is no picture, stop no other."""
    content = saved(Image.fromarray(np.full((28, 28), 255, np.uint8)).quantize(2))
    cut, model = saved(Image.fromarray(noise()))[:100], inference.load(model_file)
    ragged: Any = [[1, 2], [3]]
    found = model.predict([Image.open(io.BytesIO(content)), Image.open(io.BytesIO(cut)), ragged, BRIGHT])
    assert [each.label for each in found] == ["bright", None, None, "bright"]
    assert found[0] == model.predict([content])[0]
    counts = Image.fromarray(np.full((28, 28), 240, np.int32))  # a mode of 32 bits, most of which nobody uses
    assert model.predict(counts)[0].label == "bright"


@pytest.mark.parametrize(
    "one",
    [BRIGHT, np.repeat(BRIGHT[:, :, None], 3, 2), Image.fromarray(BRIGHT), bytearray(saved(Image.fromarray(BRIGHT)))],
)
def test_one_picture_alone_is_one(model_file: Path, one: Picture) -> None:
    """Not as many as it has rows or bytes."""
    assert [each.label for each in inference.load(model_file).predict(one)] == ["bright"]


def test_nothing_to_predict(model_file: Path) -> None:
    """No pictures, no predictions; no image, no probabilities."""
    model = inference.load(model_file)
    assert model.predict([]) == []
    assert model.probabilities(np.empty((0, 28, 28), np.uint8)).shape == (0, 2)


def test_batches_do_not_change_the_numbers(model_file: Path) -> None:
    """1,100 images, in three batches, get the probabilities they get one by one."""
    model = inference.load(model_file, threads=1)
    images = np.random.default_rng(0).integers(0, 256, (1100, 28, 28), dtype=np.uint8)
    label_groups = model.probabilities(images)
    assert label_groups.dtype == np.float32
    assert label_groups.shape == (1100, 2)
    for index in (0, 511, 512, 1099):
        assert np.abs(model.probabilities(images[index : index + 1])[0] - label_groups[index]).max() <= 1e-5


@pytest.mark.parametrize("channels", [1, 3])
def test_a_second_look_at_what_it_is_unsure_of(channels: int) -> None:
    """Below the probability the mirror image counts as well, for each image on its own; others have one view."""
    weights = np.zeros((28, 28, channels, 2), np.float32)
    weights[:, :14, :, 1] = 1e-4 / channels  # only what is bright on the left is bright
    plain, looking = (
        inference.load(tiny_model(channels=channels, weights=weights.reshape(-1, 2), facts=facts))
        for facts in ({}, {"tta_threshold": "0.9"})
    )
    images = np.zeros((3, *plain.image_shape), np.uint8)
    images[1, :, :14], images[2] = 160, 255
    one, other = plain.probabilities(images), plain.probabilities(images[:, :, ::-1])
    assert (one.max(1) < 0.9).tolist() == [False, True, False]
    assert np.abs(one[1] - other[1]).max() > 0.1
    assert np.allclose(looking.probabilities(images), np.stack([one[0], (one[1] + other[1]) / 2, one[2]]), atol=1e-6)
    assert looking.probabilities(images[:0]).shape == (0, 2)
    assert (looking.evidence(images[1], 1) == plain.evidence(images[1], 1)).all()


def test_rgb_models_take_photos() -> None:
    """A model of three channels gets RGB images of its size from any picture."""
    model = inference.load(tiny_model(("a", "b", "c"), size=32, channels=3))
    (prediction,) = model.predict([saved(Image.new("RGB", (300, 200), "white"))], top=9)
    assert prediction.label == "c"
    assert len(prediction.top) == 3


@pytest.mark.parametrize(
    "images", [np.zeros((2, 27, 28), np.uint8), np.zeros((2, 28, 28)), np.zeros((28, 28), np.uint8)]
)
def test_other_images_are_refused(model_file: Path, images: np.ndarray) -> None:
    """Images of another shape or type are an error that says what the model takes."""
    with pytest.raises(InputError, match=r"takes uint8 \['n', 28, 28\]"):
        inference.load(model_file).probabilities(images)


def test_top_0_is_refused(model_file: Path) -> None:
    """At least one label is told."""
    with pytest.raises(SettingError, match="top is 0"):
        inference.load(model_file).predict([DARK], top=0)


@pytest.mark.parametrize(
    ("weights", "labels"),
    [(np.full((784, 2), np.nan), ("a", "b")), (np.zeros((784, 3)), ("a", "b"))],
)
def test_what_are_no_probabilities_is_an_error(weights: np.ndarray, labels: tuple[str, ...]) -> None:
    """NaN, or more outputs than labels, is an error and never a label (fault 23)."""
    model = inference.load(tiny_model(labels, weights=weights))
    with pytest.raises(InputError, match="Export it anew"):
        model.predict([DARK])


@pytest.mark.parametrize(
    "outside",
    [
        {"location": "weights.bin"},
        {"location": "../weights.bin"},
        {"location": "/etc/hostname"},
        {"location": "*/_ORT_MEM_ADDR_/*", "offset": "4096", "length": "6272"},
    ],
)
def test_a_model_that_points_outside_is_refused(
    outside: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """External data beside, above, absolute or at an address in memory is never followed (fault 25)."""
    (tmp_path / "below").mkdir()
    for folder in (tmp_path, tmp_path / "below"):
        (folder / "weights.bin").write_bytes(bytes(784 * 2 * 4))
    monkeypatch.chdir(tmp_path / "below")
    path = tmp_path / "below" / "model.onnx"
    path.write_bytes(tiny_model(outside=outside))
    with pytest.raises(InputError, match="wants to read other files"):
        inference.load(path)


def test_broken_files_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A missing, empty, cut or garbled file, a folder and a pickle are one-sentence errors, and the log is silent."""
    whole = tiny_model()
    for name, content in {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "short": whole[:-1],
        "garbage": os.urandom(1000),
        "pickle": b"\x80\x04\x95\x1c\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94",
        "text": b"hello, model",
    }.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}.onnx (is|lacks) "):
            inference.load(path)
    for path in (tmp_path, tmp_path / "missing.onnx"):
        with pytest.raises(InputError, match=r"is a folder|does not exist"):
            inference.load(path)
    assert capfd.readouterr().err == ""


def test_a_strangers_model_is_refused() -> None:
    """An ONNX model without modiste's metadata, with half of it, or with another input is refused."""
    with pytest.raises(InputError, match="no model that modiste wrote"):
        inference.load(tiny_model(facts={"format": None}))
    with pytest.raises(InputError, match="lacks its labels"):
        inference.load(tiny_model(facts={"class_names": None}))
    with pytest.raises(InputError, match="lacks its labels"):
        inference.load(tiny_model(facts={"class_names": "["}))
    with pytest.raises(InputError, match=r"\['n', 28, 28, 3\]"):
        inference.load(tiny_model(facts={"channels": "3"}))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"image_size": "1000000"}, "as its metadata says"),
        ({"image_size": "0"}, "as its metadata says"),
        ({"image_size": "-28"}, "as its metadata says"),
        ({"image_size": "29"}, "as its metadata says"),
        ({"image_size": "28.0"}, "lacks its labels or its size"),
        ({"channels": "2"}, "as its metadata says"),
        ({"class_names": "5"}, "lacks its labels"),
        ({"class_names": "[]"}, "lacks its labels"),
        ({"class_names": "[1, 2]"}, "lacks its labels"),
        ({"class_names": '"ab"'}, "lacks its labels"),
        ({"class_names": "[" * 100_000}, "lacks its labels"),
        ({"tta_threshold": "-0.1"}, "says wrongly how sure it is"),
        ({"tta_threshold": "nan"}, "says wrongly how sure it is"),
    ],
)
def test_metadata_that_the_graph_contradicts_is_refused(change: dict[str, str], fault: str) -> None:
    """A size or number of channels that the input does not have, and labels that are no texts, are refused on loading.

    Else a size in the metadata alone would decide how much memory a prediction takes.
    """
    assert inference.load(tiny_model(("a", "b"))).class_names == ("a", "b")
    with pytest.raises(InputError, match=fault):
        inference.load(tiny_model(facts=change))


def test_a_graph_that_leaves_its_size_open_or_asks_for_too_much_is_refused() -> None:
    """The sides of the input are fixed numbers, and no larger than images of clothes are."""
    model = onnx.load_from_string(tiny_model())
    for side, facts in (("s", "28"), (1_000_000, "1000000")):
        for dimension in model.graph.input[0].type.tensor_type.shape.dim[1:]:
            dimension.Clear()
            setattr(dimension, "dim_param" if isinstance(side, str) else "dim_value", side)
        next(fact for fact in model.metadata_props if fact.key == "image_size").value = facts
        with pytest.raises(InputError, match=r"as its metadata says|can be run"):
            inference.load(model.SerializeToString())


def test_the_tiny_model_is_valid_onnx() -> None:
    """What these tests load is what onnx itself calls valid."""
    onnx.checker.check_model(onnx.load_from_string(tiny_model()))


def test_predicting_imports_no_torch(model_file: Path) -> None:
    """Loading and predicting need neither torch nor onnx nor scikit-learn."""
    code = (
        "import sys; from modiste import inference; import numpy as np;"
        "inference.load(sys.argv[1]).predict([np.zeros((28, 28), np.uint8)]);"
        "assert not {'torch', 'onnx', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(model_file)], check=True)


@pytest.mark.parametrize("scores", ["[", "[]", '{"test": 1}', '{"test": {"accuracy": NaN, "n": "x"}}', "[" * 100000])
def test_scores_that_cannot_be_read_are_none(scores: str) -> None:
    """A file may say what it likes of itself: only finite numbers of a split are told."""
    assert not any(inference.load(tiny_model(facts={"scores": scores})).scores.values())
