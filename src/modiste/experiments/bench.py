"""Many trainings of one recipe: a map over the command a laptop runs, a new process each, then means and intervals.

A process of its own gives each training fresh memory and its own threads, and makes a bench resumable: what is finished
is not trained again, what was stopped goes on.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from threading import Event
from typing import Any

from modiste.errors import InputError, OutputError, Stopped, TrainingError
from modiste.metrics import intervals
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.runs import environment, files, metrics_file, results
from modiste.runs.folder import Run
from modiste.training.signals import StopRequest, stop_request

GOES_ON = "The same bench command goes on with all that is unfinished."


@dataclass(frozen=True, slots=True)
class Bench:
    """What to train, and where it goes.

    Args:
        recipes: one a training; they differ in seed or fold alone.
        split: what each is judged on: test for seeds, validation for folds, which leaves the test split sealed.
        home: the folder of the runs.
        jobs: trainings at a time; they share the cores.
        keep: keep weights and checkpoints, which are large.
    """

    recipes: tuple[Recipe, ...]
    split: str
    home: Path
    jobs: int = 1
    keep: bool = False


def over_seeds(recipe: Recipe, count: int) -> tuple[Recipe, ...]:
    """Return the recipe with seeds 0 to count - 1, none left out."""
    return tuple(replace(recipe, seed=seed) for seed in range(count))


def over_folds(recipe: Recipe) -> tuple[Recipe, ...]:
    """Return the recipe with each of its folds held out in turn.

    Raises:
        InputError: the recipe holds nothing out.
    """
    if not recipe.data.folds:
        raise InputError(f"{recipe.name} holds nothing out, so it has no folds. Add --set data.val_fraction=0.2.")
    return tuple(replace(recipe, data=replace(recipe.data, fold=fold)) for fold in range(recipe.data.folds))


def run(bench: Bench, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Train and judge every recipe that is not finished yet; return a record each, in their order.

    Args:
        bench: what to do.
        tell: is given a line when a training starts and when it ends.

    Raises:
        ModisteError: a training or judging failed or was stopped; no further one is begun, and the same call goes on.
    """
    files.make_folder(bench.home)
    failed = Event()

    def one(recipe: Recipe) -> dict[str, Any]:
        if failed.is_set() or stop():
            return {}  # the error of another one is on its way
        try:
            return _one(bench, recipe, tell, stop)
        except BaseException:
            failed.set()
            raise

    with stop_request() as stop, ThreadPoolExecutor(bench.jobs) as pool:
        records = list(pool.map(one, bench.recipes))
        if stop():
            raise Stopped(stop.signal_number, f"Stopped. {GOES_ON}")
    return records


def write(path: Path, name: str, command: str, bench: Bench, records: list[dict[str, Any]]) -> None:
    """Write the results file: the records with mean, sd and both intervals of the accuracy."""
    accuracies = [record["accuracy"] for record in records]
    flip_tta = [record["accuracy_flip_tta"] for record in records]
    results.write(
        path,
        recipe=name,
        command=command,
        runs=records,
        settings=_common(bench.recipes),
        split=bench.split,
        **intervals.summarize(accuracies, results.count_images(records, bench.split)),
        mean_flip_tta=None if None in flip_tta else fmean(flip_tta),
        mean_loss=fmean(record["loss"] for record in records),
    )


def _one(bench: Bench, recipe: Recipe, tell: Callable[[str], None], stop: StopRequest) -> dict[str, Any]:
    number = f"seed-{recipe.seed}" if bench.split == "test" else f"fold-{recipe.data.fold}"
    run = Run(bench.home / number)
    if not _judged(run, recipe, bench.split):
        tell(f"{run.path}: training; its log is {_log(run)}")
        if not run.finished:
            _modiste(run, bench.jobs, stop, *_train(run, recipe))
        _modiste(run, bench.jobs, stop, "evaluate", str(run.path), "--split", bench.split)
    if not bench.keep:
        _drop_weights(run)
    record = _record(run, bench.split)
    tell(f"{run.path}: {bench.split} accuracy {record['accuracy']:.2%}")
    return record


def _judged(run: Run, recipe: Recipe, split: str) -> bool:
    if not run.recipe_file.exists():
        return False
    if run.recipe() != recipe:
        raise InputError(f"{run.path} holds another recipe. Choose another --name for this bench, or remove it.")
    return run.scores.exists() and split in files.read_json(run.scores)


def _train(run: Run, recipe: Recipe) -> list[str]:
    """Return the arguments that start or resume a training."""
    if run.recipe_file.exists():
        return ["train", "--resume", str(run.path)]
    given = run.path.with_suffix(".json")
    files.write_text(given, settings.to_json(recipe))
    return ["train", str(given), "--name", str(run.path.absolute())]


def _modiste(run: Run, jobs: int, stop: StopRequest, *arguments: str) -> None:
    """Run a command in a process of its own, its share of the cores, its output in the log beside the run."""
    variables = {**os.environ, "OMP_NUM_THREADS": str(max(1, environment.usable_cores() // jobs))}
    command = [sys.executable, "-m", "modiste", *arguments]
    with _log(run).open("a", encoding="utf-8") as log:
        # a session of its own: Ctrl-C reaches this process alone, which passes it on once
        process = subprocess.Popen(command, stdout=log, stderr=log, env=variables, start_new_session=True)  # noqa: S603
        while process.poll() is None and not stop():
            time.sleep(0.1)
        if process.poll() is None:
            process.send_signal(stop.signal_number)
            process.wait()
    if stop():
        raise Stopped(stop.signal_number, f"{run.path} is stopped. {GOES_ON}")
    if process.returncode:
        last = _log(run).read_text(encoding="utf-8").strip().splitlines()[-1:] or ["it was killed; see its log"]
        message = f"{run.path}: {last[0].removeprefix('modiste: ')}"
        errors = {error.exit_code: error for error in (TrainingError, OutputError)}
        raise errors.get(process.returncode, InputError)(message)


def _log(run: Run) -> Path:
    return run.path.with_suffix(".log")


def _record(run: Run, split: str) -> dict[str, Any]:
    """Gather what a results file says of one run."""
    recipe, rows = run.recipe(), metrics_file.read(run.metrics)
    scores = files.read_json(run.scores)[split]
    kept = rows[metrics_file.best_epoch(rows, recipe.early_stopping) - 1]
    return {
        **results.run_record(run),
        "fold": recipe.data.fold,
        "accuracy": scores["accuracy"],
        "accuracy_flip_tta": scores.get("accuracy_flip_tta"),
        "loss": scores["loss"],
        "images": scores["n"],
        "val_accuracy": kept.val_accuracy,
        "val_loss": kept.val_loss,
        "best_epoch": kept.epoch,
    }


def _drop_weights(run: Run) -> None:
    for path in (run.weights, run.model, *run.last.glob("*")):
        path.unlink(missing_ok=True)
    if run.last.exists():
        run.last.rmdir()


def _common(recipes: tuple[Recipe, ...]) -> dict[str, Any]:
    """Return the settings that all the recipes share."""
    first, *others = map(settings.to_settings, recipes)
    return {key: value for key, value in first.items() if all(other[key] == value for other in others)}
