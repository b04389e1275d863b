"""One training in two processes, which torchrun starts: the same weights in both, and it resumes after a kill."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from scaling_ranks import TORCHRUN, ranks_of

from helpers.command import OWN, TINY, TRICKS, environment, parse, wait_until
from helpers.command import modiste as run_modiste
from helpers.training import train_steps
from modiste.errors import SettingError
from modiste.recipes import settings
from modiste.recipes.named import classic_cnn
from modiste.recipes.recipe import Recipe
from modiste.runs import files, metrics_file
from modiste.training import ranks
from modiste.training.build import build_training
from modiste.training.ranks import Ranks

EXACT = ("--set=compute.threads=1", "--set=compute.precision=fp32", "--set=early_stopping.patience=0")


def torchrun(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start two processes in a folder."""
    variables = environment(PYTHONWARNINGS="ignore", **(env or {}))
    command = [*TORCHRUN, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=variables, stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    """Wait for the end; require the exit code."""
    out, err = process.communicate(timeout=500)
    assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
    return out, err


def tiny(idx: Path, **changes: object) -> Recipe:
    """A recipe that trains in seconds."""
    values = {**parse(*TINY, *EXACT), "data.source": str(idx), "schedule.epochs": 3, **changes}
    return settings.with_settings(classic_cnn(), values)


@pytest.mark.slow
def test_both_processes_have_the_same_weights(idx: Path, tmp_path: Path) -> None:
    """After every epoch, with dropout, augmentation, batch norm and a moving average."""
    files.write_text(tmp_path / "recipe.json", settings.to_json(tiny(idx, **parse(*TRICKS, *OWN))))
    out, _ = finish(torchrun(tmp_path, "-m", "helpers.ranks", "recipe.json", str(tmp_path)))
    hashes = dict(re.findall(r"(epoch \d+ rank \d+) (\w+)", out))
    assert len(hashes) == 6
    for epoch in (1, 2, 3):
        assert hashes[f"epoch {epoch} rank 0"] == hashes[f"epoch {epoch} rank 1"]
    assert len(set(hashes.values())) == 3


@pytest.mark.slow
def test_without_randomness_two_processes_are_one(idx: Path, tmp_path: Path) -> None:
    """A network without batch norm and dropout gets the gradients of the batch, up to the order of sums."""
    recipe = tiny(idx, **{"model.name": "helpers.factories:deep", "augmentation.horizontal_flip": False})
    files.write_text(tmp_path / "recipe.json", settings.to_json(recipe))
    finish(torchrun(tmp_path, "-m", "helpers.ranks", "recipe.json", str(tmp_path)))
    training = build_training(recipe)
    train_steps(training)
    saved = load_file(tmp_path / "checkpoint.safetensors")
    for name, value in training.state.network.state_dict().items():
        torch.testing.assert_close(saved[f"network/{name}"], value, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_running_statistics_are_those_of_the_whole_batch(idx: Path, tmp_path: Path) -> None:
    """The mean of the slices' means is that of the batch."""
    changes = {"model.name": "helpers.factories:normalized", "augmentation.horizontal_flip": False}
    recipe = tiny(idx, **changes, **{"schedule.epochs": 1, "data.max_train_images": 20})
    files.write_text(tmp_path / "recipe.json", settings.to_json(recipe))
    finish(torchrun(tmp_path, "-m", "helpers.ranks", "recipe.json", str(tmp_path)))
    training = build_training(recipe)
    train_steps(training)
    saved = load_file(tmp_path / "checkpoint.safetensors")
    expected = {name: value for name, value in training.state.network.named_buffers() if "running_mean" in name}
    assert expected
    for name, value in expected.items():
        torch.testing.assert_close(saved[f"network/{name}"], value)


@pytest.mark.slow
def test_a_training_resumes_after_a_kill_of_either_process(idx: Path, tmp_path: Path) -> None:
    """With the same torchrun, to bit-identical weights; one process may not resume what two have started."""
    command = ["-m", "modiste", "train", "classic-cnn", f"--data={idx}", *TINY, *EXACT, *TRICKS, "--epochs=12"]
    finish(torchrun(tmp_path, *command, "--name=unbroken"))
    killed, saved = tmp_path / "runs/killed", tmp_path / "runs/killed/last/checkpoint.safetensors"
    process = torchrun(tmp_path, *command, "--name=killed")
    for rank in (1, 0):
        rows = len(metrics_file.read(killed / "metrics.csv")) if saved.exists() else 0
        end = time.monotonic() + 300
        while not saved.exists() or len(metrics_file.read(killed / "metrics.csv")) < rows + 2:
            assert time.monotonic() < end
            time.sleep(0.05)
        os.kill(ranks_of(process.pid)[rank], signal.SIGKILL)
        _, err = process.communicate(timeout=300)
        assert process.returncode != 0
        assert not (killed / "finished").exists(), err
        if rank == 1:
            assert "modiste train --resume runs/killed" in err
            alone = run_modiste(tmp_path, "train", "--resume", "runs/killed", code=2)
            assert "was started with 2 processes, not 1" in alone.stderr
        process = torchrun(tmp_path, "-m", "modiste", "train", "--resume", "runs/killed")
    finish(process)
    weights = [(tmp_path / "runs" / name / "model.safetensors").read_bytes() for name in ("unbroken", "killed")]
    assert weights[0] == weights[1]


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_torchrun_leaves_what_resumes(signal_number: int, idx: Path, tmp_path: Path) -> None:
    """It stops all processes after their step; the first says how to resume, to the bits of an unbroken training."""
    command = ["-m", "modiste", "train", "classic-cnn", f"--data={idx}", *TINY, *EXACT, *TRICKS, "--epochs=30"]
    metrics = tmp_path / "runs/stopped/metrics.csv"
    process = torchrun(tmp_path, *command, "--name=stopped")
    wait_until(lambda: metrics.exists() and len(metrics_file.read(metrics)) >= 2, process)
    process.send_signal(signal_number)
    _, err = process.communicate(timeout=300)
    assert process.returncode != 0
    assert "forcefully exiting" not in err  # after the half minute that torchrun waits for its processes
    advice = "modiste: Stopped. Resume with: the same torchrun options and: -m modiste train --resume runs/stopped\n"
    assert err.count(advice) == 1
    assert 2 <= len(metrics_file.read(metrics)) < 30
    finish(torchrun(tmp_path, "-m", "modiste", "train", "--resume", "runs/stopped"))
    finish(torchrun(tmp_path, *command, "--name=unbroken"))
    weights = [(tmp_path / "runs" / name / "model.safetensors").read_bytes() for name in ("unbroken", "stopped")]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_an_error_of_all_is_printed_once(idx: Path, tmp_path: Path) -> None:
    """By the first process."""
    command = ["-m", "modiste", "train", "classic-cnn", f"--data={idx}", "--set=optimizer.batch_size=21"]
    _, err = finish(torchrun(tmp_path, *command), code=1)
    assert (
        err.count("modiste: optimizer.batch_size is 21, but 2 processes share each batch. Choose a multiple of 2.") == 1
    )
    assert not (tmp_path / "runs").exists()


def test_slices_cover_a_batch() -> None:
    """Each process has a part; one process has all."""
    values = torch.arange(7)
    assert torch.cat([Ranks(rank, 3).slice(values) for rank in range(3)]).tolist() == values.tolist()
    assert ranks.SINGLE.slice(values) is values
    assert ranks.SINGLE.gather(values, 7) is values


@pytest.mark.parametrize(("batch_size", "images", "message"), [(10, 99, "multiple of 3"), (12, 9, "fewer than")])
def test_batches_that_cannot_be_shared_are_refused(batch_size: int, images: int, message: str) -> None:
    """Before anything is trained."""
    with pytest.raises(SettingError, match=message):
        Ranks(0, 3).require_equal_slices(batch_size, images)
    ranks.SINGLE.require_equal_slices(batch_size, images)
