"""Stopped trainings resume, and end with bit-identical weights."""

import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from helpers.command import OWN, TINY, TRICKS, parse, run_in_process, start, wait_until
from helpers.idx import write_idx_folder
from helpers.photos import fill, noise
from helpers.progress import Silent
from helpers.training import train_steps
from modiste.errors import InputError
from modiste.recipes import settings
from modiste.recipes.named import classic_cnn, photo
from modiste.recipes.recipe import Recipe
from modiste.runs import files, folder, metrics_file
from modiste.runs.folder import CHECKPOINT, Run
from modiste.runs.metrics_file import EpochMetrics
from modiste.training import checkpoint, compute
from modiste.training import run as training_run
from modiste.training.build import build_training
from modiste.training.loop import State
from modiste.training.step import NotANumber

Reset = Callable[[State], object]

EXACT = ("--set=compute.threads=1", "--set=compute.precision=fp32")
"""For trainings that are compared bit by bit, since `precision=auto` might choose differently for two of them."""


def recipe(idx: Path) -> Recipe:
    """All tricks, epochs of eight, six and six steps, and early stopping, so that the best weights are stored."""
    changes = parse(*TINY, *OWN, *TRICKS)
    changes |= {"data.source": str(idx), "schedule.epochs": 3, "optimizer.lr": 0.05, "early_stopping.patience": 9}
    changes |= {"compute.precision": "fp32"}  # auto might choose differently for two of them
    return settings.with_settings(classic_cnn(), changes)


def train_or_resume(recipe: Recipe, folder: Path, stop_after: int | None = None, reset: Reset | None = None) -> State:
    """Train from the start, or with `reset` from the checkpoint with that part of the state reset; return the state."""
    training = build_training(recipe, initialize=reset is None)
    if reset:
        checkpoint.load(training.state, folder)
        reset(training.state)
    train_steps(training, lambda state: checkpoint.save(state, folder), stop_after)
    return training.state


def is_same_state(one: State, other: State) -> bool:
    """Whether weights, best weights, momentum and all metrics except the seconds are bit-identical."""
    tensors = [{**checkpoint._tensors(state)} for state in (one, other)]
    rows = [[replace(row, seconds=0) for row in state.history] for state in (one, other)]
    return (
        rows[0] == rows[1]
        and tensors[0].keys() == tensors[1].keys()
        and all(torch.equal(value, tensors[1][name]) for name, value in tensors[0].items())
    )


@pytest.mark.parametrize("optimizer", ["sgd", "muon", "adamw", "torch.optim:RAdam"])
@pytest.mark.parametrize("stop_after", [1, 7, 8, 13, 19])
def test_a_stopped_training_resumes_bit_identically(idx: Path, tmp_path: Path, stop_after: int, optimizer: str) -> None:
    """Stopped at the first, the last or any step of an epoch, it ends as an uninterrupted one (fault 27)."""
    options = settings.with_settings(recipe(idx), {"optimizer.name": optimizer})
    uninterrupted = train_or_resume(options, tmp_path / "a")
    train_or_resume(options, tmp_path / "b", stop_after)
    assert is_same_state(uninterrupted, train_or_resume(options, tmp_path / "b", reset=lambda state: None))


def test_a_training_with_factories_of_the_users_own_resumes(idx: Path, tmp_path: Path) -> None:
    """Optimizer with numbers in its state, loss, schedule and class weights."""
    changes = {
        "optimizer.name": "helpers.factories:Counting",
        "optimizer.lr": 1e-4,
        "schedule.name": "helpers.factories:polynomial",
        "loss.name": "helpers.factories:focal",
        "loss.class_weights": "balanced",
        "augmentation.mixup_prob": 0.0,
    }
    options = settings.with_settings(recipe(idx), changes)
    uninterrupted = train_or_resume(options, tmp_path / "a")
    train_or_resume(options, tmp_path / "b", stop_after=9)
    assert is_same_state(uninterrupted, train_or_resume(options, tmp_path / "b", reset=lambda state: None))


@pytest.mark.slow
def test_a_training_from_pretrained_weights_resumes(tmp_path: Path) -> None:
    """Frozen layers are in the checkpoint, and the pretrained weights are not loaded again."""
    for name in ("coats", "hats"):
        fill(tmp_path / "photos" / name, 10, lambda number: Image.fromarray(noise(32, number)))
    small = {
        "data.source": str(tmp_path / "photos"),
        "data.image_size": 32,
        "augmentation.train_size": 24,
        "compute.threads": 1,
        "model.fold_batch_norm": True,
        "model.freeze_depthwise": True,
        "optimizer.name": "adamw",
    }
    options = settings.with_settings(photo(), {**small, "optimizer.batch_size": 4, "schedule.epochs": 2})
    uninterrupted = train_or_resume(options, tmp_path / "a")
    train_or_resume(options, tmp_path / "b", stop_after=5)
    assert is_same_state(uninterrupted, train_or_resume(options, tmp_path / "b", reset=lambda state: None))


@pytest.mark.slow
def test_distillation_resumes(idx: Path, tmp_path: Path) -> None:
    """Teachers have no state of their own."""
    for seed in (0, 1):
        run_in_process(
            tmp_path, "train", "sprint", f"--data={idx}", "--epochs=1", f"--seed={seed}", f"--name=t/{seed}", *TINY
        )
    changes = {"data.val_fraction": 0, "schedule.name": "constant", "early_stopping.patience": 0}
    options = settings.with_settings(
        recipe(idx), {**changes, "distillation.teachers": [f"{tmp_path}/runs/t/{seed}" for seed in (0, 1)]}
    )
    uninterrupted = train_or_resume(options, tmp_path / "a")
    train_or_resume(options, tmp_path / "b", stop_after=5)
    assert is_same_state(uninterrupted, train_or_resume(options, tmp_path / "b", reset=lambda state: None))


@pytest.mark.slow
def test_fault_43_a_resumed_training_has_the_recorded_precision(
    idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is chosen once and recorded with the setting; another machine might choose another one (fault 27)."""
    options = settings.with_settings(recipe(idx), {"compute.precision": "auto", "schedule.epochs": 1})
    choices = iter(("bf16", "fp32"))
    monkeypatch.setattr(compute, "choose_precision", lambda device: next(choices))
    complete, started = (
        training_run.start(options, tmp_path / "complete", Silent()),
        folder.create(tmp_path / "started", options),
    )
    shutil.copy(complete.environment, started.environment)  # as after a kill in the first epoch
    training_run.resume(started.path, Silent())
    assert _weights_and_rows(started.path) == _weights_and_rows(complete.path)
    record = files.read_json(started.environment)
    assert (record["precision"], record["precision_setting"]) == ("bf16", "auto")


@pytest.mark.slow
def test_a_run_is_resumed_with_moved_data(idx: Path, tmp_path: Path) -> None:
    """The recipe then has the new folder; data with other content is refused."""
    data, run = shutil.copytree(idx, tmp_path / "data"), tmp_path / "run"
    training_run.start(settings.with_settings(recipe(data), {"schedule.epochs": 1}), run, Silent())
    (run / "finished").unlink()
    data.rename(tmp_path / "moved")
    with pytest.raises(InputError, match="data does not exist"):
        training_run.resume(run, Silent())
    with pytest.raises(InputError, match=r"The data of .* has changed"):
        training_run.resume(run, Silent(), str(write_idx_folder(tmp_path / "other", train=210)))
    training_run.resume(run, Silent(), str(tmp_path / "moved"))
    assert Run(run).finished
    assert Run(run).recipe().data.source == str(tmp_path / "moved")


@pytest.mark.parametrize("place", ["loss", "gradient"])
def test_fault_29_nan_is_detected_before_the_update(idx: Path, tmp_path: Path, place: str) -> None:
    """NaN in the second epoch changes no weight, and the last checkpoint is that of the first epoch (fault 29)."""
    options, steps = recipe(idx), iter(range(1, 100))
    before = train_or_resume(options, tmp_path / "a", stop_after=10)

    def broken(value: Tensor) -> Tensor:
        return value * torch.nan if next(steps) == 11 else value

    training, saved = build_training(options), build_training(options).state
    network = training.state.network
    if place == "loss":
        network.register_forward_hook(lambda module, _, logits: broken(logits) if module.training else logits)
    else:
        next(network.parameters()).register_hook(broken)
    with pytest.raises(NotANumber, match=f"the {place} is not a number"):
        train_steps(training, lambda state: checkpoint.save(state, tmp_path / "b"))
    pairs = zip(network.parameters(), before.network.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    checkpoint.load(saved, tmp_path / "b")
    assert (len(saved.history), saved.step) == (1, 0)


@pytest.mark.slow
def test_a_run_without_its_checkpoint_is_not_restarted(idx: Path, tmp_path: Path) -> None:
    """A restart would overwrite its metrics."""
    run_in_process(tmp_path, "train", "sprint", f"--data={idx}", "--epochs=1", "--name=a", *TINY)
    run = tmp_path / "runs" / "a"
    (run / "finished").unlink()
    (run / "last" / "checkpoint.safetensors").unlink()
    before = (run / "metrics.csv").read_text()
    assert "no checkpoint" in run_in_process(tmp_path, "train", "--resume=runs/a", code=2).stderr
    assert (run / "metrics.csv").read_text() == before


def test_fault_26_a_damaged_checkpoint_is_refused(idx: Path, tmp_path: Path) -> None:
    """One flipped bit in the tensors is an error (fault 26)."""
    train_or_resume(recipe(idx), tmp_path, stop_after=3)
    file = tmp_path / CHECKPOINT
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        checkpoint.load(build_training(recipe(idx)).state, tmp_path)


def _reset_batch_norm(state: State) -> None:
    for layer in state.network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()


def _reset_average(state: State) -> None:
    assert state.ema
    state.ema.module.load_state_dict(state.network.state_dict())


def _reset_losses(state: State) -> None:
    state.losses.fill_(torch.inf)


RESETS: dict[str, Reset] = {
    "momentum": lambda state: [buffers[0].zero_() for buffers in state.optimizer.buffers],
    "batch norm": _reset_batch_norm,
    "average": _reset_average,
    "count of the average": lambda state: state.ema and state.ema.n_averaged.fill_(1),
    "step": lambda state: setattr(state, "step", 0),
    "totals": lambda state: state.totals.zero_(),
    "history": lambda state: state.history.pop(),
    "losses": _reset_losses,
    "order": lambda state: setattr(state, "order", state.order.flip(0)),
    "best weights": lambda state: setattr(state, "best_weights", {}),
}


@pytest.mark.parametrize("part", RESETS)
def test_resuming_needs_every_part_of_the_state(idx: Path, tmp_path: Path, part: str) -> None:
    """A training that resumes without one of them ends differently, so the comparison covers them all."""
    # the accuracy stops changing, so that the best weights are older than the stop
    options = settings.with_settings(recipe(idx), {"early_stopping.monitor": "val_accuracy", "optimizer.lr": 1e-9})
    uninterrupted = train_or_resume(options, tmp_path / "a")
    train_or_resume(options, tmp_path / "b", stop_after=13)
    assert not is_same_state(uninterrupted, train_or_resume(options, tmp_path / "b", reset=RESETS[part]))


def _weights_and_rows(run: Path) -> tuple[bytes, list[EpochMetrics]]:
    rows = [replace(row, seconds=0) for row in metrics_file.read(run / "metrics.csv")]
    return (run / "model.safetensors").read_bytes(), rows


@pytest.fixture(scope="module")
def signal_command(idx: Path) -> list[str]:
    """A training of 30 epochs that measures no precision."""
    options = ["--epochs=30", "--set=early_stopping.patience=0", "--name=a"]
    return ["train", "classic-cnn", f"--data={idx}", *TINY, *EXACT, *TRICKS, *options]


@pytest.fixture(scope="module")
def uninterrupted_weights(signal_command: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """The weights of that training when nothing stops it."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    run_in_process(folder, *signal_command)
    return load_file(folder / "runs" / "a" / "model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_fault_31_a_signal_leaves_a_resumable_run(
    tmp_path: Path, number: int, code: int, signal_command: list[str], uninterrupted_weights: dict[str, Tensor]
) -> None:
    """A signal saves a checkpoint and prints how to resume; the exit code is 128 + signal (fault 31)."""
    process = start(tmp_path, *signal_command)
    rows = tmp_path / "runs" / "a" / "metrics.csv"
    wait_until(lambda: rows.exists() and len(metrics_file.read(rows)) > 2, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.splitlines()[-1] == "modiste: Stopped. Resume with: modiste train --resume runs/a"
    run_in_process(tmp_path, "train", "--resume", "runs/a")
    weights = load_file(tmp_path / "runs" / "a" / "model.safetensors")
    assert all(torch.equal(value, weights[name]) for name, value in uninterrupted_weights.items())
