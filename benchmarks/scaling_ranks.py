"""Measure one training in two processes of one thread, which torchrun starts, against one such process."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from modiste.runs import metrics_file

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
ONE = (sys.executable,)
RECIPE = "classic-resnet18"
"""A network that is bound by computation."""

MIN_SPEEDUP = 1.6


def measure(home: Path, seeds: int, images: int, epochs: int) -> dict[str, Any]:
    """Train with each seed in one and in two processes, and once with a kill of either process.

    Raises SystemExit if a training that was killed and resumed ends with other weights.
    """
    common = ["train", RECIPE, f"--epochs={epochs}", f"--set=data.max_train_images={images}"]
    common += ["--set=compute.threads=1", "--set=compute.precision=fp32", "--set=early_stopping.patience=0"]
    accuracies: dict[str, list[float]] = {"one": [], "two": []}
    seconds: dict[str, list[float]] = {"one": [], "two": []}
    for seed in range(seeds):
        for name, launcher in (("one", ONE), ("two", TORCHRUN)):
            run(home, launcher, [*common, f"--seed={seed}", f"--name={name}-{seed}"])
            rows = metrics_file.read(home / "runs" / f"{name}-{seed}" / "metrics.csv")
            accuracies[name].append(rows[-1].val_accuracy or 0.0)
            seconds[name].append(metrics_file.total_seconds(rows))
    for rank in (0, 1):
        kill_and_resume(home, [*common, "--seed=0", f"--name=killed-{rank}"], f"killed-{rank}", rank)
        files = [home / "runs" / name / "model.safetensors" for name in ("two-0", f"killed-{rank}")]
        if files[0].read_bytes() != files[1].read_bytes():
            raise SystemExit(f"The training whose rank {rank} was killed ended with other weights.")
    speedup = fmean(seconds["one"]) / fmean(seconds["two"])
    difference = fmean(accuracies["two"]) - fmean(accuracies["one"])
    noise = 2 * stdev(accuracies["one"]) if seeds > 1 else None
    return {
        "recipe": RECIPE,
        "images": images,
        "epochs": epochs,
        "val_accuracy": accuracies,
        "difference": difference,
        "within_noise": None if noise is None else abs(difference) <= noise,
        "seconds": {name: round(fmean(values), 1) for name, values in seconds.items()},
        "speedup_two_processes": speedup,
        "speedup_reached": speedup >= MIN_SPEEDUP,
        "resumed_weights_equal": True,
    }


def run(home: Path, launcher: tuple[str, ...], arguments: list[str]) -> None:
    """Run a training to its end."""
    subprocess.run([*launcher, "-m", "modiste", *arguments], cwd=home, stdout=subprocess.DEVNULL, check=True)


def kill_and_resume(home: Path, arguments: list[str], name: str, rank: int) -> None:
    """Kill a process after the first epoch, then resume."""
    metrics = home / "runs" / name / "metrics.csv"
    process = subprocess.Popen([*TORCHRUN, "-m", "modiste", *arguments], cwd=home)
    while process.poll() is None and not metrics.exists():
        time.sleep(0.1)
    os.kill(ranks_of(process.pid)[rank], signal.SIGKILL)
    process.wait()
    run(home, TORCHRUN, ["train", "--resume", f"runs/{name}"])


def ranks_of(launcher: int) -> dict[int, int]:
    """Return the processes that torchrun has started, by their rank."""
    processes = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            variables = (folder / "environ").read_bytes().split(b"\0")
            ranks = [each.partition(b"=")[2] for each in variables if each.startswith(b"RANK=")]
            if parent == launcher and ranks:
                processes[int(ranks[0])] = int(folder.name)
    return processes
