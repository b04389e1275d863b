"""Measure one training in two processes of one thread, which torchrun starts, against one such process."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
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

NAME = "scaling"


@dataclass(frozen=True, slots=True)
class Plan:
    """A training: recipe, settings, images for training, as many for validation at most, and epochs."""

    recipe: str
    settings: dict[str, Any]
    images: int
    epochs: int

    def describe(self) -> dict[str, Any]:
        """Return it as it is told in the results."""
        changes = [f"--set {name}={value}" for name, value in self.settings.items()]
        return {"training": " ".join([self.recipe, *changes]), "images": self.images, "epochs": self.epochs}


TIMED = Plan("classic-resnet18", {"model.stem_type": "cifar", "early_stopping.patience": 0}, images=1_024, epochs=6)
"""A network that is bound by computation: without pooling in its stem, each map has 16 times as many positions for the
same weights, whose gradients are sent after each step."""

ACCURATE = Plan("sprint", {"data.val_fraction": 0.2, "schedule.skip_easy_fraction": 0.0}, images=40_000, epochs=6)
"""A network that learns enough in short time, with validation, for which all images are trained on in each epoch."""


def measurements(small: bool) -> dict[str, Callable[[Path], dict[str, Any]]]:
    """Return the trainings in one and in two processes, to compare times and accuracies, and those with a kill."""
    timed, accurate = (replace(plan, images=400, epochs=3) if small else plan for plan in (TIMED, ACCURATE))
    trainings: dict[str, Callable[[Path], dict[str, Any]]] = {
        f"{kind}-{launcher}-{seed}": partial(measure, plan=plan, launcher=launcher, seed=seed)
        for kind, plan, seeds in (("timed", timed, 2), ("accurate", accurate, 3))
        for seed in range(seeds)
        for launcher in LAUNCHERS
    }
    kills = {f"killed-{rank}": partial(measure, plan=accurate, launcher="two", seed=0, kill=rank) for rank in (0, 1)}
    return trainings | kills


def summarize(measured: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the speed-up, and the difference of the accuracies with its interval over seeds."""
    seconds = {name: fmean(_values(measured, f"timed-{name}", "seconds")) for name in LAUNCHERS}
    accuracies = {name: _values(measured, f"accurate-{name}", "val_accuracy") for name in LAUNCHERS}
    differences = [two - one for one, two in zip(accuracies["one"], accuracies["two"], strict=True)]
    interval = intervals.t_interval(differences) or (0.0, 0.0)
    return {
        "timed": TIMED.describe(),
        "accurate": ACCURATE.describe(),
        "seeds": len(differences),
        "seconds": seconds,
        "val_accuracy": {name: fmean(each) for name, each in accuracies.items()},
        "difference": abs(fmean(differences)),
        "interval_seeds": interval,
        "noise": (interval[1] - interval[0]) / 2,
        "speedup": seconds["one"] / seconds["two"],
    }


def _values(measured: dict[str, dict[str, Any]], beginning: str, key: str) -> list[float]:
    return [measured[name][key] for name in sorted(measured) if name.startswith(beginning)]


def measure(folder: Path, plan: Plan, launcher: str, seed: int, kill: int | None = None) -> dict[str, Any]:
    """Train, with a kill of one process in the middle if it is given; return accuracy and seconds of the epochs."""
    settings = plan.settings | {"data.max_train_images": plan.images, "compute.threads": 1, "compute.precision": "fp32"}
    options = [
        f"--seed={seed}",
        f"--epochs={plan.epochs}",
        *(f"--set={key}={value}" for key, value in settings.items()),
    ]
    start = [*LAUNCHERS[launcher], "-m", "modiste", "train"]
    run = Run(folder / "runs" / NAME)
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        command, resume = [*start, plan.recipe, *options, f"--name={NAME}"], [*start, "--resume", str(run.path)]
        if kill is not None:
            kill_in_training(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log), run, kill)
        subprocess.run(command if kill is None else resume, cwd=folder, stdout=log, stderr=log, check=True)
    rows = metrics_file.read(run.metrics)
    if rows[-1].val_accuracy is None or len(rows) != plan.epochs:
        raise SystemExit(f"Not {plan.epochs} epochs with a validation accuracy: see {folder}")
    return {
        "val_accuracy": rows[-1].val_accuracy,
        "seconds": metrics_file.total_seconds(rows),
        "output": f"weights of {plan.recipe}, seed {seed} in {launcher}",
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
