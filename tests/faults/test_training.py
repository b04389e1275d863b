"""Trainings that are killed, stopped, resumed elsewhere, or short of space (faults 26 to 31, 34 and 43)."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from helpers.command import TINY, run_in_process, start, wait_until
from helpers.progress import Silent
from helpers.runs import write_run
from modiste.errors import InputError
from modiste.recipes import named, settings
from modiste.runs import files, folder
from modiste.runs.folder import Run
from modiste.training import compute, run_environment
from modiste.training import run as training_run
from modiste.training.build import build_training

EXACT = ("--set=compute.precision=fp32",)
FAST = {"optimizer.batch_size": 20, "compute.precision": "fp32"}


@pytest.fixture
def started(idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of an epoch that was stopped before its first step; it ends before the export, which takes long."""
    monkeypatch.setattr(training_run, "finish", lambda training, run: run.finished_marker.touch())
    changes = {"data.source": str(idx), "schedule.epochs": 1, "model.name": "residual", "model.width": 2}
    return folder.create(tmp_path / "started", settings.with_settings(named.sprint(), {**changes, **FAST}))


def record(run: Run, **changes: object) -> None:
    """Write what the start of a run recorded, with changes."""
    training = build_training(run.recipe())
    files.write_json(run.environment, {**run_environment.describe(training), **changes})


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_fault_34_a_signal_in_the_last_step_of_a_training_is_one_line(
    number: int, code: int, idx: Path, tmp_path: Path
) -> None:
    """The export to ONNX ends at once, and the run can be resumed."""
    process = start(tmp_path, "train", "sprint", f"--data={idx}", "--epochs=1", "--name=a", *TINY, *EXACT)
    run = Run(tmp_path / "runs" / "a")
    wait_until(run.layers.exists, process)  # the last file before the export
    time.sleep(0.2)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, run.finished) == (code, False), err
    assert err.splitlines()[-1] == "modiste: Stopped. Resume with: modiste train --resume runs/a"
    assert "Traceback" not in err
    run_in_process(tmp_path, "train", "--resume=runs/a")
    assert run.finished
    assert not list(run.path.rglob("*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_fault_34_a_signal_during_an_export_is_one_line(number: int, tmp_path: Path) -> None:
    """Nothing is written, and nothing is left in the folder of temporary files."""
    run, temporary, work = write_run(tmp_path / "run"), tmp_path / "temporary", tmp_path / "work"
    temporary.mkdir()
    work.mkdir()
    command = [sys.executable, "-m", "modiste", "export", str(run.path), "--int8", "--out=a.onnx"]
    variables = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen(command, cwd=work, env=variables, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: any(temporary.iterdir()), process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (128 + number, "modiste: Stopped.")
    assert [*temporary.iterdir(), *work.iterdir()] == []


def test_fault_43_a_resumed_training_keeps_its_number_of_threads(started: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which decides the last bits of its sums; a new training uses what the machine has."""
    record(started, threads=3)
    threads: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    training_run.resume(started.path, Silent())
    assert threads == [3]


def test_fault_43_a_training_is_not_resumed_on_another_device(started: Run) -> None:
    """A GPU gives other weights than a CPU."""
    record(started, device="NVIDIA H200")
    with pytest.raises(InputError, match="was started on NVIDIA H200, but here is cpu"):
        training_run.resume(started.path, Silent())
    assert not started.metrics.exists()


def test_fault_43_a_training_of_a_cpu_is_resumed_there_beside_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `auto` would choose the GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    options = named.sprint().compute
    assert compute.resolve_device(options, original="cpu").type == "cpu"
    assert compute.resolve_device(options).type == "cuda"


def test_fault_43_another_processor_is_named(started: Run, caplog: pytest.LogCaptureFixture) -> None:
    """As its instructions may give other last bits; without a difference there is no warning."""
    record(started)
    training_run.resume(started.path, Silent())
    assert "was started on" not in caplog.text
    started.finished_marker.unlink()
    record(started, hardware="another one")
    training_run.resume(started.path, Silent())
    assert "was started on another one" in caplog.text


@pytest.mark.parametrize("threads", ["99999", "1025", "-1"])
def test_fault_43_a_number_of_threads_that_no_machine_has_is_refused(threads: str, tmp_path: Path) -> None:
    """It would end the process in the middle of the training."""
    finished = run_in_process(tmp_path, "train", "sprint", f"--set=compute.threads={threads}", code=2)
    assert "compute.threads" in finished.stderr
    assert "at most 1024" in finished.stderr


def test_fault_29_the_record_of_a_broken_step_goes_when_the_step_succeeds(started: Run) -> None:
    """After a resume with which nothing was wrong."""
    files.write_json(started.broken_step, {"epoch": 1, "step": 1, "images": [0]})
    training_run.resume(started.path, Silent())
    assert started.finished
    assert not started.broken_step.exists()
