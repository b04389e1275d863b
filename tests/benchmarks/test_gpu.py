"""The script for a GPU, on the CPU and on tiny data."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gpu
import pytest
import torch

from helpers.command import environment
from modiste.recipes import settings
from modiste.recipes.named import sprint
from modiste.recipes.recipe import Recipe

ROOT = Path(__file__).parents[2]


def tiny(idx: Path, name: str, **more: object) -> Recipe:
    """A recipe that trains within a second."""
    small = {"data.source": str(idx), "model.width": 2, "optimizer.batch_size": 20, "compute.threads": 1, "name": name}
    return settings.with_settings(sprint(), {**small, "compute.precision": "fp32", "schedule.epochs": 2, **more})


@pytest.fixture
def plan(idx: Path, tmp_path: Path) -> Any:
    """Three short trainings, and two long ones, with plenty of time."""
    end = time.monotonic() + 600
    return gpu.Plan(tiny(idx, "short"), (tiny(idx, "long"),), 3, 2, tmp_path, end, "benchmarks/gpu.sh", ("tests/none",))


def read(plan: Any, name: str) -> dict[str, Any]:
    """A results file of the plan."""
    content: dict[str, Any] = json.loads((plan.folder / f"gpu-{name}.json").read_text())
    return content


def test_each_training_is_written_when_it_ends(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third fails; the file has the first two, with mean, spread and openings of the test split."""
    train, seeds = gpu.time_training, []

    def fail_at_the_third(recipe: Recipe) -> dict[str, Any]:
        seeds.append(recipe.seed)
        if recipe.seed == 2:
            raise RuntimeError("out of memory")
        record: dict[str, Any] = train(recipe)
        return record

    monkeypatch.setattr(gpu, "time_training", fail_at_the_third)
    with pytest.raises(RuntimeError, match="out of memory"):
        gpu.time_to_accuracy(plan)
    content = read(plan, "short")
    assert seeds == [0, 0, 1, 2]  # the first warms up
    assert [run["seed"] for run in content["runs"]] == [0, 1]
    assert (content["n"], content["planned"], content["openings"]) == (2, 3, 2)
    assert content["seconds_interval"][0] <= content["seconds"] <= content["seconds_interval"][1]
    assert 0 <= content["at_target"] <= 2
    assert content["runs"][0]["device"] == "cpu"


def test_no_training_starts_that_would_end_too_late(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is expected to take as long as the longest so far."""
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(gpu.time, "monotonic", lambda: float(next(clock)))
    object.__setattr__(plan, "end", 45.0)
    monkeypatch.setattr(gpu, "time_training", lambda recipe: record(recipe.seed))
    assert len(gpu.time_to_accuracy(plan)) == 2
    assert read(plan, "short")["planned"] == 3


def record(seed: int, seconds: float = 10.0) -> dict[str, Any]:
    """The record of a training."""
    times = {"seconds": seconds, "seconds_training": seconds, "seconds_reading": 0.0}
    return {"seed": seed, "accuracy": 0.94, "accuracy_flip_tta": 0.95, "images": 10_000, "openings": 1, **times}


@pytest.mark.slow
def test_long_trainings_run_in_parallel(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their records are collected; no other file stays behind."""
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    (records,) = gpu.train_long(plan)
    assert [each["seed"] for each in records] == [0, 1]
    assert read(plan, "long")["n"] == 2
    assert [path.name for path in plan.folder.iterdir()] == ["gpu-long.json"]


def test_a_long_training_that_does_not_fit_is_left_out(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file says how long it needs: 399 epochs of 40 % of the images, and half as much again beside another."""
    monkeypatch.setattr(gpu, "time_training", lambda recipe: record(recipe.seed))
    long = settings.with_settings(plan.long[0], {"schedule.epochs": 400, "schedule.skip_easy_fraction": 0.6})
    assert gpu.estimate_seconds(long) == pytest.approx(10 + 399 * 0.4 * 10)
    object.__setattr__(plan, "long", (long,))
    assert gpu.train_long(plan) == [[]]
    content = read(plan, "long")
    assert (content["n"], content["planned"]) == (0, 2)
    assert content["note"].startswith("left out: it needs about 2409 s")


def test_trainings_are_ended_with_the_time(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs longer than estimated is killed, and nothing of it is claimed."""
    monkeypatch.setattr(gpu, "estimate_seconds", lambda recipe: 0.0)
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    processes = []

    def start(*_: object) -> subprocess.Popen[bytes]:
        processes.append(subprocess.Popen(sleeping))
        return processes[-1]

    monkeypatch.setattr(gpu, "_start", start)
    object.__setattr__(plan, "end", time.monotonic() + 1)
    assert gpu.train_long(plan) == [[]]
    assert all(process.poll() is not None for process in processes)
    assert "no training ended" in read(plan, "long")["note"]


@pytest.mark.slow
def test_the_counts_of_the_tests_are_written(plan: Any, tmp_path: Path) -> None:
    """Of the tests marked cuda: one passes, one fails, one is skipped, and one is not marked."""
    lines = ["import pytest", *("@pytest.mark.cuda\ndef test_1(): pass", "@pytest.mark.cuda\ndef test_2(): assert 0")]
    lines += ["@pytest.mark.cuda\n@pytest.mark.skip\ndef test_3(): pass", "def test_4(): pass"]
    file = tmp_path / "test_marked.py"
    file.write_text("\n".join(lines))
    object.__setattr__(plan, "tests", (str(file),))
    counts = gpu.run_tests(plan)
    assert [counts[key] for key in ("passed", "failed", "skipped", "exit_code")] == [1, 1, 1, 1]
    assert read(plan, "tests")["runs"][0]["passed"] == 1


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_script_needs_a_gpu_and_runs_anywhere(tmp_path: Path) -> None:
    """From any folder, with the Python of PYTHON; without a GPU it says so and writes nothing."""
    command = [str(ROOT / "benchmarks" / "gpu.sh"), "--out", str(tmp_path / "out")]
    variables = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "PyTorch sees no CUDA GPU here" in done.stderr
    assert not (tmp_path / "out").exists()
