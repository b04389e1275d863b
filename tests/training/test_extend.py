"""A finished run is trained on, as a new run."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.command import OWN, TINY, parse, run_in_process
from helpers.progress import Silent
from helpers.runs import write_run
from modiste.errors import InputError
from modiste.recipes import settings
from modiste.recipes.named import classic_cnn
from modiste.recipes.recipe import Recipe
from modiste.runs import files, metrics_file, run_info
from modiste.runs.folder import Run
from modiste.training import run as training_run


def recipe(idx: Path, epochs: int) -> Recipe:
    """A tiny network that is trained at a constant learning rate, with a moving average."""
    changes = parse(*TINY, *OWN) | {"data.source": str(idx), "schedule.epochs": epochs, "schedule.name": "constant"}
    changes |= {"early_stopping.patience": 0, "compute.precision": "fp32", "optimizer.ema_decay": 0.9}
    return settings.with_settings(classic_cnn(), changes)


@pytest.fixture(scope="module")
def finished(idx: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of two epochs; read only."""
    return training_run.start(recipe(idx, 2), tmp_path_factory.mktemp("runs") / "a", Silent())


def contents(run: Run) -> dict[Path, bytes]:
    """The content of all files of a run, but for the lock."""
    return {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.mark.slow
def test_a_longer_run_ends_as_one_of_that_length(finished: Run, idx: Path, tmp_path: Path) -> None:
    """At a constant learning rate, with the same bits; the finished run is not changed."""
    before = contents(finished)
    longer = training_run.extend(finished.path, 4, tmp_path / "b", Silent())
    expected = training_run.start(recipe(idx, 4), tmp_path / "c", Silent())
    assert longer.weights.read_bytes() == expected.weights.read_bytes()
    rows = [[replace(row, seconds=0) for row in metrics_file.read(run.metrics)] for run in (longer, expected)]
    assert rows[0] == rows[1]
    assert longer.recipe() == recipe(idx, 4)
    assert contents(finished) == before


def test_a_longer_run_records_which_one_it_continues(finished: Run, tmp_path: Path) -> None:
    """In environment.json and in the model card; a finished run without environment.json gets none."""
    bare = Run(shutil.copytree(finished.path, tmp_path / "a"))
    bare.environment.unlink()
    longer = training_run.extend(bare.path, 3, tmp_path / "b", Silent())
    assert not bare.environment.exists()
    record = files.read_json(longer.environment)["continued_from"]
    assert (record["run"], record["epochs"], len(record["checkpoint_sha256"])) == ("a", 2, 64)
    assert "It continues the run `a`, from which its first 2 epochs are." in longer.card.read_text()
    assert run_info.read(finished).continued_epochs == 0
    assert "continues" not in finished.card.read_text()


@pytest.mark.slow
def test_a_longer_run_that_was_stopped_is_resumed(finished: Run, tmp_path: Path) -> None:
    """Also after a kill before its first step, and with the patience counted from where it begins."""
    longer = training_run.extend(finished.path, 4, tmp_path / "b", Silent())
    weights = longer.weights.read_bytes()
    killed = Run(shutil.copytree(longer.path, tmp_path / "killed"))
    for path in (killed.finished_marker, killed.model, killed.weights):
        path.unlink()
    shutil.copytree(finished.last, killed.last, dirs_exist_ok=True)
    assert training_run.resume(killed.path, Silent()).weights.read_bytes() == weights
    assert killed.card.read_text() == longer.card.read_text().replace("# b", "# killed")


@pytest.mark.slow
def test_a_run_that_was_stopped_early_is_trained_on(idx: Path, tmp_path: Path) -> None:
    """Its patience is counted anew."""
    changes = {"early_stopping.patience": 1, "early_stopping.monitor": "val_accuracy", "optimizer.lr": 1e-9}
    run = training_run.start(settings.with_settings(recipe(idx, 9), changes), tmp_path / "a", Silent())
    done = len(metrics_file.read(run.metrics))
    assert done < 9
    longer = training_run.extend(run.path, 9, tmp_path / "b", Silent())
    assert len(metrics_file.read(longer.metrics)) > done


def test_what_cannot_be_trained_on_is_refused(finished: Run, idx: Path, tmp_path: Path) -> None:
    """Too few epochs, a run that is not finished, one without checkpoint, a path in use; nothing is written."""
    broken = Run(shutil.copytree(finished.path, tmp_path / "broken"))
    shutil.rmtree(broken.last)
    with pytest.raises(InputError, match="cannot be resumed"):
        training_run.extend(broken.path, 4, tmp_path / "b", Silent())
    broken.finished_marker.unlink()
    with pytest.raises(InputError, match=r"is not finished. Resume it first"):
        training_run.extend(broken.path, 4, tmp_path / "b", Silent())
    with pytest.raises(InputError, match=r"has 2 epochs already. Give more with --epochs, as 4"):
        training_run.extend(finished.path, 2, tmp_path / "b", Silent())
    assert not (tmp_path / "b").exists()
    with pytest.raises(InputError, match="exists already"):
        training_run.extend(finished.path, 4, broken.path, Silent())


def test_the_name_has_the_number_of_epochs() -> None:
    """Of a run that continues another one, in place of that one's."""
    assert training_run.extended_name("my-cnn", 80) == "my-cnn-80-epochs"
    assert training_run.extended_name("my-cnn-80-epochs", 90) == "my-cnn-90-epochs"


@pytest.mark.slow
def test_the_command_trains_on_beside_the_run(idx: Path, tmp_path: Path) -> None:
    """Under a name with the number of epochs, or under --name."""
    run_in_process(tmp_path, "train", "classic-cnn", f"--data={idx}", "--name=a", "--epochs=1", *TINY, *OWN)
    assert "runs/a-2-epochs: 2 epochs" in run_in_process(tmp_path, "train", "--resume=runs/a", "--epochs=2").stdout
    run_in_process(tmp_path, "train", "--resume=runs/a", "--epochs=2", "--name=b")
    weights = [(tmp_path / "runs" / name / "model.safetensors").read_bytes() for name in ("a-2-epochs", "b")]
    assert weights[0] == weights[1]
    assert "under its own name" in run_in_process(tmp_path, "train", "--resume=runs/a", "--name=c", code=2).stderr
    arguments = ("train", "--resume=runs/a", "--epochs=3", "--name=a/../../b")
    assert "without '..'" in run_in_process(tmp_path, *arguments, code=2).stderr


def test_no_epochs_are_a_number_of_epochs(tmp_path: Path) -> None:
    """The option is not ignored, as if the run was resumed to its own number."""
    write_run(tmp_path / "a").finished_marker.unlink()
    message = run_in_process(tmp_path, "train", "--resume=a", "--epochs=0", code=2).stderr
    assert "Resume it first, without --epochs" in message
