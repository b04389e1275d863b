"""A training that is stopped anywhere goes on to the same bits."""

import multiprocessing
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from helpers.command import OWN, TINY, TRICKS, inside, modiste, start
from helpers.idx import write_idx_folder
from helpers.pictures import fill, noise
from helpers.progress import Silent
from modiste.errors import InputError
from modiste.recipes import settings
from modiste.recipes.named import classic_cnn, photo
from modiste.recipes.recipe import Recipe
from modiste.runs import files, folder, metrics_file
from modiste.runs.folder import Run
from modiste.runs.metrics_file import EpochMetrics
from modiste.training import checkpoint, compute
from modiste.training import run as training_run
from modiste.training.build import Training, build_training
from modiste.training.loop import State, train
from modiste.training.step import NotANumber

Forget = Callable[[State], object]

EXACT = ("--set=compute.threads=1", "--set=compute.precision=fp32")
"""Of trainings that are compared bit by bit: to measure which precision is faster might tell two of them two things."""


def recipe(idx: Path) -> Recipe:
    """Every trick on, epochs of eight, six and six steps, the best epoch is kept."""
    changes = dict(settings.parse_setting(setting.removeprefix("--set=")) for setting in (*TINY, *OWN, *TRICKS))
    changes |= {"data.source": str(idx), "schedule.epochs": 3, "optimizer.lr": 0.05, "early_stopping.patience": 9}
    return settings.with_settings(classic_cnn(), changes)


def run_through(made: Recipe, folder: Path, stop_after: int | None = None, forget: Forget | None = None) -> State:
    """Train; when asked, stop after so many steps, and let a fresh state go on from the checkpoint."""
    training = build_training(made, initialize=forget is None)
    if forget:
        checkpoint.load(training.state, folder)
        forget(training.state)
    trained(training, folder, stop_after)
    return training.state


def trained(training: Training, folder: Path, stop_after: int | None = None) -> None:
    """Train what is prepared, saving into a folder."""
    steps = iter(range(1, 10_000))
    train(
        training.state,
        training.batches,
        training.step,
        training.schedule,
        training.validator,
        lambda state: checkpoint.save(state, folder),
        Silent(),
        lambda: next(steps) == stop_after,
    )


def same(one: State, other: State) -> bool:
    """Whether weights, kept weights, momentum and all figures but the seconds agree bit for bit."""
    tensors = [{**checkpoint._tensors(state)} for state in (one, other)]
    rows = [[replace(row, seconds=0) for row in state.history] for state in (one, other)]
    return (
        rows[0] == rows[1]
        and tensors[0].keys() == tensors[1].keys()
        and all(torch.equal(value, tensors[1][name]) for name, value in tensors[0].items())
    )


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
@pytest.mark.parametrize("stop_after", [1, 7, 8, 13, 19])
def test_a_stopped_training_resumes_bit_identically(idx: Path, tmp_path: Path, stop_after: int, optimizer: str) -> None:
    """Stopped at the first, the last or any step of an epoch, it ends where the unbroken one ends (fault 27)."""
    made = settings.with_settings(recipe(idx), {"optimizer.name": optimizer})
    unbroken = run_through(made, tmp_path / "a")
    run_through(made, tmp_path / "b", stop_after)
    assert same(unbroken, run_through(made, tmp_path / "b", forget=lambda state: None))


def test_a_training_from_loaded_weights_resumes_too(tmp_path: Path) -> None:
    """Frozen stages are in the checkpoint, and nothing is loaded a second time."""
    for name in ("coats", "hats"):
        fill(tmp_path / "photos" / name, 10, lambda number: Image.fromarray(noise(32, number)))
    small = {
        "data.source": str(tmp_path / "photos"),
        "data.image_size": 32,
        "augmentation.train_size": 24,
        "compute.threads": 1,
    }
    made = settings.with_settings(photo(), {**small, "optimizer.batch_size": 4, "schedule.epochs": 2})
    unbroken = run_through(made, tmp_path / "a")
    run_through(made, tmp_path / "b", stop_after=5)
    assert same(unbroken, run_through(made, tmp_path / "b", forget=lambda state: None))


def test_distillation_resumes_too(idx: Path, tmp_path: Path) -> None:
    """Teachers have no state of their own."""
    for seed in (0, 1):
        inside(tmp_path, "train", "sprint", f"--data={idx}", "--epochs=1", f"--seed={seed}", f"--name=t/{seed}", *TINY)
    held = {"data.val_fraction": 0, "schedule.name": "constant", "early_stopping.patience": 0}
    made = settings.with_settings(
        recipe(idx), {**held, "distillation.teachers": [f"{tmp_path}/runs/t/{seed}" for seed in (0, 1)]}
    )
    unbroken = run_through(made, tmp_path / "a")
    run_through(made, tmp_path / "b", stop_after=5)
    assert same(unbroken, run_through(made, tmp_path / "b", forget=lambda state: None))


def test_a_resumed_training_keeps_its_precision(idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is measured once and recorded, with the setting; another machine may choose another (fault 27)."""
    made = settings.with_settings(recipe(idx), {"compute.precision": "auto", "schedule.epochs": 1})
    choices = iter(("bf16", "fp32"))
    monkeypatch.setattr(compute, "choose_precision", lambda device: next(choices))
    whole, begun = training_run.start(made, tmp_path / "whole", Silent()), folder.create(tmp_path / "begun", made)
    shutil.copy(whole.environment, begun.environment)  # killed before its first epoch was over
    training_run.resume(begun.path, Silent())
    assert _weights_and_rows(begun.path) == _weights_and_rows(whole.path)
    record = files.read_json(begun.environment)
    assert (record["precision"], record["precision_setting"]) == ("bf16", "auto")


def test_moved_data_is_the_same_data(idx: Path, tmp_path: Path) -> None:
    """The same files in another folder resume a run, whose recipe names that folder from then on; others do not."""
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


def test_fifty_kills_inside_a_save_leave_a_checkpoint(idx: Path, tmp_path: Path) -> None:
    """The newest or the one before: it loads, is ahead of the last one found, and nothing else is left (fault 26)."""
    training, found = build_training(recipe(idx)), build_training(recipe(idx)).state
    checkpoint.save(training.state, tmp_path)

    def save_forever() -> None:
        while True:
            training.state.step += 1
            checkpoint.save(training.state, tmp_path)

    for _ in range(50):
        before = found.step
        saver = multiprocessing.get_context("fork").Process(target=save_forever)
        saved = (tmp_path / checkpoint.FILE).stat().st_mtime_ns
        saver.start()
        _wait(lambda saved=saved: (tmp_path / checkpoint.FILE).stat().st_mtime_ns > saved)
        time.sleep(random.uniform(0, 0.02))  # inside one of the next saves
        saver.kill()
        saver.join()
        checkpoint.load(found, tmp_path)
        assert found.step >= before
        training.state.step = found.step
        files.remove_partials(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [checkpoint.FILE]
    assert found.step > 1


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_nan_is_detected_before_the_update(idx: Path, tmp_path: Path, what: str) -> None:
    """Injected into the second epoch it changes no weight, and the last save is that of the first (fault 29)."""
    made, steps = recipe(idx), iter(range(1, 100))
    before = run_through(made, tmp_path / "a", stop_after=10)

    def broken(value: Tensor) -> Tensor:
        return value * torch.nan if next(steps) == 11 else value

    training, left = build_training(made), build_training(made).state
    network = training.state.network
    if what == "loss":
        network.register_forward_hook(lambda module, _, logits: broken(logits) if module.training else logits)
    else:
        next(network.parameters()).register_hook(broken)
    with pytest.raises(NotANumber, match=f"the {what} is not a number"):
        trained(training, tmp_path / "b")
    pairs = zip(network.parameters(), before.network.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    checkpoint.load(left, tmp_path / "b")
    assert (len(left.history), left.step) == (1, 0)


def test_a_run_without_its_checkpoint_is_not_restarted(idx: Path, tmp_path: Path) -> None:
    """What it came to would be lost."""
    inside(tmp_path, "train", "sprint", f"--data={idx}", "--epochs=1", "--name=a", *TINY)
    run = tmp_path / "runs" / "a"
    (run / "finished").unlink()
    (run / "last" / "checkpoint.safetensors").unlink()
    before = (run / "metrics.csv").read_text()
    assert "no checkpoint" in inside(tmp_path, "train", "--resume=runs/a", code=2).stderr
    assert (run / "metrics.csv").read_text() == before


def test_a_damaged_checkpoint_is_refused(idx: Path, tmp_path: Path) -> None:
    """One flipped bit anywhere in the tensors is an error, not another training (fault 26)."""
    run_through(recipe(idx), tmp_path, stop_after=3)
    file = tmp_path / checkpoint.FILE
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        checkpoint.load(build_training(recipe(idx)).state, tmp_path)


def _forget_batch_norm(state: State) -> None:
    for layer in state.network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()


def _forget_average(state: State) -> None:
    assert state.ema
    state.ema.module.load_state_dict(state.network.state_dict())


def _forget_losses(state: State) -> None:
    state.losses.fill_(torch.inf)


FORGETFUL: dict[str, Forget] = {
    "momentum": lambda state: [velocity.zero_() for velocity in state.optimizer.momentum_buffers],
    "batch norm": _forget_batch_norm,
    "average": _forget_average,
    "count of the average": lambda state: state.ema and state.ema.n_averaged.fill_(1),
    "step": lambda state: setattr(state, "step", 0),
    "totals": lambda state: state.totals.zero_(),
    "history": lambda state: state.history.pop(),
    "losses": _forget_losses,
    "order": lambda state: setattr(state, "order", state.order.flip(0)),
    "best weights": lambda state: setattr(state, "best_weights", {}),
}


@pytest.mark.parametrize("what", FORGETFUL)
def test_every_part_of_the_state_matters(idx: Path, tmp_path: Path, what: str) -> None:
    """The comparison fails for a resume that forgets any one part of the state: it can see every part."""
    # accuracy stands still from some epoch on, so that the kept weights are older than the stop
    made = settings.with_settings(recipe(idx), {"early_stopping.monitor": "val_accuracy", "optimizer.lr": 1e-9})
    unbroken = run_through(made, tmp_path / "a")
    run_through(made, tmp_path / "b", stop_after=13)
    assert not same(unbroken, run_through(made, tmp_path / "b", forget=FORGETFUL[what]))


def _wait(holds: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.0005)


def _weights_and_rows(run: Path) -> tuple[bytes, list[EpochMetrics]]:
    rows = [replace(row, seconds=0) for row in metrics_file.read(run / "metrics.csv")]
    return (run / "model.safetensors").read_bytes(), rows


@pytest.mark.slow
def test_kill_9_at_random_points_of_the_classic_cnn(tmp_path: Path) -> None:
    """Killed inside a save and at two random moments, `classic-cnn` ends with the same weights and log (26, 27)."""
    given = ["train", "classic-cnn", "--set=data.max_train_images=2000", *EXACT, "--epochs=3", *TRICKS]
    began = time.monotonic()
    modiste(tmp_path, *given, "--name=unbroken")
    whole = time.monotonic() - began
    killed = tmp_path / "runs" / "killed"
    saved = killed / "last" / "checkpoint.safetensors"

    process = start(tmp_path, *given, "--name=killed")
    _wait(lambda: saved.exists() and saved.with_name(f"{saved.name}.partial").exists())
    process.kill()  # inside the second save; the first one stays
    process.communicate()
    for _ in range(2):
        process = start(tmp_path, "train", "--resume", "runs/killed")
        time.sleep(random.uniform(0.1, 0.4) * whole)
        process.kill()
        process.communicate()
    if not (killed / "finished").exists():  # a late kill may have come after the end
        modiste(tmp_path, "train", "--resume", "runs/killed")

    assert _weights_and_rows(killed) == _weights_and_rows(tmp_path / "runs" / "unbroken")
    assert list(killed.rglob("*.partial")) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_resumable_run(idx: Path, tmp_path: Path, number: int, code: int) -> None:
    """Ctrl-C and SIGTERM save, say how to go on and exit as shells expect; the end is the unbroken one's (fault 31)."""
    given = [
        "train",
        "classic-cnn",
        f"--data={idx}",
        *TINY,
        *EXACT,
        *TRICKS,
        "--epochs=60",
        "--set=early_stopping.patience=0",
    ]
    process = start(tmp_path, *given, "--name=a")
    rows = tmp_path / "runs" / "a" / "metrics.csv"
    _wait(lambda: rows.exists() and len(metrics_file.read(rows)) > 2)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.splitlines()[-1] == "modiste: Stopped. Resume with: modiste train --resume runs/a"
    inside(tmp_path, "train", "--resume", "runs/a")
    inside(tmp_path, *given, "--name=b")
    one, other = (load_file(tmp_path / "runs" / name / "model.safetensors") for name in "ab")
    assert all(torch.equal(value, other[name]) for name, value in one.items())
