"""Trials: the trainings of an experiment, each in processes of its own.

`run_trial` is all that a worker does, on this machine or on another one: its arguments and what it returns are plain
values. It resumes a trial that was stopped and does not repeat one that is finished. A trial that fails has a reason.
"""

import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modiste.errors import InputError, ModisteError, Stopped, TrainingError
from modiste.experiments.process import HOW_TO_RESUME, Killed, Prune, run_modiste, wait_for_earlier_process
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.runs import files, metrics_file, results
from modiste.runs.folder import Run
from modiste.training.signals import StopRequest

MAX_ATTEMPTS = 3
"""How often a process is started that something else kills, as a system does that is short of memory."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of an experiment.

    Args:
        recipe: what to train, with its seed and fold.
        path: of the run folder.
        split: evaluated after the training: test or validation; empty: none.
        keep_weights: keep weights and checkpoints, which are large.
    """

    recipe: Recipe
    path: Path
    split: str = ""
    keep_weights: bool = False

    @property
    def run(self) -> Run:
        """The run folder."""
        return Run(self.path)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do but to drop the weights."""
        if not self.run.finished:
            return False
        return not self.split or (self.run.scores.exists() and self.split in files.read_json(self.run.scores))

    @property
    def epochs(self) -> int:
        """The number of epochs of the recipe."""
        return self.recipe.schedule.epochs

    def count_epochs(self) -> int:
        """Return the number of epochs that are over; all of them where the training is finished."""
        if self.run.finished:
            return self.epochs
        with suppress(InputError):  # no epoch is over yet
            return len(metrics_file.read(self.run.metrics))
        return 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended.

    Args:
        trial: the trial.
        error: why it failed; None if it did not.
        pruned: whether it was stopped before its last epoch, as it was not promising.
        seconds: wall-clock time that it took now; 0 for a trial that was finished before.
    """

    trial: Trial
    error: ModisteError | None = None
    pruned: bool = False
    seconds: float = 0.0


def run_trial(trial: Trial, threads: int, stop: StopRequest, prune: Prune | None = None) -> Outcome:
    """Train and evaluate a trial, or what is left of it.

    Args:
        trial: the trial.
        threads: number of CPU threads, where the recipe does not say.
        stop: asked all the time; the run can be resumed afterwards.
        prune: asked all the time with the metrics of the epochs so far; ends the training if it is true.

    Raises:
        Stopped: a stop was requested.
        OutputError: the run cannot be written.
    """
    if stop():
        raise Stopped(stop.signal_number, f"Stopped. {HOW_TO_RESUME}")
    start, was_finished, pruned, error = time.monotonic(), trial.finished, False, None
    try:
        if not trial.run.finished:
            pruned = _run_next_step(trial, threads, stop, prune)
        if not pruned and not trial.finished:
            _run_next_step(trial, threads, stop, None)
    except (InputError, TrainingError) as failure:
        error = failure
    if not (trial.keep_weights or pruned or error):
        drop_weights(trial.run)
    return Outcome(trial, error, pruned, 0.0 if was_finished else time.monotonic() - start)


def _run_next_step(trial: Trial, threads: int, stop: StopRequest, prune: Prune | None) -> bool:
    """Train, or evaluate where the training is finished; return whether the trial was pruned."""
    for _ in range(MAX_ATTEMPTS):
        wait_for_earlier_process(trial.path, stop)
        if stop():
            raise Stopped(stop.signal_number, f"{trial.path} is stopped. {HOW_TO_RESUME}")
        if trial.finished:
            return False
        try:
            if trial.run.finished:
                return run_modiste(["evaluate", str(trial.path), "--split", trial.split], trial.path, threads, stop)
            return run_modiste(_train_arguments(trial), trial.path, threads, stop, prune)
        except Killed:
            continue
    raise TrainingError(f"{trial.path}: its process was killed {MAX_ATTEMPTS} times. Is there enough memory?")


def _train_arguments(trial: Trial) -> list[str]:
    """Return the arguments that start or resume a training."""
    if trial.run.recipe_file.exists():
        return ["train", "--resume", str(trial.path)]
    files.make_folder(trial.path.parent)
    recipe_file = trial.path.with_suffix(".json")
    files.write_text(recipe_file, settings.to_json(trial.recipe))
    return ["train", str(recipe_file), "--name", str(trial.path.absolute())]


def drop_weights(run: Run) -> None:
    """Delete the weights of a run, which are large, and the model card, which says how to use them."""
    shutil.rmtree(run.last, ignore_errors=True)
    for path in (run.weights, run.model, run.card):
        path.unlink(missing_ok=True)


def require_resumable(trials: Sequence[Trial]) -> None:
    """Raise an InputError for a run folder of another recipe, or without the weights that are to be kept."""
    for trial in trials:
        if not trial.run.recipe_file.exists():
            continue
        if trial.run.recipe() != trial.recipe:
            raise InputError(
                f"{trial.path} has another recipe. Choose another --name or --out, or remove {trial.path.parent}."
            )
        if trial.keep_weights and trial.run.finished and not trial.run.model.exists():
            raise InputError(
                f"{trial.path} was trained without --keep, and its weights were deleted. Remove {trial.path.parent} to "
                "train again, or leave out --keep."
            )


def with_one_precision(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials with one precision in place of auto: that of earlier runs, else the faster one here."""
    automatic = [trial for trial in trials if trial.recipe.compute.precision == "auto"]
    if not automatic:
        return list(trials)
    runs = [trial.run for trial in automatic if trial.run.recipe_file.exists()]
    if runs:
        precision: Any = runs[0].recipe().compute.precision
    else:
        from modiste.training import compute  # imports torch, which takes seconds

        precision = compute.choose_precision(compute.resolve_device(automatic[0].recipe.compute))
    fixed = {"compute.precision": precision}
    return [
        replace(trial, recipe=settings.with_settings(trial.recipe, fixed)) if trial in automatic else trial
        for trial in trials
    ]


def read_record(trial: Trial) -> dict[str, Any]:
    """Return the record of a finished trial for a results file, with its scores where it was evaluated."""
    recipe, rows = trial.run.recipe(), metrics_file.read(trial.run.metrics)
    best = rows[metrics_file.best_epoch(rows, recipe.early_stopping) - 1]
    train_losses, val_losses = metrics_file.losses(rows)
    return {
        **results.run_record(trial.run),
        "fold": recipe.data.fold,
        **(_scores(trial) if trial.split else {}),
        "val_accuracy": best.val_accuracy,
        "val_loss": best.val_loss,
        "best_epoch": best.epoch,
        "train_losses": [round(loss, 6) for loss in train_losses],
        "val_losses": [round(loss, 6) for loss in val_losses],
    }


def _scores(trial: Trial) -> dict[str, Any]:
    scores = files.read_json(trial.run.scores)[trial.split]
    return {
        "accuracy": scores["accuracy"],
        "accuracy_flip_tta": scores.get("accuracy_flip_tta"),
        "loss": scores["loss"],
        **{name: scores.get(name) for name in ("balanced_accuracy", "macro_f1", "brier", "ece")},
        "images": scores["n"],
        **({"groups": groups} if (groups := scores.get("n_groups")) else {}),
    }


def failure_record(outcome: Outcome) -> dict[str, Any]:
    """Return the record of a trial that failed: seed, fold, reason."""
    recipe = outcome.trial.recipe
    return {"seed": recipe.seed, "fold": recipe.data.fold, "reason": str(outcome.error)}


def describe(outcome: Outcome) -> str:
    """Return in a line how a trial ended."""
    path, split = outcome.trial.path, outcome.trial.split
    if outcome.error:
        return f"{path} failed: {str(outcome.error).removeprefix(f'{path}: ')}"
    if outcome.pruned:
        return f"{path}: stopped early, as it was not promising"
    record = read_record(outcome.trial)
    return f"{path}: {split or 'validation'} accuracy {record['accuracy' if split else 'val_accuracy']:.2%}"


def format_duration(seconds: float) -> str:
    """Format a time: `40 s`, `12 minutes`, `3.5 hours`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
