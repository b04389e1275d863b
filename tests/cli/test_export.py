"""`modiste export` as it is typed: a copy, and a model in 8-bit integers that is as good."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from helpers.idx import write_idx_folder
from helpers.runs import write_run
from modiste.cli.export import export
from modiste.data import idx_folder
from modiste.errors import InputError, SettingError
from modiste.export import int8
from modiste.inference import model_file
from modiste.recipes import named
from modiste.recipes.recipe import Recipe
from modiste.runs import files


def typed(*arguments: object) -> str:
    """What the command prints; our errors come through."""
    return CliRunner().invoke(export, [str(part) for part in arguments], catch_exceptions=False).output


def test_a_copy_is_the_model(tmp_path: Path) -> None:
    """Byte for byte; it needs no data."""
    run = write_run(tmp_path / "run")
    shutil.rmtree(tmp_path / "data")
    told = json.loads(typed(run.path, "--out", tmp_path / "mine.onnx", "--json"))
    assert (tmp_path / "mine.onnx").read_bytes() == run.model.read_bytes()
    assert (told["path"], told["evaluation"]) == (str(tmp_path / "mine.onnx"), None)


def test_int8_is_a_smaller_model_with_the_same_predictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes and recipe are in it; where nothing was held out it is evaluated on training images."""
    monkeypatch.chdir(tmp_path)
    run = write_run(tmp_path / "run", named.sprint())
    told = typed(run.path, "--int8")
    made = model_file.load("run-int8.onnx")
    whole = model_file.load(run.model)
    images = idx_folder.IdxFolder(tmp_path / "data", 28).part("train").load_split("train").images
    assert (made.class_names, made.recipe_json) == (whole.class_names, whole.recipe_json)
    said = made.probabilities(images)
    assert np.abs(said - whole.probabilities(images)).max() < 0.05
    assert 0 < said.min() < 1 / 256  # what is improbable stays possible
    assert Path("run-int8.onnx").stat().st_size < run.model.stat().st_size / 2
    assert "accuracy 100.00% on 100 train images" in told
    assert json.loads(made.metadata["scores"]) == {"train": {"n": 100, "accuracy": 1.0}}
    assert made.metadata["precision"] == "int8"


def test_int8_that_costs_too_much_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a point of accuracy."""
    run, worse = write_run(tmp_path / "run"), write_run(tmp_path / "worse", blind=2)
    monkeypatch.setattr(int8, "quantize", lambda model, images: worse.model.read_bytes())
    with pytest.raises(InputError, match=r"is correct on 80.00% of 20 images instead of 100.00%"):
        typed(run.path, "--int8", "--out", tmp_path / "small.onnx")
    assert not (tmp_path / "small.onnx").exists()


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    """No run, no model in it yet, a file that is there already."""
    run = write_run(tmp_path / "run")
    there = tmp_path / "there.onnx"
    there.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        typed(run.path, "--out", there)
    assert there.read_text() == "mine"
    with pytest.raises(InputError, match="is no run folder"):
        typed(write_idx_folder(tmp_path / "no-run"))
    with pytest.raises(InputError, match=r"The folder .* does not exist"):
        typed(run.path, "--out", tmp_path / "nowhere" / "m.onnx")
    run.model.unlink()
    run.finished_marker.unlink()
    with pytest.raises(InputError, match=r"was not finished. To get one: modiste train --resume"):
        typed(run.path)
    run.finished_marker.touch()
    with pytest.raises(InputError, match=r"weights were dropped. To get one: modiste train .*recipe.json --name NEW"):
        typed(run.path)


@pytest.mark.parametrize(("recipe", "split"), [(named.classic_cnn(), "validation"), (named.sprint(), "train")])
def test_int8_of_changed_data_is_refused(tmp_path: Path, recipe: Recipe, split: str) -> None:
    """Held-out images may be others then, which the model was trained on."""
    run = write_run(tmp_path / "run", recipe)
    environment = files.read_json(run.environment)
    environment["data"][split]["sha256"] = "of other images"
    files.write_json(run.environment, environment)
    with pytest.raises(InputError, match="has changed since its training"):
        typed(run.path, "--int8", "--out", tmp_path / "small.onnx")


def test_int8_reads_data_that_was_moved(tmp_path: Path) -> None:
    """The error about the missing folder names the option, which takes the new one."""
    run = write_run(tmp_path / "run")
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(InputError, match="--data"):
        typed(run.path, "--int8", "--out", tmp_path / "small.onnx")
    result = json.loads(typed(run.path, "--int8", "--data", tmp_path / "moved", "--out", tmp_path / "a.onnx", "--json"))
    assert result["evaluation"]["original_accuracy"] == 1


@pytest.mark.parametrize("options", [["--data="], ["--data=x"], ["--data=", "--int8"]])
def test_data_without_a_use_is_refused(tmp_path: Path, options: list[str]) -> None:
    """An empty variable of a shell, or a copy, which reads no data."""
    with pytest.raises(SettingError, match="--data is empty or without --int8"):
        typed(tmp_path, *options)
