"""The benchmarks' contestants, on tiny data."""

import gzip
import json
import runpy
import subprocess
import sys
from pathlib import Path

from helpers.command import environment
from helpers.idx import write_idx_folder
from modiste.recipes import settings
from modiste.recipes.named import sprint

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_a_race_trains_and_predicts_once(idx: Path) -> None:
    """The record has the time with its parts, both accuracies, and one opening of the test split."""
    tiny = {"data.source": str(idx), "network.width": 2, "optimizer.batch": 20, "compute.threads": 1}
    record = runpy.run_path(str(BENCHMARKS / "race.py"))["race"](settings.with_settings(sprint(), tiny))
    parts = (record[f"seconds_{part}"] for part in ("reading", "training", "predicting"))
    assert abs(record["seconds"] - sum(parts)) < 1e-6
    assert record["test_openings"] == 1
    assert record["epochs"] == 6
    assert 0 <= record["test_accuracy"] <= 1
    assert 0 <= record["test_accuracy_mirrored"] <= 1


def test_a_sitting_is_written_down_and_goes_on(idx: Path, tmp_path: Path) -> None:
    """Each training is a process of its own and is not run twice; the results have a row a contestant."""
    tiny = {"data.source": str(idx), "network.width": 2, "optimizer.batch": 20, "schedule.epochs": 1}
    (tmp_path / "tiny.json").write_text(settings.to_json(settings.with_settings(sprint(), tiny)))
    command = [sys.executable, str(BENCHMARKS / "time_to_accuracy.py"), "--recipe", "tiny.json=2", "--loop", "0"]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    assert "..." not in done.stdout
    written = json.loads((tmp_path / "results" / "time_to_accuracy.json").read_text())
    (row,) = written["contestants"]
    assert (row["recipe"], row["n"], len(written["runs"])) == ("sprint", 2, 2)
    assert {run["seed"] for run in written["runs"]} == {0, 1}
    assert all(run["seconds_importing"] > 0 for run in written["runs"])


def test_the_plain_loop_trains_from_torchvisions_files(tmp_path: Path) -> None:
    """It runs as a script, on the files as torchvision lays them out, and prints its record."""
    raw = write_idx_folder(tmp_path / "FashionMNIST" / "raw", train=60)
    for file in raw.glob("*.gz"):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
    command = [sys.executable, str(BENCHMARKS / "plain_loop.py"), str(tmp_path), "--epochs", "1"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    record = json.loads(done.stdout)
    assert record["epochs"] == 1
    assert 0 <= record["test_accuracy"] <= 1
