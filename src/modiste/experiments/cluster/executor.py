"""The executor that runs trials on a Ray cluster."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray

from modiste.errors import ModisteError, Stopped, TrainingError
from modiste.experiments.cluster import connection, run_store, worker
from modiste.experiments.cluster.head import Head
from modiste.experiments.cluster.run_store import LargeFiles, RunStore
from modiste.experiments.cluster.worker import Task, TaskResult
from modiste.experiments.process import HOW_TO_RESUME, Prune
from modiste.experiments.resources import Resources
from modiste.experiments.trials import Outcome, Trial
from modiste.recipes.recipe import Recipe
from modiste.runs import environment, files, metrics_file
from modiste.runs.lock import lock
from modiste.runs.storage import Storage, is_url
from modiste.training.signals import StopRequest, stop_on_error, stop_request

POLL_SECONDS = 0.5
STOP_SECONDS = 60.0
"""In which a trial that is to stop ends its step and sends its checkpoint."""

MAX_LOSSES = 10
"""How often in a row a worker may be lost before the trial has ended another epoch."""

MAX_PARALLEL = 512
"""Trials at a time, each of which has a thread here."""

STORE_THREADS = 16


@dataclass
class RayExecutor:
    """Runs trials on the nodes of a cluster; their run folders are on this machine, and grow while they run.

    A trial whose worker or node is lost is resumed elsewhere, from the last checkpoint that was sent. When the head is
    lost, all trials are stopped.
    """

    pool: ThreadPoolExecutor
    jobs: int
    stop: StopRequest
    head: Head
    log: Callable[[str], None]
    cpus: int
    gpus: float
    store: Any
    large_files: LargeFiles | None
    readable: set[str] = field(default_factory=set)
    versions: dict[str, str] = field(default_factory=environment.versions)

    def submit(self, trial: Trial, prune: Prune | None = None) -> Future[Outcome]:
        """Run a trial as `Executor.submit`; raises InputError for data that a node cannot see."""
        paths = [path for path in paths_of(trial.recipe) if path not in self.readable]
        if paths and not trial.finished:
            connection.require_readable(paths)
            self.readable.update(paths)
        return self.pool.submit(self._run, trial, prune)

    def _run(self, trial: Trial, prune: Prune | None) -> Outcome:
        """Run a trial until it ends, on another worker where one is lost."""
        if self._is_stopping():
            raise self._stopped(trial)
        if trial.finished:
            return Outcome(trial)
        remote = connection.to_remote(worker.run_task, num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0)
        absolute = replace(trial, path=trial.path.absolute())
        task = Task(absolute, 0, self.cpus, self.versions, str(Path.cwd()), self.large_files)
        losses, epochs = 0, absolute.count_epochs()
        while losses < MAX_LOSSES:
            task = replace(task, attempt=task.attempt + 1)
            if result := self._wait_for_result(remote.remote(task, self.store), absolute, task.attempt, prune):
                return self._to_outcome(trial, result)
            if self._is_stopping():
                raise self._stopped(trial)
            self.log(f"{trial.path}: its worker or node was lost. Another one resumes it from its last checkpoint.")
            done = absolute.count_epochs()
            losses, epochs = (0 if done > epochs else losses + 1), done
        error = TrainingError(f"{trial.path}: its worker was lost {MAX_LOSSES} times. Has each node enough memory?")
        return Outcome(trial, error)

    def _wait_for_result(self, call: Any, trial: Trial, attempt: int, prune: Prune | None) -> TaskResult | None:
        """Return the result of an attempt; None if it was lost, or its worker was stopped although nobody asked for it.

        The latter happens after the loss of the run store, whose successor takes the workers for outdated ones.
        """
        try:
            self._wait(call, trial, attempt, prune)
            result: TaskResult = ray.get(call)
        except ray.exceptions.RayTaskError:
            raise  # a fault of this package, which would come again
        except ray.exceptions.RayError:
            return None
        return None if result.error[0] == Stopped.__name__ and not self._is_stopping() else result

    def _wait(self, call: Any, trial: Trial, attempt: int, prune: Prune | None) -> None:
        """Wait for the end of an attempt; let it end when a stop is requested or it is pruned."""
        ordered, deadline = "", float("inf")
        while not ray.wait([call], timeout=POLL_SECONDS)[0] and time.monotonic() < deadline:
            is_pruned = prune is not None and trial.run.metrics.exists() and prune(metrics_file.read(trial.run.metrics))
            order = run_store.STOPPED if self._is_stopping() else run_store.PRUNED if is_pruned else ""
            if order and order != ordered:
                ordered = order
                self.store.order.remote(str(trial.path), order)
            if self._is_stopping() and deadline == float("inf"):
                deadline = time.monotonic() + (self.head.timeout if self.head.is_lost() else STOP_SECONDS)
                if not ray.get(self.store.has_started.remote(str(trial.path), attempt)):
                    ray.cancel(call)  # it waits for a place
        if time.monotonic() >= deadline:
            raise self._stopped(trial)

    def _to_outcome(self, trial: Trial, result: TaskResult) -> Outcome:
        error = worker.to_error(*result.error)
        if self.large_files:
            self.large_files.fetch(trial, trial.path.parent)
            self.large_files.clear(trial)
        if isinstance(error, Stopped):
            raise self._stopped(trial)
        if error and result.is_fatal:
            raise error
        return Outcome(trial, error, result.pruned, result.seconds)

    def _is_stopping(self) -> bool:
        return self.stop() or self.head.is_lost()

    def _stopped(self, trial: Trial) -> ModisteError:
        if self.stop():
            return Stopped(self.stop.signal_number, f"{trial.path} is stopped. {HOW_TO_RESUME}")
        return TrainingError(f"{trial.path} is stopped, as the head of the cluster is lost. {HOW_TO_RESUME}")


@contextmanager
def open_cluster(folder: Path, resources: Resources, log: Callable[[str], None]) -> Iterator[RayExecutor]:
    """Yield an executor for the trials of an experiment in a folder, which no other process uses meanwhile.

    Raises:
        InputError: there is no cluster at the address, a node has other versions, no node has the resources of a
            trial, a node cannot write to the storage, or another process runs the same experiment.
        OutputError: the folder cannot be made.
    """
    cpus, gpus = resources.cpus or 1, resources.gpus or 0.0
    head_is_lost = "The head of the Ray cluster does not answer. The trainings are stopped."
    with connection.connect(resources.cluster, lambda: log(head_is_lost)) as head:
        capacity = connection.require_room(cpus, gpus, "A trial")
        jobs = min(resources.jobs or capacity, MAX_PARALLEL)
        large_files = _open_storage(folder, resources.storage)
        files.make_folder(folder)
        with lock(folder), stop_request() as stop, ThreadPoolExecutor(jobs) as pool, stop_on_error(stop):
            yield RayExecutor(pool, jobs, stop, head, log, cpus, gpus, _start_store(), large_files)


def _start_store() -> Any:
    """Start the run store on this machine; Ray starts it again where it is lost."""
    restarts = {"max_restarts": -1, "max_task_retries": -1}
    options = {"num_cpus": 0, "max_concurrency": STORE_THREADS, "scheduling_strategy": connection.this_node()}
    store = connection.to_remote(RunStore, **restarts, **options).remote()
    ray.get(store.has_started.remote("", 0))  # the first call asks the head for the address; later ones work without it
    return store


def _open_storage(folder: Path, storage: str) -> LargeFiles | None:
    """Return the storage for weights and checkpoints; raises InputError for one that a node cannot write to."""
    if not storage:
        return None
    opened = Storage(storage if is_url(storage) else str(Path(storage).absolute()))
    if not is_url(storage):
        connection.require_readable([opened.url], "--storage ")
    connection.require_writable(opened, "--storage")
    return LargeFiles(opened, folder.absolute())


def paths_of(recipe: Recipe) -> list[str]:
    """Return the files and folders that the training of a recipe reads."""
    paths = [recipe.data.source, recipe.data.corrections, *recipe.distillation.teachers]
    return [str(Path(path).absolute()) for path in paths if path]
