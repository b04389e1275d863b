"""The command `modiste export`: a copy of a model, or an int8 model of equal accuracy."""

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


def run_export(*arguments: object) -> str:
    """Run the command and return its output; errors are raised."""
    return CliRunner().invoke(export, [str(part) for part in arguments], catch_exceptions=False).output


def test_without_options_the_model_file_is_copied(tmp_path: Path) -> None:
    """The copy is byte-identical, and needs no data."""
    run = write_run(tmp_path / "run")
    shutil.rmtree(tmp_path / "data")
    result = json.loads(run_export(run.path, "--out", tmp_path / "copy.onnx", "--json"))
    assert (tmp_path / "copy.onnx").read_bytes() == run.model.read_bytes()
    assert (result["path"], result["evaluation"]) == (str(tmp_path / "copy.onnx"), None)


def test_int8_is_a_smaller_model_with_the_same_predictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the same classes and recipe; without validation images it is evaluated on training images."""
    monkeypatch.chdir(tmp_path)
    run = write_run(tmp_path / "run", named.sprint())
    output = run_export(run.path, "--int8")
    quantized = model_file.load("run-int8.onnx")
    original = model_file.load(run.model)
    images = idx_folder.IdxFolder(tmp_path / "data", 28).part("train").load_split("train").images
    assert (quantized.class_names, quantized.recipe_json) == (original.class_names, original.recipe_json)
    probabilities = quantized.probabilities(images)
    assert np.abs(probabilities - original.probabilities(images)).max() < 0.05
    assert 0 < probabilities.min() < 1 / 256  # no probability is rounded to 0
    assert Path("run-int8.onnx").stat().st_size < run.model.stat().st_size / 2
    assert "accuracy 100.00% on 100 train images" in output
    assert json.loads(quantized.metadata["scores"]) == {"train": {"n": 100, "accuracy": 1.0}}
    assert quantized.metadata["precision"] == "int8"


def test_an_int8_model_that_loses_accuracy_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may lose at most one percentage point."""
    run, worse = write_run(tmp_path / "run"), write_run(tmp_path / "worse", blind=2)
    monkeypatch.setattr(int8, "quantize", lambda model, images: worse.model.read_bytes())
    with pytest.raises(InputError, match=r"is correct on 80.00% of 20 images instead of 100.00%"):
        run_export(run.path, "--int8", "--out", tmp_path / "small.onnx")
    assert not (tmp_path / "small.onnx").exists()


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    """A folder that is not a run, a run without a model, and an output that exists already."""
    run = write_run(tmp_path / "run")
    existing = tmp_path / "existing.onnx"
    existing.write_text("content")
    with pytest.raises(InputError, match="exists already"):
        run_export(run.path, "--out", existing)
    assert existing.read_text() == "content"
    with pytest.raises(InputError, match="is not a run folder"):
        run_export(write_idx_folder(tmp_path / "no-run"))
    with pytest.raises(InputError, match=r"The folder .* does not exist"):
        run_export(run.path, "--out", tmp_path / "nowhere" / "m.onnx")
    run.model.unlink()
    run.finished_marker.unlink()
    with pytest.raises(InputError, match=r"was not finished. To get one: modiste train --resume"):
        run_export(run.path)
    run.finished_marker.touch()
    with pytest.raises(InputError, match=r"weights were dropped. To get one: modiste train .*recipe.json --name NEW"):
        run_export(run.path)


@pytest.mark.parametrize("options", [(), ("--int8",)])
def test_a_damaged_model_is_not_copied(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Nothing is written."""
    run = write_run(tmp_path / "run")
    run.model.write_bytes(run.model.read_bytes()[:-100])
    with pytest.raises(InputError, match="truncated"):
        run_export(run.path, "--out", tmp_path / "copy.onnx", *options)
    assert not (tmp_path / "copy.onnx").exists()


@pytest.mark.parametrize(("recipe", "split"), [(named.classic_cnn(), "validation"), (named.sprint(), "train")])
def test_int8_with_changed_data_is_refused(tmp_path: Path, recipe: Recipe, split: str) -> None:
    """The validation images might be images that the model was trained on."""
    run = write_run(tmp_path / "run", recipe)
    environment = files.read_json(run.environment)
    environment["data"][split]["sha256"] = "of other images"
    files.write_json(run.environment, environment)
    with pytest.raises(InputError, match="has changed since its training"):
        run_export(run.path, "--int8", "--out", tmp_path / "small.onnx")


def test_int8_reads_data_that_was_moved(tmp_path: Path) -> None:
    """The error about the missing folder suggests `--data`, which accepts the new folder."""
    run = write_run(tmp_path / "run")
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(InputError, match="--data"):
        run_export(run.path, "--int8", "--out", tmp_path / "small.onnx")
    result = json.loads(
        run_export(run.path, "--int8", "--data", tmp_path / "moved", "--out", tmp_path / "a.onnx", "--json")
    )
    assert result["evaluation"]["original_accuracy"] == 1


def test_data_without_int8_is_refused(tmp_path: Path) -> None:
    """A copy needs no data."""
    with pytest.raises(SettingError, match="only --int8 reads data"):
        run_export(tmp_path, "--data=x")


@pytest.mark.parametrize("options", [(), ("--int8",)])
def test_a_model_without_its_run_is_only_exported_as_a_page(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says so, and the commands in it work."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(write_run(tmp_path / "run").model, "mine.onnx")
    for model in ("photo", "mine.onnx"):
        with pytest.raises(SettingError, match=f"{model} is a model, which is one file already.*add --web FOLDER"):
            run_export(model, *options)
