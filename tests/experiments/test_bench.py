"""Many trainings of one recipe, with real processes."""

import json
import signal
import time
from pathlib import Path

import pytest

from helpers.command import TINY, inside, start
from helpers.idx import write_idx_folder
from modiste.errors import InputError
from modiste.experiments import bench
from modiste.metrics import intervals
from modiste.recipes.named import classic_cnn, sprint


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    """Arguments that make a bench a matter of seconds."""
    write_idx_folder(tmp_path / "idx", train=200, test=40)
    return ["classic-cnn", f"--set=data.source={tmp_path / 'idx'}", "--set=schedule.epochs=2", *TINY, "--name=small"]


def test_seeds_become_a_results_file(small: list[str], tmp_path: Path) -> None:
    """Two seeds leave mean, both intervals and a record each; a second call trains nothing again."""
    told = json.loads(inside(tmp_path, "bench", *small, "--seeds=2", "--jobs=2", "--json").stdout)
    assert json.loads((tmp_path / "results" / "small.json").read_text()) == told
    assert told["n"] == 2
    assert told["split"] == "test"
    assert [run["seed"] for run in told["runs"]] == [0, 1]
    assert told["mean"] == pytest.approx(sum(run["accuracy"] for run in told["runs"]) / 2)
    assert told["interval_seeds"][0] <= told["mean"] <= told["interval_seeds"][1]
    assert told["settings"]["schedule.epochs"] == 2
    assert "seed" not in told["settings"]
    assert "--set optimizer.batch_size=20" in told["command"]
    home = tmp_path / "runs" / "bench" / "small"
    assert sorted(file.name for file in (home / "seed-0").iterdir()) == [
        ".lock",
        "README.md",
        "confusion.png",
        "curves.png",
        "environment.json",
        "finished",
        "layers.json",
        "metrics.csv",
        "mistakes.png",
        "probabilities.npz",
        "recipe.json",
        "scores.json",
    ]
    again = inside(tmp_path, "bench", *small, "--seeds=2")
    assert "training" not in again.stderr


def test_folds_leave_the_test_split_sealed(small: list[str], tmp_path: Path) -> None:
    """Each of the folds is held out once and judged; test is not opened."""
    told = json.loads(inside(tmp_path, "bench", *small, "--folds", "--set=data.val_fraction=0.5", "--json").stdout)
    assert [run["fold"] for run in told["runs"]] == [0, 1]
    assert told["split"] == "validation"
    images = sum(run["images"] for run in told["runs"])  # each fold has its own
    assert told["interval_images"] == list(intervals.wilson_interval(round(told["mean"] * images), images))
    for run in (tmp_path / "runs" / "bench" / "small").glob("*/scores.json"):
        assert json.loads(run.read_text())["test_openings"] == 0


def test_a_bench_of_another_recipe_is_not_mixed_in(small: list[str], tmp_path: Path) -> None:
    """Runs of the same name with other settings are an error, not a part of the mean."""
    inside(tmp_path, "bench", *small, "--seeds=1")
    done = inside(tmp_path, "bench", *small, "--seeds=1", "--set=optimizer.lr=0.1", code=2)
    assert "holds another recipe" in done.stderr


def test_a_stopped_bench_goes_on(small: list[str], tmp_path: Path) -> None:
    """SIGTERM is passed on, leaves resumable runs and 143; the same command finishes them."""
    long = [*small, "--set=schedule.epochs=60", "--seeds=2"]
    process = start(tmp_path, "bench", *long)
    log = tmp_path / "runs" / "bench" / "small" / "seed-0" / "metrics.csv"
    while not log.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "The same bench command goes on" in err
    assert not (tmp_path / "runs" / "bench" / "small" / "seed-1").exists()
    assert json.loads(inside(tmp_path, "bench", *long, "--json").stdout)["n"] == 2


def test_another_recipe_needs_another_name(tmp_path: Path) -> None:
    """With --set and no --name the results file of the recipe itself is not overwritten."""
    assert "give it a --name" in inside(tmp_path, "bench", "sprint", "--set=optimizer.lr=1", code=2).stderr


def test_a_training_that_fails_fails_the_bench(small: list[str], tmp_path: Path) -> None:
    """The exit code and the sentence are those of the training, and no other seed is begun."""
    done = inside(tmp_path, "bench", *small, "--seeds=2", "--set=optimizer.lr=1e30", code=3)
    assert "not a number" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "runs" / "bench" / "small" / "seed-1").exists()


def test_seeds_and_folds_differ_in_nothing_else() -> None:
    """The trainings of a bench are the recipe with seeds 0.. or folds 0.., none left out."""
    assert [recipe.seed for recipe in bench.over_seeds(sprint(), 3)] == [0, 1, 2]
    assert [recipe.data.fold for recipe in bench.over_folds(classic_cnn())] == [0, 1, 2, 3, 4]
    with pytest.raises(InputError, match="has no folds"):
        bench.over_folds(sprint())
