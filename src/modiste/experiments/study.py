"""An Optuna study in a journal file: it resumes after a kill, and so do its trials."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from modiste.errors import InputError, TrainingError
from modiste.experiments import search_space
from modiste.runs.metrics_file import EpochMetrics

JOURNAL = "journal.log"
NAME = "tune"

DESCRIPTION, SECONDS, REASON = "description", "seconds", "reason"
"""Attributes of a study: what it is of, the time of its trials so far; of a trial: why it failed."""

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "failed",
}
"""A training that failed stays running, with its reason, so that the next call tries it again as one that stopped."""

STARTUP_TRIALS = 5
"""Trials that are not pruned, as there is little to compare them with."""

MIN_EPOCHS = 2
"""Epochs that no trial is pruned before."""


def open_study(folder: Path, description: dict[str, Any], first_values: dict[str, Any], epochs: int) -> optuna.Study:
    """Open the study in a folder that no other process uses, or make one whose first trial has the given values.

    Args:
        folder: of the journal.
        description: recipe and ranges, as JSON values, which a study keeps.
        first_values: of the first trial.
        epochs: of a trial; in the first fifth none is pruned.

    Raises:
        InputError: the study that is there is of another recipe, or has other ranges, or its journal cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal = folder / JOURNAL
    _repair(journal)
    pruner = optuna.pruners.MedianPruner(STARTUP_TRIALS, n_warmup_steps=max(MIN_EPOCHS, epochs // 5))
    try:
        study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(journal))),
            study_name=NAME,
            direction="maximize",
            pruner=pruner,
            load_if_exists=True,
        )
    except (AssertionError, KeyError, RecursionError, TypeError, ValueError) as error:  # Optuna does not check it
        raise InputError(f"{journal} is damaged ({error!r}). Restore it, or choose another --name.") from None
    text = json.dumps(description, sort_keys=True)
    if study.user_attrs.get(DESCRIPTION, text) != text:
        raise InputError(f"{folder} has another recipe or other ranges. Choose another --name, or remove it.")
    if DESCRIPTION not in study.user_attrs:
        study.enqueue_trial(first_values, skip_if_exists=True)
        study.set_user_attr(DESCRIPTION, text)
    return study


def _repair(journal: Path) -> None:
    """Remove what a killed process left: the lock of the journal, and a last line that is not complete.

    Raises:
        InputError: the journal is a link, which would be written through, or no regular file.
    """
    if journal.is_symlink() or (journal.exists() and not journal.is_file()):
        raise InputError(f"{journal} is not a regular file. Remove it, or choose another --name.")
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    if journal.exists() and not (content := journal.read_bytes()).endswith(b"\n"):
        journal.write_bytes(content[: content.rfind(b"\n") + 1])


def running_trials(study: optuna.Study) -> list[optuna.Trial]:
    """Return the trials that were stopped before their end, and those whose training failed."""
    frozen = study.get_trials(states=(TrialState.RUNNING,))
    return [_resume_trial(study, each) for each in frozen]


def _resume_trial(study: optuna.Study, frozen: FrozenTrial) -> optuna.Trial:
    study.sampler = _sampler(frozen.number)  # for values that it had not yet
    return optuna.Trial(study, frozen._trial_id)  # noqa: SLF001 - there is no public way


def start_trial(study: optuna.Study) -> optuna.Trial:
    """Start another trial."""
    study.sampler = _sampler(count_started(study))
    return study.ask()


def _sampler(trial: int) -> optuna.samplers.BaseSampler:
    """Return a sampler with random numbers of its own for each trial, so that a study resumes as if unbroken."""
    return optuna.samplers.TPESampler(seed=trial)


def count_started(study: optuna.Study) -> int:
    """Return how many trials were started, those that failed or were pruned included."""
    return len(study.get_trials(deepcopy=False, states=tuple(STATES)))


def count_ended(study: optuna.Study) -> int:
    """Return how many trials ended, however they did."""
    return len(_ended(study))


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    trials = study.get_trials(deepcopy=False, states=tuple(STATES))
    return [trial for trial in trials if trial.state != TrialState.RUNNING or REASON in trial.user_attrs]


def only_failures(study: optuna.Study, count: int) -> bool:
    """Return whether at least so many trials ended and each of them failed."""
    ended = _ended(study)
    return len(ended) >= count and all(STATES[trial.state] == "failed" for trial in ended)


def seconds(study: optuna.Study) -> float:
    """Return the time of all trials so far."""
    return float(study.user_attrs.get(SECONDS, 0.0))


def set_seconds(study: optuna.Study, value: float) -> None:
    """Keep the time of all trials so far."""
    study.set_user_attr(SECONDS, value)


def complete(trial: optuna.Trial, val_accuracy: float) -> None:
    """End a trial with its accuracy."""
    trial.study.tell(trial, val_accuracy)


def prune(trial: optuna.Trial) -> None:
    """End a trial that was pruned; its value is that of its last epoch."""
    trial.study.tell(trial, state=TrialState.PRUNED)


def fail(trial: optuna.Trial, reason: str) -> None:
    """Note why the training of a trial failed, which the next call tries again."""
    trial.set_user_attr(REASON, reason)


def refuse(trial: optuna.Trial, reason: str) -> None:
    """End a trial whose values are not allowed."""
    fail(trial, reason)
    trial.study.tell(trial, state=TrialState.FAIL)


class Reporter:
    """Reports the validation accuracy of each epoch of a trial, and returns whether the trial is pruned.

    Args:
        trial: of the study.
        epochs: of the recipe; after the last one there is nothing to prune.
    """

    def __init__(self, trial: optuna.Trial, epochs: int) -> None:
        self.trial, self.epochs = trial, epochs
        self.reported, self.pruned = 0, False

    def __call__(self, rows: Sequence[EpochMetrics]) -> bool:
        """Report the epochs that are new, each in turn, until the trial is pruned."""
        values = self.trial.study.trials[self.trial.number].intermediate_values if not self.reported else {}
        for row in rows[self.reported :]:
            if self.pruned:
                break
            self.reported = row.epoch
            if row.epoch not in values:  # a trial that resumes has reported its first epochs before
                self.trial.report(row.val_accuracy or 0.0, row.epoch)
            self.pruned = row.epoch < self.epochs and self.trial.should_prune()
        return self.pruned


def to_records(study: optuna.Study) -> list[dict[str, Any]]:
    """Return a record of each trial that ended: number, state, accuracy, epochs, settings, and why it failed."""
    return list(map(_to_record, _ended(study)))


def _to_record(trial: FrozenTrial) -> dict[str, Any]:
    record = {
        "trial": trial.number,
        "state": STATES[trial.state],
        "val_accuracy": trial.value,
        "epochs": len(trial.intermediate_values),
        "settings": search_space.round_values(trial.params),
    }
    return {**record, REASON: trial.user_attrs[REASON]} if record["state"] == "failed" else record


def best_record(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the complete trial with the highest accuracy, the first of equal ones.

    Raises:
        TrainingError: no trial is complete; the message has the reason of the first.
    """
    complete_ones = [record for record in records if record["state"] == "complete"]
    if not complete_ones:
        reason = next((record[REASON] for record in records if REASON in record), "None was run to its end.")
        raise TrainingError(f"No trial succeeded, of {len(records)}. The first failure: {reason}")
    return max(complete_ones, key=lambda record: float(record["val_accuracy"]))


def importances(study: optuna.Study) -> dict[str, float]:
    """Return how much of the differences in accuracy each setting explains, highest first (PED-ANOVA, Watanabe 2023).

    Empty with fewer than four complete trials, or if all have the same accuracy.
    """
    values = [trial.value for trial in study.get_trials(states=(TrialState.COMPLETE,))]
    if len(values) < 4 or len(set(values)) < 2:
        return {}
    return {key: float(value) for key, value in optuna.importance.get_param_importances(study).items()}
