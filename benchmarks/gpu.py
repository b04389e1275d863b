"""Run tests, timings and long trainings on one GPU within a time limit, and write what has ended after each training.

    benchmarks/gpu.sh --minutes 10

sets the Python path and calls this. A part that does not fit into the remaining time is left out, and its file says so.
"""

import argparse
import json
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from sequential_runs import TIMED_TRAINING, Record, final_accuracy
from timed_training import time_training

from modiste.metrics import intervals
from modiste.recipes import named, settings
from modiste.recipes.recipe import Recipe
from modiste.runs import environment, files, results

TARGET = 0.94
MARGIN = 15.0
"""Seconds before the limit at which everything ends."""

TEST_SECONDS = 120.0
PARALLEL_FACTOR = 1.5
"""By how much trainings that share the GPU may be slower than one alone; an assumption, on the safe side."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run.

    Args:
        timed: the recipe that is timed, one seed after the other.
        long: recipes whose seeds are trained in parallel.
        seeds, long_seeds: how many of each.
        folder: of the results files.
        end: value of time.monotonic() at which everything has ended.
        command: what was typed.
        tests: paths of the tests.
    """

    timed: Recipe
    long: tuple[Recipe, ...]
    seeds: int
    long_seeds: int
    folder: Path
    end: float
    command: str
    tests: tuple[str, ...] = ("tests",)

    @property
    def remaining(self) -> float:
        """Seconds that are left."""
        return self.end - time.monotonic()


def run_tests(plan: Plan) -> dict[str, Any]:
    """Run the tests marked `cuda`; write and return how many passed, failed and were skipped."""
    report = plan.folder / "gpu-tests.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider", f"--junitxml={report}"]
    command += ["-o", "addopts=--import-mode=importlib", *plan.tests]
    start = time.monotonic()
    try:
        seconds = max(1.0, min(TEST_SECONDS, plan.remaining))
        code = subprocess.run(command, timeout=seconds, check=False).returncode
    except subprocess.TimeoutExpired:
        code = -1
    counts = _read_report(report) if report.exists() else {}
    report.unlink(missing_ok=True)
    record = {"exit_code": code, **counts, "seconds": round(time.monotonic() - start, 1)}
    _write(plan, "gpu-tests", [record])
    return record


def time_to_accuracy(plan: Plan) -> list[Record]:
    """Train seeds one after the other in this process, after one that warms up; write the file after each."""
    time_training(settings.with_settings(plan.timed, {"schedule.epochs": 1}))
    records: list[Record] = []
    longest = 0.0
    for seed in range(plan.seeds):
        if plan.remaining < longest:
            break
        start = time.monotonic()
        records.append(time_training(settings.with_settings(plan.timed, {"seed": seed})))
        longest = max(longest, time.monotonic() - start)
        _write(plan, f"gpu-{plan.timed.name}", records, planned=plan.seeds, target=TARGET, **summarize(records))
    return records


def train_long(plan: Plan) -> list[list[Record]]:
    """Train the long recipes, one after the other."""
    return [train_in_parallel(plan, recipe) for recipe in plan.long]


def train_in_parallel(plan: Plan, recipe: Recipe) -> list[Record]:
    """Train the seeds of a recipe at the same time if that fits; write the file when each ends."""
    name = f"gpu-{recipe.name}"
    needed = estimate_seconds(recipe) * (PARALLEL_FACTOR if plan.long_seeds > 1 else 1)
    if needed > plan.remaining:
        reason = f"left out: it needs about {needed:.0f} s, and {max(0.0, plan.remaining):.0f} s are left"
        print(f"{recipe.name} {reason}", flush=True)
        _write(plan, name, [], planned=plan.long_seeds, note=reason)
        return []
    recipe_file = plan.folder / f"{name}-recipe.json"
    files.write_text(recipe_file, settings.to_json(recipe))
    outputs = [plan.folder / f"{name}-{seed}.partial" for seed in range(plan.long_seeds)]
    running = {output: _start(recipe_file, seed, output) for seed, output in enumerate(outputs)}
    records: list[Record] = []
    while running and plan.remaining > 0:
        time.sleep(0.2)
        for output in [output for output, process in running.items() if process.poll() is not None]:
            if running.pop(output).returncode == 0:
                records.append(json.loads(output.read_text()))
                records.sort(key=lambda record: int(record["seed"]))
                _write(plan, name, records, planned=plan.long_seeds, needed=needed, **summarize(records))
    for process in running.values():
        process.kill()
        process.wait()
    for path in (*outputs, recipe_file):
        path.unlink(missing_ok=True)
    if not records:
        _write(plan, name, [], planned=plan.long_seeds, note="no training ended within the time, or all failed")
    return records


def estimate_seconds(recipe: Recipe) -> float:
    """Estimate the seconds of a training from those of its first epoch, which has all images."""
    first = settings.with_settings(recipe, {"schedule.epochs": 1})
    time_training(first)  # warms up
    record = time_training(first)
    later = (recipe.schedule.epochs - 1) * (1 - recipe.schedule.skip_easy_fraction)
    return float(record["seconds"] + later * record["seconds_training"])


def summarize(records: list[Record]) -> dict[str, Any]:
    """Return n, mean seconds and mean accuracy with their spread, and how many trainings reach the target."""
    seconds = [float(record["seconds"]) for record in records]
    accuracies = [final_accuracy(record) for record in records]
    return {
        "seconds": fmean(seconds),
        "seconds_sd": stdev(seconds) if len(seconds) > 1 else None,
        "seconds_interval": intervals.t_interval(seconds),
        "at_target": sum(accuracy >= TARGET for accuracy in accuracies),
        "openings": sum(int(record["openings"]) for record in records),
        **intervals.summarize(accuracies, int(records[0]["images"])),
    }


PARTS: dict[str, Callable[[Plan], object]] = {
    "tests": run_tests,
    "timed": time_to_accuracy,
    "long": train_long,
}


def main() -> None:
    """Run the parts in turn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="after which everything has ended")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--recipe", default="sprint-94", help="whose time to 94 %% is measured")
    parser.add_argument("--seeds", type=int, default=50, help="of that recipe")
    parser.add_argument(
        "--long-recipes", nargs="+", default=["marathon", "marathon-2m"], help="whose seeds are trained in parallel"
    )
    parser.add_argument("--long-seeds", type=int, default=3, help="of each of these")
    parser.add_argument("--device", default="cuda", help="cpu is for tests of this script")
    parser.add_argument("--tests", nargs="+", default=["tests/training/test_cuda.py"], help="files of tests")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the results files")
    args = parser.parse_args()
    end = time.monotonic() + args.minutes * 60 - min(MARGIN, 6 * args.minutes)
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("PyTorch sees no CUDA GPU here. Run this where nvidia-smi lists one.")
    args.out.mkdir(parents=True, exist_ok=True)
    device = {"compute.device": args.device}
    timed, *long = (settings.with_settings(named.resolve(name), device) for name in (args.recipe, *args.long_recipes))
    command = " ".join(["benchmarks/gpu.sh", *sys.argv[1:]])
    plan = Plan(timed, tuple(long), args.seeds, args.long_seeds, args.out, end, command, tuple(args.tests))
    failed = False
    for name in args.parts:
        print(f"{name}: {plan.remaining:.0f} s left", flush=True)
        try:
            PARTS[name](plan)
        except Exception as error:  # noqa: BLE001 - the other parts still run, and the exit code tells
            print(f"{name} failed: {error!r}", flush=True)
            failed = True
    raise SystemExit(1 if failed else 0)


def _start(recipe_file: Path, seed: int, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, TIMED_TRAINING, str(recipe_file), "--seed", str(seed)]
    with output.open("wb") as file:
        return subprocess.Popen(command, stdout=file)


def _read_report(path: Path) -> dict[str, int]:
    """Return the counts of a JUnit report of pytest."""
    suite = next(ET.parse(path).getroot().iter("testsuite"))  # noqa: S314 - written by pytest in this process's child
    counts = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
    failed = counts["failures"] + counts["errors"]
    return {"passed": counts["tests"] - failed - counts["skipped"], "failed": failed, "skipped": counts["skipped"]}


def _write(plan: Plan, name: str, records: list[Record], **figures: Any) -> None:
    """Write a results file atomically, so that a run that is cut off leaves what has ended."""
    runs = [environment.describe() | record for record in records]
    path = plan.folder / f"{name}.json"
    results.write(path, recipe=name, command=plan.command, runs=runs, gpu=_gpu(), **figures)


def _gpu() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


if __name__ == "__main__":
    main()
