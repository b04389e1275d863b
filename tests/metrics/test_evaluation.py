"""Evaluating runs, models and files of probabilities, without figures."""

import gzip
import json
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.idx import images_file, write_idx_folder
from helpers.models import tiny_model
from helpers.photos import clothes, fill
from helpers.runs import write_run
from modiste.data import sources
from modiste.errors import InputError, SettingError
from modiste.imaging.resize import RESIZE_MODES
from modiste.inference.calibration import Calibration
from modiste.inference.model_file import load
from modiste.labels import FASHION_MNIST
from modiste.metrics.evaluation import OTHER_BACKGROUND, evaluate_split
from modiste.recipes import named, settings
from modiste.recipes.config import DataConfig
from modiste.reporting.evaluate import evaluate
from modiste.runs import files
from modiste.runs.folder import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that recorded the hash of the images that it held out, as `train` does."""
    run = write_run(tmp_path / "run")
    content = files.read_json(run.environment)
    held_out = sources.open_validation(run.recipe().data, run.recipe().seed)
    content["data"]["validation"]["sha256"] = held_out.sha256()
    files.write_json(run.environment, content)
    return run


def fill_shades(folder: Path, **shades: int) -> Path:
    """Class folders of three images each, of one shade per class."""
    for name, shade in shades.items():
        fill(folder / name, 3, lambda _, shade=shade: Image.new("L", (28, 28), shade))
    return folder


def test_probabilities_are_in_the_order_of_image_folder(tmp_path: Path) -> None:
    """Rows sorted by class folder and file, columns by class, as torchvision's ImageFolder has them."""
    for part in ("train", "test"):
        fill_shades(tmp_path / "data" / part, a=0, b=100, c=200)
    np.savetxt(tmp_path / "p.csv", np.repeat(np.eye(3), 3, axis=0), delimiter=",", header="a,b,c", comments="")
    scores = evaluate_split(tmp_path / "p.csv", data=str(tmp_path / "data")).scores
    assert (scores.accuracy, scores.notes) == (1, ())


def test_probabilities_of_a_run_with_candidate_labels_can_be_scored_again(tmp_path: Path) -> None:
    """The file of a run has the labels of the split, not the predicted ones."""
    for part in ("train", "test"):
        fill_shades(tmp_path / "data" / part, black=0, white=255, odd=255)
    meanings = {"black": ["bright", "dark"], "white": ["bright", "dark"], "odd": "dark"}
    (tmp_path / "data" / "labels.json").write_text(json.dumps(meanings))
    run = write_run(tmp_path / "run", data=tmp_path / "data")
    run.model.write_bytes(tiny_model(("bright", "dark")))
    scores = evaluate(run.path)
    assert scores.n_ambiguous == 6
    again = evaluate(run.probabilities, data=str(tmp_path / "data"))
    assert (again.accuracy, again.per_class, again.n_ambiguous) == (scores.accuracy, scores.per_class, 6)


def test_a_file_evaluated_on_a_held_out_fold_says_which_images_it_has(tmp_path: Path) -> None:
    """Scores and errors name the fold of data without a validation split; data that has one needs no note."""
    data = write_idx_folder(tmp_path / "data", side=20)
    labels = sources.open_validation(DataConfig(source=str(data), image_size=20), 0).labels
    held_out = "Of its 100 training images the 20 are used that `modiste train` holds out with"
    np.savez(tmp_path / "p.npz", np.eye(10)[labels])
    scores = evaluate_split(tmp_path / "p.npz", "validation", str(data)).scores
    assert (scores.accuracy, scores.n) == (1, 20)
    assert held_out in scores.notes[0]
    np.savez(tmp_path / "p.npz", np.eye(10)[[0] * 100])
    with pytest.raises(InputError, match=r"100, 10.*20 images") as error:
        evaluate_split(tmp_path / "p.npz", "validation", str(data))
    assert held_out in str(error.value)
    for part in ("train", "validation"):
        fill_shades(tmp_path / "own" / part, a=0, b=100)
    np.savez(tmp_path / "p.npz", np.eye(2).repeat(3, axis=0), class_names=["a", "b"])
    assert evaluate_split(tmp_path / "p.npz", "validation", str(tmp_path / "own")).scores.notes == ()


@pytest.mark.parametrize("target", ["photos", "photos/test", "photos/Train"])
def test_advice_for_a_folder_of_data_works(run: Run, tmp_path: Path, target: str) -> None:
    """The error for data in the place of a run names the option of the data."""
    for part in ("test", "Train"):
        fill_shades(tmp_path / "photos" / part, Bag=0, Coat=255)
    with pytest.raises(InputError, match="modiste evaluate RUN --data") as error:
        evaluate_split(tmp_path / target)
    assert evaluate_split(run.path, data=str(error.value).split("--data ")[1]).scores.n == 6


def test_validation_images_are_those_that_were_held_out(run: Run, tmp_path: Path) -> None:
    """They are evaluated in a copy of the data, and refused in other data."""
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    assert evaluate_split(run.path, "validation", str(tmp_path / "copy")).scores.n == 20
    other = write_idx_folder(tmp_path / "other", train=150)
    with pytest.raises(InputError, match="does not have the validation images"):
        evaluate_split(run.path, "validation", str(other))
    shutil.rmtree(tmp_path / "data")
    write_idx_folder(tmp_path / "data", train=150)
    with pytest.raises(InputError, match="has changed since its training"):
        evaluate_split(run.path, "validation")


def test_a_model_without_hashes_has_no_validation_images_in_other_data(run: Run, tmp_path: Path) -> None:
    """A model file does not record its training images; neither did early runs."""
    shutil.copy(run.model, tmp_path / "alone.onnx")
    with pytest.raises(InputError, match="does not come with it"):
        evaluate_split(tmp_path / "alone.onnx", "validation")
    other = str(write_idx_folder(tmp_path / "other"))
    run.environment.unlink()
    for target in (tmp_path / "alone.onnx", run.path):
        with pytest.raises(InputError, match="does not have the validation images"):
            evaluate_split(target, "validation", other)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_advice_for_class_folders_alone_works(run: Run, tmp_path: Path, split: str) -> None:
    """The error says to make a folder test/, which can then be evaluated."""
    data = fill_shades(tmp_path / "photos", Bag=0, Coat=255)
    with pytest.raises(InputError) as error:
        evaluate_split(run.path, split, str(data))
    assert "se --split validation" not in str(error.value)
    assert "/test" in str(error.value)
    for folder in list(data.iterdir()):
        (data / "test").mkdir(exist_ok=True)
        shutil.move(folder, data / "test")
    assert evaluate_split(run.path, data=str(data)).scores.n == 6


def test_advice_for_class_folders_of_unknown_classes_works(run: Run, tmp_path: Path) -> None:
    """A labels.json as the error has it leaves the folder out, and nothing was counted before."""
    data = fill_shades(tmp_path / "photos" / "test", Bag=0, Coat=255, Hat=100).parent
    with pytest.raises(InputError, match="classes Hat, which the model lacks") as error:
        evaluate_split(run.path, data=str(data))
    assert not run.scores.exists()
    (data / "labels.json").write_text(re.findall(r"{.*}", str(error.value))[0].replace("FOLDER", "Hat"))
    assert evaluate_split(run.path, data=str(data)).scores.n == 6


def test_advice_for_idx_files_of_unknown_classes_works(run: Run, tmp_path: Path) -> None:
    """With as many classes as the model they can be named in labels.json; with more, other data is needed."""
    data = write_idx_folder(tmp_path / "other")
    (data / "labels.json").unlink()
    with pytest.raises(InputError, match=r"Write a labels\.json"):
        evaluate_split(run.path, data=str(data))
    (data / "labels.json").write_text(json.dumps(FASHION_MNIST))
    assert evaluate_split(run.path, data=str(data)).scores.n == 20
    write_idx_folder(data, labels=11)
    (data / "labels.json").unlink()
    with pytest.raises(InputError, match=r"lacks.* --data\.$") as error:
        evaluate_split(run.path, data=str(data))
    assert "labels.json" not in str(error.value)


def test_images_that_do_not_fit_the_model_are_refused(run: Run, tmp_path: Path) -> None:
    """The error names no setting, as `evaluate` takes none; probabilities are scored on images of any size."""
    data = write_idx_folder(tmp_path / "large", side=32)
    with pytest.raises(InputError, match=r"takes gray images of 28 x 28 pixels, but .*large has others.*--data"):
        evaluate_split(run.path, data=str(data))
    np.savez(tmp_path / "p.npz", probabilities=np.eye(10)[np.arange(20) % 10])
    assert evaluate_split(tmp_path / "p.npz", data=str(data)).scores.accuracy == 1


@pytest.mark.parametrize(("patience", "chosen"), [(0, False), (3, True)])
def test_choices_on_the_validation_split_are_noted(tmp_path: Path, patience: int, chosen: bool) -> None:
    """The epoch, with early stopping, and the temperature are chosen on validation; nothing is chosen on test."""
    recipe = settings.with_settings(named.classic_cnn(), {"early_stopping.patience": patience})
    run = write_run(tmp_path / "run", recipe)
    calibration = Calibration(temperature=2.0).to_metadata(())
    weights = np.random.default_rng(0).normal(0, 0.001, (784, 10)).astype(np.float32)
    run.model.write_bytes(
        tiny_model(tuple(sources.open_source(run.recipe().data).class_names), weights=weights, metadata=calibration)
    )
    validation, test = (evaluate_split(run.path, split).scores for split in ("validation", "test"))
    assert (validation.chosen_on_split, test.chosen_on_split) == (chosen, False)
    assert any("epoch" in note for note in validation.notes) == chosen
    assert validation.ece_calibrated is None
    assert any("temperature" in note for note in validation.notes)
    assert test.ece_calibrated not in (None, test.ece)
    assert test.notes == ()


def test_the_interval_uses_the_groups_of_the_data(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of one sender are not independent."""
    images = sources.open_test(run.recipe().data, lambda: None)
    grouped = replace(images, groups=np.arange(20, dtype=np.int64) // 5)
    monkeypatch.setattr(sources, "open_test", lambda *_: grouped)
    assert evaluate_split(run.path).scores.n_groups == 4


@pytest.mark.parametrize("data", ["", " "])
def test_an_empty_data_folder_is_an_error(run: Run, data: str) -> None:
    """An unset shell variable does not mean the default dataset."""
    with pytest.raises(SettingError, match="data is empty"):
        evaluate_split(run.path, data=data)
    assert not run.scores.exists()


@pytest.mark.slow
def test_concurrent_evaluations_of_a_run_lose_nothing(run: Run) -> None:
    """Every opening is counted, and the scores of both splits are written."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(evaluate_split, [run.path] * 20))
        list(pool.map(evaluate, [run.path] * 2, ["test", "validation"]))
    content = files.read_json(run.scores)
    assert content["test_openings"] == 21
    assert content["test"]["n"] == content["validation"]["n"] == 20


def test_training_images_are_no_test_split(tmp_path: Path) -> None:
    """Class folders that were trained on and then moved into test/ are refused."""
    data = fill_shades(tmp_path / "photos", Bag=0, Coat=255)
    recipe = settings.with_settings(named.sprint(), {"data.source": str(data)})
    run = write_run(tmp_path / "run", recipe, data)
    sha256 = sources.open_training(run.recipe().data, 0).train.sha256()
    files.write_json(run.environment, {"data": {"train": {"n": 6, "sha256": sha256}}})
    folders = list(data.iterdir())
    (data / "test").mkdir()
    for folder in folders:
        shutil.move(folder, data / "test")
    with pytest.raises(InputError, match="was trained on"):
        evaluate_split(run.path, data=str(data))


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_photos_become_square_as_the_model_says(tmp_path: Path, mode: str) -> None:
    """Images are evaluated as they are predicted, whatever the recipe of the data is."""
    model = tiny_model(size=16, channels=3, metadata={"resize_mode": mode})
    (tmp_path / "m.onnx").write_bytes(model)
    for label in ("bright", "dark"):
        fill(tmp_path / "data" / "test" / label, 1, lambda _: clothes(60, 40))
    images = evaluate_split(tmp_path / "m.onnx", data=str(tmp_path / "data")).split.images
    assert (images == load(model).preprocess(clothes(60, 40))[1]).all()


@pytest.mark.parametrize("is_model_on_black", [True, False])
@pytest.mark.parametrize("data", ["on black", "on white", "folders"])
def test_images_on_another_background_than_the_training_images_are_noted(
    tmp_path: Path, data: str, is_model_on_black: bool
) -> None:
    """Since `predict` prepares photos for the model, and evaluation takes IDX images as they are."""
    (tmp_path / "m.onnx").write_bytes(tiny_model(metadata=None if is_model_on_black else {"background": "other"}))
    if data == "folders":
        fill_shades(tmp_path / "data" / "test", dark=0, bright=255)
    else:
        folder = write_idx_folder(tmp_path / "data", labels=2)
        (folder / "labels.json").write_text('["dark", "bright"]')
        images = np.full((20, 28, 28), 0 if data == "on black" else 255, np.uint8)
        (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(images_file(images)))
    notes = evaluate_split(tmp_path / "m.onnx", data=str(tmp_path / "data")).scores.notes
    assert (OTHER_BACKGROUND in notes) == (is_model_on_black == (data == "on white"))
