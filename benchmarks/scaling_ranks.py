"""Measure one training in two processes of one thread, which torchrun starts, against one such process."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from processes import descendants

from modiste.metrics import intervals
from modiste.runs import metrics_file
from modiste.runs.folder import Run

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
LAUNCHERS = {"one": (sys.executable,), "two": TORCHRUN}
RECIPE = "classic-resnet18"
SETTINGS = {"model.stem_type": "cifar"}
"""A network that is bound by computation: with a stem of 3 x 3 without pooling, each map has 16 times as many positions
for the same weights, whose gradients are sent after each step."""

NAME = "scaling"


def measurements(small: bool) -> dict[str, Callable[[Path], dict[str, Any]]]:
    """Return the trainings of each seed in one and in two processes, and those with a kill of either process."""
    seeds, images, epochs = (2, 400, 3) if small else (3, 1_024, 6)
    train = partial(measure, images=images, epochs=epochs)
    trainings = [(f"{name}-{seed}", name, seed) for seed in range(seeds) for name in LAUNCHERS]
    return {
        **{full_name: partial(train, launcher=name, seed=seed) for full_name, name, seed in trainings},
        **{f"killed-{rank}": partial(train, launcher="two", seed=0, kill=rank) for rank in (0, 1)},
    }


def summarize(measured: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the speed-up, and the difference of the accuracies with its interval over seeds."""
    records = {name: [measured[each] for each in sorted(measured) if each.startswith(name)] for name in LAUNCHERS}
    seconds = {name: fmean(record["seconds"] for record in each) for name, each in records.items()}
    accuracies = {name: [record["val_accuracy"] for record in each] for name, each in records.items()}
    differences = [two - one for one, two in zip(accuracies["one"], accuracies["two"], strict=True)]
    interval = intervals.t_interval(differences) or (0.0, 0.0)
    return {
        "recipe": RECIPE,
        "settings": " ".join(f"--set {name}={value}" for name, value in SETTINGS.items()),
        "seeds": len(differences),
        "images": measured["one-0"]["images"],
        "epochs": measured["one-0"]["epochs"],
        "seconds": seconds,
        "val_accuracy": {name: fmean(each) for name, each in accuracies.items()},
        "difference": abs(fmean(differences)),
        "interval_seeds": interval,
        "noise": (interval[1] - interval[0]) / 2,
        "speedup": seconds["one"] / seconds["two"],
    }


def measure(
    folder: Path, launcher: str, seed: int, images: int, epochs: int, kill: int | None = None
) -> dict[str, Any]:
    """Train, with a kill of one process in the middle if it is given; return accuracy and seconds of the epochs."""
    settings = [f"--seed={seed}", f"--epochs={epochs}", f"--set=data.max_train_images={images}"]
    settings += [f"--set={name}={value}" for name, value in SETTINGS.items()]
    settings += ["--set=compute.threads=1", "--set=compute.precision=fp32", "--set=early_stopping.patience=0"]
    start = [*LAUNCHERS[launcher], "-m", "modiste", "train"]
    run = Run(folder / "runs" / NAME)
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        command, resume = [*start, RECIPE, *settings, f"--name={NAME}"], [*start, "--resume", str(run.path)]
        if kill is not None:
            kill_in_training(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log), run, kill)
        subprocess.run(command if kill is None else resume, cwd=folder, stdout=log, stderr=log, check=True)
    rows = metrics_file.read(run.metrics)
    if rows[-1].val_accuracy is None or len(rows) != epochs:
        raise SystemExit(f"Not {epochs} epochs with a validation accuracy: see {folder}")
    return {
        "images": images,
        "epochs": epochs,
        "val_accuracy": rows[-1].val_accuracy,
        "seconds": metrics_file.total_seconds(rows),
        "output": f"weights of seed {seed} in {launcher}",
        "sha256": hashlib.sha256(run.weights.read_bytes()).hexdigest(),
    }


def kill_in_training(process: "subprocess.Popen[bytes]", run: Run, rank: int) -> None:
    """Kill one process after two epochs; raises SystemExit if the training ends nevertheless."""
    while process.poll() is None and not (run.metrics.exists() and len(metrics_file.read(run.metrics)) >= 2):
        time.sleep(0.1)
    if process_id := ranks_of(process.pid).get(rank):
        os.kill(process_id, signal.SIGKILL)
    if not process.wait() or run.finished:
        raise SystemExit(f"{run.path} ended before the kill of rank {rank}.")


def ranks_of(launcher: int) -> dict[int, int]:
    """Return the processes that torchrun has started, by their rank."""
    processes: dict[int, int] = {}
    for folder in descendants(launcher):
        with suppress(OSError):
            variables = (folder / "environ").read_bytes().split(b"\0")
            for rank in (each.partition(b"=")[2] for each in variables if each.startswith(b"RANK=")):
                processes.setdefault(int(rank), int(folder.name))
    return processes
