"""The benchmarks, on tiny data: real processes, one after the other."""

import gzip
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from helpers.command import environment
from helpers.idx import write_idx_folder
from modiste.recipes import settings
from modiste.recipes.named import sprint
from modiste.recipes.recipe import Recipe

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import one of the scripts, as another of them would."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module


def tiny(idx: Path, **more: object) -> Recipe:
    """`sprint`, small enough for a test."""
    small = {"data.source": str(idx), "network.width": 2, "optimizer.batch": 20, "compute.threads": 1}
    return settings.with_settings(sprint(), small | more)


def test_a_race_trains_and_predicts_once(idx: Path, script: Any) -> None:
    """The record has the time with its parts, both accuracies, and one opening of the test split."""
    record = script("race").race(tiny(idx))
    parts = (record[f"seconds_{part}"] for part in ("reading", "training", "predicting"))
    assert abs(record["seconds"] - sum(parts)) < 1e-6
    assert (record["split"], record["openings"]) == ("test", 1)
    assert record["epochs"] == sprint().schedule.epochs
    assert 0 <= record["accuracy"] <= 1
    assert 0 <= record["accuracy_mirrored"] <= 1


def test_a_race_for_choices_leaves_the_test_split_sealed(idx: Path, script: Any) -> None:
    """With a fold held out, it is judged on that, and the test files may as well not be there."""
    for file in idx.glob("t10k*"):
        file.unlink()
    record = script("race").race(tiny(idx, **{"data.validation": 0.2}))
    assert (record["split"], record["openings"]) == ("validation", 0)
    assert record["images"] > 0


def test_a_sitting_is_written_down_and_goes_on(idx: Path, tmp_path: Path) -> None:
    """Each training is a process of its own and is not run twice; the results have a row a contestant, and a chart."""
    (tmp_path / "tiny.json").write_text(settings.to_json(tiny(idx, **{"schedule.epochs": 1})))
    command = [
        sys.executable,
        str(BENCHMARKS / "time_to_accuracy.py"),
        "--recipe",
        "tiny.json=2",
        "--loop",
        "0",
    ]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    assert "..." not in done.stdout
    written = json.loads((tmp_path / "results" / "time_to_accuracy.json").read_text())
    (row,) = written["contestants"]
    assert (row["recipe"], row["n"], len(written["runs"])) == ("tiny.json", 2, 2)
    assert {run["seed"] for run in written["runs"]} == {0, 1}
    assert all(run["seconds_importing"] > 0 for run in written["runs"])
    assert (tmp_path / "docs" / "time_to_accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_a_trick_is_compared_seed_by_seed(
    idx: Path, tmp_path: Path, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe differs from itself by nothing; a trick has its settings, its difference and its share of the time."""
    tricks = script("tricks")
    recipe = tmp_path / "tiny.json"
    recipe.write_text(settings.to_json(tiny(idx, **{"schedule.epochs": 1})))
    monkeypatch.setattr(tricks, "AS_IT_IS", str(recipe))
    monkeypatch.setattr(tricks, "TRICKS", {str(recipe): (), "without smoothing": ("optimizer.smoothing=0",)})
    monkeypatch.setattr(sys, "argv", ["tricks.py", "--seeds", "2"])
    monkeypatch.chdir(tmp_path)
    tricks.main()
    written = json.loads((tmp_path / "results" / "tricks.json").read_text())
    itself, without = written["tricks"]
    assert (itself["difference"], itself["seconds_ratio"]) == (0, 1)
    assert (without["settings"], without["n"]) == (["optimizer.smoothing=0"], 2)
    assert without["difference_interval"][0] <= without["difference"] <= without["difference_interval"][1]
    assert {run["split"] for run in written["runs"]} == {"validation"}


def test_every_trick_is_a_setting_of_the_recipe(script: Any) -> None:
    """Each row can be trained, and changes what the recipe does."""
    for name, given in script("tricks").TRICKS.items():
        changed = settings.with_settings(sprint(), dict(map(settings.parse_setting, given)))
        assert (changed == sprint()) == (name == "sprint")


def test_the_machine_is_measured_with_the_step(
    idx: Path, tmp_path: Path, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shares of a step add up, and no step is faster than the machine."""
    (tmp_path / "tiny.json").write_text(settings.to_json(tiny(idx)))
    machine = script("machine")
    monkeypatch.setattr(machine, "TIMES", 2)
    monkeypatch.setattr(sys, "argv", ["machine.py", str(tmp_path / "tiny.json"), "--out", str(tmp_path / "m.json")])
    machine.main()
    (run,) = json.loads((tmp_path / "m.json").read_text())["runs"]
    assert sum(run["parts"].values()) == pytest.approx(1)
    assert 0 < run["share_of_matrix_product"] < 1
    assert run["limits"].keys() == {"matrix_product", "convolution", "copy"}


@pytest.mark.parametrize("more", [[], ["--validation"]])
def test_the_plain_loop_trains_from_torchvisions_files(tmp_path: Path, more: list[str]) -> None:
    """It runs as a script, on the files as torchvision lays them out, and prints its record."""
    raw = write_idx_folder(tmp_path / "FashionMNIST" / "raw", train=60)
    for file in raw.glob("*.gz"):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
    command = [sys.executable, str(BENCHMARKS / "plain_loop.py"), str(tmp_path), "--epochs", "1", *more]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    record = json.loads(done.stdout)
    assert (record["epochs"], record["split"]) == (1, "validation" if more else "test")
    assert 0 <= record["accuracy"] <= 1
