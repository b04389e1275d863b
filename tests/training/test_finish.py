"""The files of a finished run."""

import gzip
import shutil
from pathlib import Path

import pytest
from PIL import Image

from helpers.command import OWN, TINY, parse, run_in_process
from helpers.idx import images_file
from helpers.photos import saved
from helpers.progress import Silent
from modiste.data.idx import read_images
from modiste.inference import load
from modiste.recipes import settings
from modiste.recipes.named import sprint
from modiste.recipes.recipe import Recipe
from modiste.reporting.evaluate import evaluate
from modiste.runs import metrics_file
from modiste.runs.folder import Run
from modiste.training import run as training_run

ORDER = ("model.safetensors", "layers.json", "model.onnx", "curves.png", "README.md", "finished")


def recipe(idx: Path, name: str = "helpers.network:tiny") -> Recipe:
    """One epoch of a tiny network."""
    small = {**parse(*TINY), "data.source": str(idx), "schedule.epochs": 1}
    small |= {"model.name": name, "compute.precision": "fp32"}
    return settings.with_settings(sprint(), small)


@pytest.fixture(scope="module")
def finished(idx: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run; read only."""
    return training_run.start(recipe(idx), tmp_path_factory.mktemp("runs") / "a", Silent())


@pytest.mark.slow
def test_a_model_of_images_on_white_takes_photos_on_white(idx: Path, tmp_path: Path) -> None:
    """An image of IDX files is predicted as it is evaluated when it is saved as a photo."""
    folder = shutil.copytree(idx, tmp_path / "idx")
    file = folder / "train-images-idx3-ubyte.gz"
    images = 255 - read_images(file, file.read_bytes())
    file.write_bytes(gzip.compress(images_file(images)))
    model = load(training_run.start(recipe(folder), tmp_path / "a", Silent()).model)
    for image in images[:20]:
        assert (model.preprocess(saved(Image.fromarray(image)))[1] == image).all()


def test_uncertain_images_are_scored_with_all_views(idx: Path, tmp_path: Path) -> None:
    """Validation scores and calibration are those of the exported model with test-time augmentation."""
    changes = {"model.tta_threshold": 1.0, "model.tta_crop": 0.9, "data.val_fraction": 0.2, "schedule.epochs": 1}
    run = training_run.start(settings.with_settings(recipe(idx), changes), tmp_path / "a", Silent())
    model = load(run.model)
    assert (model.tta_threshold, model.tta_crop) == (1.0, 0.9)
    scores = evaluate(run.path, split="validation")
    assert model.scores["validation"]["loss"] == pytest.approx(scores.loss, abs=1e-4)
    assert metrics_file.read(run.metrics)[-1].val_loss != pytest.approx(scores.loss, abs=1e-4)


def contents(run: Run) -> dict[str, bytes]:
    """The content of the files that are written after the training."""
    return {name: (run.path / name).read_bytes() for name in ORDER}


@pytest.mark.slow
@pytest.mark.parametrize("n_written", range(len(ORDER)))
def test_a_kill_between_two_files_changes_nothing(finished: Run, tmp_path: Path, n_written: int) -> None:
    """A run that is resumed with only the first of them ends with the same files."""
    shutil.copytree(finished.path, tmp_path / "a")
    run = Run(tmp_path / "a")
    for name in ORDER[n_written:]:
        (run.path / name).unlink()
    assert not run.finished
    training_run.resume(run.path, Silent())
    assert contents(run) == contents(finished)


@pytest.mark.slow
def test_a_damaged_export_is_replaced(finished: Run, tmp_path: Path) -> None:
    """A model file in a run without the marker is written again."""
    shutil.copytree(finished.path, tmp_path / "a")
    run = Run(tmp_path / "a")
    run.finished_marker.unlink()
    run.model.write_bytes(b"not verified")
    training_run.resume(run.path, Silent())
    assert contents(run) == contents(finished)


def test_a_model_that_predicts_nan_is_a_failed_training(idx: Path, tmp_path: Path) -> None:
    """Exit code 3 with no model and no marker, after the training and after every resume."""
    network = "--set=model=helpers.network:nan_in_evaluation"
    command = ["train", "sprint", f"--data={idx}", *TINY, *OWN, network, "--epochs=1", "--name=a"]
    run = Run(tmp_path / "runs" / "a")
    for arguments in (command, ["train", "--resume=runs/a"], ["train", "--resume=runs/a"]):
        assert "are not numbers" in run_in_process(tmp_path, *arguments, code=3).stderr
        assert not run.model.exists()
        assert not run.finished
