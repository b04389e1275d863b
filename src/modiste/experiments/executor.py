"""Executors: run the trials of an experiment, as local processes or on a Ray cluster, several in parallel."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from modiste.experiments.process import Prune
from modiste.experiments.resources import Resources
from modiste.experiments.trials import Outcome, Trial, describe, format_duration, run_trial
from modiste.experiments.trials_view import REFRESH_SECONDS, TrialsView
from modiste.runs import environment, files
from modiste.runs.lock import lock
from modiste.training.signals import StopRequest, stop_on_error, stop_request


class Executor(Protocol):
    """Runs trials, at most `jobs` at a time."""

    @property
    def jobs(self) -> int:
        """Maximum number of trials in parallel."""

    def submit(self, trial: Trial, prune: Prune | None = None) -> Future[Outcome]:
        """Run a trial when a place is free.

        Its future raises Stopped, OutputError, or TrainingError when the head of the cluster is lost; it does not raise
        when the trial fails.
        """


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    """Runs trials as local processes, which share the cores."""

    pool: ThreadPoolExecutor
    jobs: int
    stop: StopRequest

    def submit(self, trial: Trial, prune: Prune | None = None) -> Future[Outcome]:
        """Run a trial as `Executor.submit`."""
        threads = max(1, environment.usable_cores() // self.jobs)
        return self.pool.submit(run_trial, trial, threads, self.stop, prune)


@contextmanager
def open_executor(folder: Path, resources: Resources, log: Callable[[str], None]) -> Iterator[Executor]:
    """Yield an executor for the trials of an experiment in a folder, which no other process uses meanwhile.

    When the block fails, the trials that run are stopped. `log` receives a line when a worker, a node or the head of a
    cluster is lost.

    Raises:
        InputError: another process runs the same experiment, or the cluster cannot be used.
        OutputError: the folder cannot be made.
        ModuleNotFoundError: a cluster is named, and Ray is not installed.
    """
    if resources.cluster:
        from modiste.experiments.cluster.executor import open_cluster  # imports Ray, which takes seconds

        with open_cluster(folder, resources, log) as executor:
            yield executor
        return
    jobs = resources.jobs or 1
    files.make_folder(folder)
    with lock(folder), stop_request() as stop, ThreadPoolExecutor(jobs) as pool, stop_on_error(stop):
        yield LocalExecutor(pool, jobs, stop)


@dataclass
class Progress:
    """Logs how each of `total` trials ended, and about when all will have."""

    total: int
    log: Callable[[str], None]
    started: float = field(default_factory=time.monotonic)
    ended: int = 0
    run_now: int = 0

    def end(self, outcome: Outcome) -> None:
        """Log one more line."""
        self.ended += 1
        self.run_now += outcome.seconds > 0
        self.log(f"{describe(outcome)} ({self.ended} of {self.total}{self._time_left()})")

    def _time_left(self) -> str:
        left = self.total - self.ended
        if not left or not self.run_now:
            return ""
        return f", about {format_duration((time.monotonic() - self.started) / self.run_now * left)} left"


def run_trials(trials: Sequence[Trial], executor: Executor, progress: Progress) -> Iterator[Outcome]:
    """Run trials; yield how each ended, about in the order of their ends.

    On a terminal, a view shows the epochs of the running trials and about when all will have ended.

    Raises:
        InputError: no trial can run on the cluster.
        Stopped: by a signal; the same call resumes.
        OutputError: a run cannot be written.
    """
    futures: dict[Future[Outcome], Trial] = {}
    try:
        for trial in trials:
            futures[executor.submit(trial)] = trial
        if left := [trial.path for trial in trials if not trial.finished]:
            progress.log(f"The log of the next training is {left[0]}.log")
        with TrialsView(sum(trial.epochs for trial in trials), trials) as view:
            for future in _in_order_of_ends(futures, view):
                outcome = future.result()
                view.end(outcome.trial)
                progress.end(outcome)
                yield outcome
    finally:
        for future in futures:
            future.cancel()


def _in_order_of_ends(futures: dict[Future[Outcome], Trial], view: TrialsView) -> Iterator[Future[Outcome]]:
    """Yield the futures that are done; draw the view of those that run meanwhile."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, REFRESH_SECONDS, FIRST_COMPLETED)
        view.show([futures[future] for future in futures if future in pending and future.running()])
        yield from (future for future in futures if future in done)
