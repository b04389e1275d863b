"""What a node of a cluster does: run a trial in a temporary folder, and send its changes to the command's machine."""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray

from modiste.errors import InputError, ModisteError, Stopped
from modiste.experiments.cluster import run_store
from modiste.experiments.cluster.connection import describe_difference
from modiste.experiments.cluster.run_store import LargeFiles
from modiste.experiments.trials import Outcome, Trial, run_trial
from modiste.runs import environment
from modiste.runs.metrics_file import EpochMetrics
from modiste.training.signals import StopRequest

REPORT_SECONDS = 1.0
SCRATCH = "modiste-trial-"

MAX_REPORT_SHARE = 0.1
"""Of the time of a trial that may pass in sending files: a long report is followed by a long pause."""


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at a trial.

    Args:
        trial: with the path of its run on the machine of the command.
        attempt: number of the attempt.
        threads: CPU threads.
        versions: of the machine of the command, which this node must have.
        working_folder: of the command, for code of the user's own; used where this node has it.
        large_files: where weights and checkpoints are; None: on the machine of the command.
    """

    trial: Trial
    attempt: int
    threads: int
    versions: Mapping[str, str]
    working_folder: str
    large_files: LargeFiles | None


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How an attempt ended, as plain values.

    Args:
        error: class name and message of the error; empty if there was none.
        is_fatal: whether the error would come again in every other trial.
        pruned: as in `Outcome`.
        seconds: as in `Outcome`.
    """

    error: tuple[str, str] = ("", "")
    is_fatal: bool = False
    pruned: bool = False
    seconds: float = 0.0


def run_task(task: Task, store: Any) -> TaskResult:
    """Run a trial, or what is left of it, and send its run folder to the store while it changes."""
    if different := describe_difference(task.versions, environment.versions()):
        node = ray.util.get_node_ip_address()
        message = f"Node {node} has {different}. Install the same versions on all nodes."
        return TaskResult((InputError.__name__, message), is_fatal=True)
    with suppress(OSError):
        os.chdir(task.working_folder)
    parent = task.trial.path.parent
    _remove_leftovers()
    with tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{os.getpid()}-") as scratch:
        local = replace(task.trial, path=Path(scratch) / task.trial.path.name)
        try:
            outcome = _run(task, local, store)
        except ModisteError as error:
            return TaskResult(_describe(error, scratch, parent), is_fatal=True)
        return TaskResult(_describe(outcome.error, scratch, parent), False, outcome.pruned, outcome.seconds)


def _remove_leftovers() -> None:
    """Remove the temporary folders of workers that were killed, with their checkpoints."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*-*"):
        process = folder.name.removeprefix(SCRATCH).partition("-")[0]
        if not Path(f"/proc/{process}").exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _describe(error: ModisteError | None, scratch: str, parent: Path) -> tuple[str, str]:
    """Return class name and message of an error, with the path that the user knows."""
    return (type(error).__name__, str(error).replace(scratch, str(parent))) if error else ("", "")


def _run(task: Task, local: Trial, store: Any) -> Outcome:
    shared = task.large_files.fetch(task.trial, local.path.parent) if task.large_files else 0
    contents = ray.get(store.start.remote(str(task.trial.path), task.attempt, not shared))
    run_store.write_files(local.path.parent, contents)
    reporter = Reporter(task, local, store)
    reporter.mark_sent()
    with reporter:
        return run_trial(local, task.threads, reporter.stop, reporter.is_pruned)


@dataclass
class Reporter:
    """Sends what changes in a run folder, in a thread of its own, and receives whether the trial is to end."""

    task: Task
    local: Trial
    store: Any
    stop: StopRequest = field(default_factory=StopRequest)
    order: str = run_store.RUNNING
    error: ModisteError | None = None
    sent: dict[Path, tuple[int, int]] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> None:
        """Start to send."""
        self.thread = threading.Thread(target=self._send_until_end, daemon=True)
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        """Send what is left; raise the error that has stopped the trial, instead of its Stopped."""
        self.ended.set()
        self.thread.join()
        if not self.error:
            self._report_or_stop(self._send)
        if self.error:
            raise self.error from None

    def mark_sent(self) -> None:
        """Mark the files that are there as sent."""
        self.sent = self._states()

    def is_pruned(self, _: Sequence[EpochMetrics]) -> bool:
        """Return whether the machine of the command has decided to end the trial."""
        return self.order == run_store.PRUNED

    def _send_until_end(self) -> None:
        next_send = 0.0
        while not self.ended.wait(REPORT_SECONDS) and not self.error:
            started = time.monotonic()
            if started < next_send:  # the order is asked for nevertheless, or a slow storage would delay a stop
                self._report_or_stop(lambda: self._report({}, []))
                continue
            self._report_or_stop(self._send)
            next_send = started + (time.monotonic() - started) / MAX_REPORT_SHARE

    def _report_or_stop(self, report: Callable[[], str]) -> None:
        """Report; stop the training if that fails or if it is to stop."""
        try:
            self.order = report()
        except (ModisteError, ray.exceptions.RayError) as error:
            cause = getattr(error, "cause", error)  # Ray wraps what the run store raises
            self.error = cause if isinstance(cause, ModisteError) else InputError("The command has ended.")
        if self.error or self.order in {run_store.STOPPED, run_store.OUTDATED}:
            self.stop.signal_number = signal.SIGTERM

    def _send(self) -> str:
        """Send the files that have changed since the last call; return what to do."""
        states = self._states()
        changed = [path for path, state in states.items() if self.sent.get(path) != state]
        removed = [path for path in self.sent if path not in states]
        to_store: dict[bool, run_store.Files] = {True: {}, False: {}}
        for path in changed:
            with suppress(FileNotFoundError):  # dropped meanwhile
                to_store[self._is_shared(path)][self._name(path)] = self._read(path)
        if self.task.large_files:
            shared = [self._name(path) for path in removed if self._is_shared(path)]
            self.task.large_files.send(self.task.trial, to_store[True], shared)
        own = [self._name(path) for path in removed if not self._is_shared(path)]
        order = self._report(to_store[False], own)
        self.sent = states
        return order

    def _report(self, contents: run_store.Files, removed: list[str]) -> str:
        """Send files of the run to the machine of the command; return what to do."""
        path, attempt = str(self.task.trial.path), self.task.attempt
        return str(ray.get(self.store.report.remote(path, attempt, contents, removed)))

    def _read(self, path: Path) -> bytes:
        """Return the content of a file; the log names the run by the path that the user knows."""
        content, here = path.read_bytes(), os.fsencode(self.local.path)
        is_log = path.parent == self.local.path.parent
        return content.replace(here, os.fsencode(self.task.trial.path)) if is_log else content

    def _states(self) -> dict[Path, tuple[int, int]]:
        """Return time and size of each file of the run."""
        states = {}
        for path in run_store.run_files(self.local.run):
            with suppress(FileNotFoundError):
                status = path.stat()
                states[path] = status.st_mtime_ns, status.st_size
        run = self.local.run
        if not {run.checkpoint, run.finished_marker} & states.keys():
            states.pop(run.metrics, None)  # without a checkpoint, which comes at once, the run could not be resumed
        return states

    def _is_shared(self, path: Path) -> bool:
        return self.task.large_files is not None and run_store.is_large(self.local.run, path)

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.local.path.parent))


def to_error(name: str, message: str) -> ModisteError | None:
    """Return the error of an attempt; None where it has none."""
    if not name:
        return None
    if name == Stopped.__name__:
        return Stopped(signal.SIGTERM, message)
    classes = {each.__name__: each for each in ModisteError.__subclasses__()}
    return classes.get(name, InputError)(message)
