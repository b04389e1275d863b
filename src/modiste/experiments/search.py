"""The trials of a study, run until a budget is spent."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field

import optuna

from modiste.errors import SettingError
from modiste.experiments import search_space, study, trials
from modiste.experiments.executor import Executor
from modiste.experiments.search_space import Space
from modiste.experiments.study import Reporter
from modiste.experiments.trials import Outcome, Trial
from modiste.experiments.trials_view import REFRESH_SECONDS, TrialsView
from modiste.recipes.recipe import Settings
from modiste.runs import metrics_file

MAX_FAILURES = 10
"""A search ends when this many trials have failed and no other one has not."""


@dataclass
class Search:
    """Runs trials until the budget is spent, first those that were stopped or failed before.

    Args:
        plan: returns the trial of an index with some values; raises SettingError for values that are not allowed.
        space: the settings and their values.
        study: of the trials.
        pool: that runs them.
        epochs: of a trial, for the estimate of the end.
        max_trials: number of trials, those before included; None: as many as the time allows.
        max_seconds: no trial starts after this time, that of earlier calls included; None: any time.
        log: receives a line when a trial starts and when it ends.
    """

    plan: Callable[[int, Settings], Trial]
    space: Space
    study: optuna.Study
    pool: Executor
    epochs: int
    max_trials: int | None
    max_seconds: float | None
    log: Callable[[str], None]
    started: float = field(default_factory=time.monotonic)
    running: dict[Future[Outcome], tuple[Trial, Reporter]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seconds_before = study.seconds(self.study)

    @property
    def seconds(self) -> float:
        """Time of all trials so far."""
        return self.seconds_before + time.monotonic() - self.started

    def run(self) -> None:
        """Run trials, with a view on a terminal; raises Stopped or OutputError, after which the same call resumes."""
        stopped = study.running_trials(self.study)
        left = None if self.max_trials is None else self.max_trials - study.count_started(self.study) + len(stopped)
        try:
            with TrialsView(None if left is None else left * self.epochs) as view:
                while self._start_some(stopped):
                    done = wait(self.running, REFRESH_SECONDS, FIRST_COMPLETED).done
                    view.show([trial for trial, _ in self.running.values()])
                    for future in done:
                        trial, reporter = self.running.pop(future)
                        view.end(trial)
                        self._end(future.result(), reporter)
        finally:
            study.set_seconds(self.study, self.seconds)
            for future in self.running:
                future.cancel()

    def _start_some(self, stopped: list[optuna.Trial]) -> bool:
        """Start as many trials as run in parallel, those that were stopped first; return whether any runs."""
        while len(self.running) < self.pool.jobs and (stopped or self._has_budget()):
            self._start(stopped.pop(0) if stopped else study.start_trial(self.study))
        return bool(self.running)

    def _has_budget(self) -> bool:
        has_trials = self.max_trials is None or study.count_started(self.study) < self.max_trials
        has_time = self.max_seconds is None or self.seconds < self.max_seconds
        return has_trials and has_time and not study.only_failures(self.study, MAX_FAILURES)

    def _start(self, trial: optuna.Trial) -> None:
        try:
            planned = self.plan(trial.number, search_space.suggest(trial, self.space))
        except SettingError as error:  # two values that are allowed each, but not beside one another
            study.refuse(trial, str(error))
            self.log(f"trial {trial.number} failed: {error}")
            return
        reporter = Reporter(trial, planned.recipe.schedule.epochs)
        self.running[self.pool.submit(planned, reporter)] = planned, reporter
        if trial.number == 0:
            self.log(f"The log of the next training is {planned.path}.log")

    def _end(self, outcome: Outcome, reporter: Reporter) -> None:
        """Tell the study how a trial ended."""
        trial, line = reporter.trial, trials.describe(outcome)
        if outcome.error:
            study.fail(trial, str(outcome.error))
        elif reporter(metrics_file.read(outcome.trial.run.metrics)):
            study.prune(trial)
            line = trials.describe(Outcome(outcome.trial, pruned=True))
        else:
            study.complete(trial, trials.read_record(outcome.trial)["val_accuracy"])
        if not outcome.error:
            trials.drop_weights(outcome.trial.run)
        study.set_seconds(self.study, self.seconds)
        self.log(f"{line} ({self._describe_budget()})")

    def _describe_budget(self) -> str:
        ended, parts = study.count_ended(self.study), []
        if self.max_trials is not None:
            left = self.seconds / ended * (self.max_trials - ended)
            parts.append(f"{ended} of {self.max_trials}, about {trials.format_duration(left)} left")
        if self.max_seconds is not None:
            parts.append(f"{self.seconds / 60:.1f} of {self.max_seconds / 60:g} minutes")
        return "; ".join(parts)
