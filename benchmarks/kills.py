"""Kill one training of `sprint` at random moments, resume it each time, and draw it on the curve of an unbroken one.

    python benchmarks/kills.py                                     # 200 kills of the whole training: an hour
    python benchmarks/kills.py --kills 2 --images 500 --folder /tmp/runs --out /tmp/kills

Both have the same weights at the end, bit by bit. It writes results/kills.json and docs/kills.png, or both into --out.
Repeated after an interruption, it continues with the next kill; kills.jsonl in the folder of the runs has those before.
"""

import argparse
import hashlib
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from modiste.reporting import canvas
from modiste.runs import environment, metrics_file, results
from modiste.runs.folder import Run
from modiste.runs.metrics_file import EpochMetrics

RECIPE, SEED = "sprint", 0
EXACT = ("--set=compute.threads=1", "--set=compute.precision=fp32")
"""Both trainings have the same."""

BEYOND = 1.1
"""Kills come up to this multiple of an epoch after its start: some of them inside the save at its end."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill in an epoch, counted from 0, after this part of it; `rows` of metrics.csv were written by then."""

    epoch: int
    part: float
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Both trainings, and the kills of the second one."""

    unbroken: Run
    killed: Run
    kills: list[Kill]

    @property
    def is_identical(self) -> bool:
        """Whether weights and metrics are the same bits; their seconds are not."""
        runs = self.unbroken, self.killed
        one, other = ((run.weights.read_bytes(), _rows(run)) for run in runs)
        return one == other


def draw_moments(count: int, epochs: int, seed: int) -> list[Kill]:
    """Return random moments of a training, in their order; with at least one kill in each epoch if there are enough."""
    moments = np.sort(np.random.default_rng(seed).uniform(0, epochs, count))
    return [Kill(int(moment), float(moment % 1) * BEYOND) for moment in moments]


def train_with_kills(folder: Path, arguments: Sequence[str], count: int) -> Outcome:
    """Train in a folder without a kill and with some, or continue there.

    Args:
        folder: of both runs.
        arguments: of `modiste train`, the same for both.
        count: number of kills.

    Raises:
        SystemExit: the folder has other trainings, or a training ended by itself.
    """
    unbroken, killed = Run(folder / "runs" / "unbroken"), Run(folder / "runs" / "killed")
    log = folder / "kills.jsonl"
    kills = _read_log(log, {"arguments": [*arguments], "kills": count, "commit": environment.commit()})
    _finish(folder, arguments, unbroken)
    rows = metrics_file.read(unbroken.metrics)
    seconds = sorted(row.seconds for row in rows)[len(rows) // 2]
    for moment in draw_moments(count, len(rows), SEED)[len(kills) :]:
        is_trained = _count_rows(killed) == len(rows)
        _train_and_kill(_start(folder, arguments, killed), moment, seconds, is_trained)
        kills.append(replace(moment, rows=_count_rows(killed)))
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(kills[-1])) + "\n")
    _finish(folder, arguments, killed)
    return Outcome(unbroken, killed, kills)


def _read_log(log: Path, head: dict[str, Any]) -> list[Kill]:
    """Return the kills before an interruption; the first line says what was trained."""
    if not log.exists():
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(json.dumps(head) + "\n", encoding="utf-8")
    first, *kills = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    if first != head:
        raise SystemExit(f"{log.parent} has other trainings: {first}. Give another --folder.")
    return [Kill(**kill) for kill in kills]


def _finish(folder: Path, arguments: Sequence[str], run: Run) -> None:
    """Train to the end."""
    if not run.finished:
        _, errors = (process := _start(folder, arguments, run)).communicate()
        if process.returncode:
            raise SystemExit(f"the training {run.name} ended with exit code {process.returncode}:\n{errors}")


def _train_and_kill(process: "subprocess.Popen[str]", moment: Kill, seconds: float, is_trained: bool) -> None:
    """Kill a training at a moment of epochs that take so many seconds; after the last epoch, from its start on."""
    try:
        if not is_trained:
            _wait_for_epoch(process, moment.epoch)
        time.sleep(moment.part * seconds)
    finally:
        process.kill()  # also when this script is stopped
        _, errors = process.communicate()
    if process.returncode != -signal.SIGKILL:
        raise SystemExit(f"the training ended with exit code {process.returncode}, not by {moment}:\n{errors}")


def _count_rows(run: Run) -> int:
    return len(metrics_file.read(run.metrics)) if run.metrics.exists() else 0


def _start(folder: Path, arguments: Sequence[str], run: Run) -> "subprocess.Popen[str]":
    """Start the training, or resume it where it was killed."""
    if run.recipe_file.exists():
        return _modiste(folder, "train", "--resume", str(run.path))
    return _modiste(folder, "train", *arguments, f"--name={run.name}")


def _modiste(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-P", "-m", "modiste", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _wait_for_epoch(process: "subprocess.Popen[str]", epoch: int) -> None:
    """Read the progress until an epoch has started, or the training has ended."""
    for line in process.stderr or ():
        words = line.split()
        if words[:1] == ["epoch"] and "started," in words and int(words[1]) > epoch:
            return
        if words[:1] == ["epoch"] and words[1].isdigit() and int(words[1]) >= epoch and "started," not in words:
            return  # the epoch before has ended, so this one starts now


def _rows(run: Run) -> list[EpochMetrics]:
    return [replace(row, seconds=0.0) for row in metrics_file.read(run.metrics)]


def plot(outcome: Outcome, path: Path) -> None:
    """Draw the loss of both trainings by epoch, and a line for each kill."""
    figure, (axes,) = canvas.create_axes()
    for run, style, width in ((outcome.unbroken, "-", 3.0), (outcome.killed, "o", 1.0)):
        rows = metrics_file.read(run.metrics)
        label = "unbroken" if run is outcome.unbroken else f"killed {len(outcome.kills)} times"
        axes.plot([row.epoch for row in rows], [row.train_loss for row in rows], style, linewidth=width, label=label)
    moments = [min(kill.epoch + kill.part, kill.epoch + 1.0) for kill in outcome.kills]
    low, high = axes.get_ylim()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.vlines(moments, low, low + 0.08 * (high - low), linewidth=0.5, colors="gray", label="kill -9")
    axes.set(xlabel="epochs", ylabel="training loss")
    axes.legend()
    canvas.save(figure, path, "modiste")


def to_results(outcome: Outcome) -> dict[str, Any]:
    """Return what the results file has."""
    weights = hashlib.sha256(outcome.killed.weights.read_bytes()).hexdigest()
    in_epochs = [len(list(group)) for _, group in itertools.groupby(outcome.kills, lambda kill: kill.epoch)]
    return {
        "kills": [asdict(kill) for kill in outcome.kills],
        "kills_by_epoch": in_epochs,
        "identical": outcome.is_identical,
        "weights_sha256": weights,
    }


def main() -> None:
    """Train, kill, resume, compare, and write results and figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--images", type=int, default=0, help="of training; 0: all")
    parser.add_argument("--folder", type=Path, default=Path("runs") / "kills", help="of the two runs")
    parser.add_argument("--out", type=Path, help="folder of kills.json and kills.png; default: results and docs")
    args = parser.parse_args()
    outcome = train_with_kills(args.folder, [RECIPE, f"--set=data.max_train_images={args.images}", *EXACT], args.kills)
    content = to_results(outcome)
    command = f"python benchmarks/kills.py --kills {args.kills} --images {args.images}"
    results.write((args.out or Path("results")) / "kills.json", recipe=RECIPE, command=command, runs=[], **content)
    plot(outcome, (args.out or Path("docs")) / "kills.png")
    print(f"{len(outcome.kills)} kills; weights and metrics are {'' if content['identical'] else 'NOT '}the same bits")
    if not content["identical"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
