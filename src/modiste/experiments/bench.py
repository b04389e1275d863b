"""Train one recipe with several seeds or folds, and compute means and intervals of the accuracy.

Each training is a `modiste` command in its own process. So it has its own memory and threads, and a bench that was
stopped resumes: finished runs are not trained again.
"""

import os
import shutil
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

from modiste.data import sources
from modiste.errors import InputError, OutputError, Stopped, TrainingError
from modiste.metrics import intervals
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.runs import environment, files, metrics_file, results
from modiste.runs.folder import Run
from modiste.runs.lock import lock
from modiste.training.signals import StopRequest, stop_request

HOW_TO_RESUME = "The same command resumes it."


@dataclass(frozen=True, slots=True)
class Bench:
    """Trainings that are compared.

    Args:
        recipes: one for each training; they differ in their seed or fold only.
        split: of the evaluation: test for seeds, validation for folds, which leaves the test split unopened.
        folder: of the runs.
        jobs: number of trainings that run in parallel and share the cores.
        keep_weights: keep weights and checkpoints, which are large.
    """

    recipes: tuple[Recipe, ...]
    split: str
    folder: Path
    jobs: int = 1
    keep_weights: bool = False

    def run_of(self, recipe: Recipe) -> Run:
        """Return the run folder of one of the recipes."""
        return Run(self.folder / (f"seed-{recipe.seed}" if self.split == "test" else f"fold-{recipe.data.fold}"))


def vary_seed(recipe: Recipe, count: int) -> tuple[Recipe, ...]:
    """Return the recipe with each seed from 0 to count - 1."""
    return tuple(replace(recipe, seed=seed) for seed in range(count))


def vary_fold(recipe: Recipe) -> tuple[Recipe, ...]:
    """Return the recipe with each of its folds held out; raises InputError if it holds nothing out."""
    if not recipe.data.folds:
        raise InputError(f"{recipe.name} has no folds. Hold out some: --set data.val_fraction=0.2 --name NAME.")
    return tuple(replace(recipe, data=replace(recipe.data, fold=fold)) for fold in range(recipe.data.folds))


def run(bench: Bench, log: Callable[[str], None]) -> list[dict[str, Any]]:
    """Train and evaluate every recipe that is not finished yet; return a record for each, in their order.

    `log` receives a line when a training starts and when it ends.

    Raises:
        ModisteError: the data lacks the split, another process runs the same bench, or a training failed or was
            stopped; then no further training starts, and the same call resumes.
    """
    _require_split(bench)
    files.make_folder(bench.folder)
    failed = Event()

    def train_unless_failed(recipe: Recipe) -> dict[str, Any]:
        if failed.is_set() or stop():
            return {}  # the error of another training is raised below
        try:
            return _train_and_evaluate(bench, recipe, log, stop)
        except BaseException:
            failed.set()
            raise

    with lock(bench.folder), stop_request() as stop, ThreadPoolExecutor(bench.jobs) as pool:
        _require_weights(bench)
        records = list(pool.map(train_unless_failed, with_one_precision(bench)))
        if stop():
            raise Stopped(stop.signal_number, f"Stopped. {HOW_TO_RESUME}")
    return records


def write(path: Path, name: str, command: str, bench: Bench, records: list[dict[str, Any]]) -> None:
    """Write the results file: the records, common settings, mean, standard deviation and intervals of the accuracy."""
    accuracies = [record["accuracy"] for record in records]
    flip_tta = [record["accuracy_flip_tta"] for record in records]
    first, *others = map(settings.to_settings, bench.recipes)
    common = {key: value for key, value in first.items() if all(other[key] == value for other in others)}
    results.write(
        path,
        recipe=name,
        command=command,
        runs=records,
        settings=common,
        split=bench.split,
        precision=sorted({record["precision"] for record in records}),
        **intervals.summarize(accuracies, results.count_images(records, bench.split)),
        mean_flip_tta=None if None in flip_tta else fmean(flip_tta),
        mean_loss=fmean(record["loss"] for record in records),
    )


def _require_split(bench: Bench) -> None:
    """Raise an InputError before hours of training, if the data cannot be evaluated on the split of the bench."""
    data = bench.recipes[0].data
    has_test, has_validation = map(sources.open_source(data).has_split, ("test", "validation"))
    if bench.split == "test" and not has_test:
        advice = "Add one." if has_validation else "Add one, or use --folds."
        raise InputError(f"{data.source} has no test split to evaluate on. {advice}")
    if bench.split == "validation" and has_validation and data.use_val_split:
        advice = "Leave out --folds." if has_test else "Add a test split and leave out --folds."
        raise InputError(f"{data.source} has a validation split of its own, which every fold would share. {advice}")


def _require_weights(bench: Bench) -> None:
    """Raise an InputError when weights should be kept that an earlier bench has deleted."""
    for run in map(bench.run_of, bench.recipes):
        if bench.keep_weights and run.finished and not run.model.exists():
            raise InputError(
                f"{run.path} was trained without --keep, and its weights were deleted. Remove {bench.folder} to train "
                "again, or leave out --keep."
            )


def with_one_precision(bench: Bench) -> tuple[Recipe, ...]:
    """Return the recipes with one precision in place of auto: that of earlier runs, else the faster one here."""
    options = bench.recipes[0].compute
    if options.precision != "auto":
        return bench.recipes
    runs = [run for run in map(bench.run_of, bench.recipes) if run.recipe_file.exists()]
    if runs:
        precision: Any = runs[0].recipe().compute.precision
    else:
        from modiste.training import compute  # imports torch, which takes seconds

        precision = compute.choose_precision(compute.resolve_device(options))
    return tuple(replace(recipe, compute=replace(options, precision=precision)) for recipe in bench.recipes)


def _train_and_evaluate(bench: Bench, recipe: Recipe, log: Callable[[str], None], stop: StopRequest) -> dict[str, Any]:
    run = bench.run_of(recipe)
    if not _is_evaluated(run, recipe, bench.split):
        log(f"{run.path}: training; its log is {run.path}.log")
        if not run.finished:
            _run_modiste(run, bench.jobs, stop, *_train_arguments(run, recipe))
        _run_modiste(run, bench.jobs, stop, "evaluate", str(run.path), "--split", bench.split)
    if not bench.keep_weights:
        shutil.rmtree(run.last, ignore_errors=True)
        for path in (run.weights, run.model):
            path.unlink(missing_ok=True)
    record = _record(run, bench.split)
    log(f"{run.path}: {bench.split} accuracy {record['accuracy']:.2%}")
    return record


def _is_evaluated(run: Run, recipe: Recipe, split: str) -> bool:
    """Return whether a run is finished and evaluated; raise an InputError if it has another recipe."""
    if not run.recipe_file.exists():
        return False
    if run.recipe() != recipe:
        raise InputError(f"{run.path} has another recipe. Choose another --name or --out, or remove {run.path.parent}.")
    return run.scores.exists() and split in files.read_json(run.scores)


def _train_arguments(run: Run, recipe: Recipe) -> list[str]:
    """Return the arguments that start or resume a training."""
    if run.recipe_file.exists():
        return ["train", "--resume", str(run.path)]
    recipe_file = run.path.with_suffix(".json")
    files.write_text(recipe_file, settings.to_json(recipe))
    return ["train", str(recipe_file), "--name", str(run.path.absolute())]


def _run_modiste(run: Run, jobs: int, stop: StopRequest, *arguments: str) -> None:
    """Run a modiste command in its own process, with its share of the cores; append its output to the log file."""
    variables = {**os.environ, "OMP_NUM_THREADS": str(max(1, environment.usable_cores() // jobs))}
    command = [sys.executable, "-m", "modiste", *arguments]
    log_file = Path(f"{run.path}.log")
    with log_file.open("a", encoding="utf-8") as log:
        # a session of its own, so that Ctrl-C reaches this process only, which passes it on once
        process = subprocess.Popen(command, stdout=log, stderr=log, env=variables, start_new_session=True)  # noqa: S603
        while process.poll() is None and not stop():
            time.sleep(0.1)
        if process.poll() is None:
            process.send_signal(stop.signal_number)
            process.wait()
    if stop():
        raise Stopped(stop.signal_number, f"{run.path} is stopped. {HOW_TO_RESUME}")
    if process.returncode:
        last = log_file.read_text(encoding="utf-8").strip().splitlines()[-1:] or ["it was killed; see its log"]
        errors = {error.exit_code: error for error in (TrainingError, OutputError)}
        raise errors.get(process.returncode, InputError)(f"{run.path}: {last[0].removeprefix('modiste: ')}")


def _record(run: Run, split: str) -> dict[str, Any]:
    """Return the record of a run for the results file."""
    recipe, rows = run.recipe(), metrics_file.read(run.metrics)
    scores = files.read_json(run.scores)[split]
    best = rows[metrics_file.best_epoch(rows, recipe.early_stopping) - 1]
    return {
        **results.run_record(run),
        "fold": recipe.data.fold,
        "accuracy": scores["accuracy"],
        "accuracy_flip_tta": scores.get("accuracy_flip_tta"),
        "loss": scores["loss"],
        "images": scores["n"],
        "val_accuracy": best.val_accuracy,
        "val_loss": best.val_loss,
        "best_epoch": best.epoch,
    }
