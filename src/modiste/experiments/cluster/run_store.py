"""The run folders of trials that are trained on other machines.

All files but weights and checkpoints come to the machine of the command while a trial runs, through an actor. Weights
and checkpoints come the same way, through Ray's object store, or are kept in a storage that all nodes share until the
trial ends, which keeps them off the network of that machine.
"""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modiste.experiments.trials import Trial
from modiste.recipes import settings
from modiste.runs import files
from modiste.runs.folder import Run
from modiste.runs.lock import NAME as LOCK_NAME
from modiste.runs.storage import Storage

Files = dict[str, bytes]
"""Contents by path, relative to the parent of a run folder."""

RUNNING, STOPPED, PRUNED, OUTDATED = "running", "stopped", "pruned", "outdated"
"""What a worker is to do: train on, stop so that it can be resumed, end, or leave the trial to another worker."""


def run_files(run: Run) -> list[Path]:
    """List the files of a run and its log; checkpoint and weights first, the marker of a finished run last.

    The log is before the metrics, so that it has the lines of all epochs in them where a kill comes between two files.
    """
    log = Path(f"{run.path}.log")
    paths = [*run.path.rglob("*"), log]
    usable = [
        path
        for path in paths
        if path.is_file() and path.name != LOCK_NAME and not path.name.endswith(files.PARTIAL_SUFFIX)
    ]
    return sorted(usable, key=lambda path: (path == run.finished_marker, not is_large(run, path), path != log, path))


def is_large(run: Run, path: Path) -> bool:
    """Return whether a file of a run has weights."""
    return path.parent == run.last or path in {run.weights, run.model}


def write_files(parent: Path, contents: Mapping[str, bytes]) -> None:
    """Write files of a run, in their order; raises OutputError."""
    for name, content in contents.items():
        files.make_folder((parent / name).parent)
        files.write_bytes(parent / name, content)


def remove_files(parent: Path, names: Iterable[str]) -> None:
    """Remove files of a run, and the folders that are then empty; raises OutputError."""
    for path in (parent / name for name in names):
        try:
            path.unlink(missing_ok=True)
            if path.parent != parent and path.parent.is_dir() and not any(path.parent.iterdir()):
                shutil.rmtree(path.parent)
        except OSError as error:
            raise files.write_error(path, error) from error


@dataclass
class RunStore:
    """An actor on the machine of the command, which writes what workers send.

    A worker that was believed dead, and whose trial another one runs, is told that it is outdated; nothing of it is
    written any more.

    Args:
        attempts: number of the worker that runs each trial, by the path of its run.
        orders: what it is to do, where it is not to train on.
    """

    attempts: dict[str, int] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)

    def start(self, path: str, attempt: int, with_large: bool) -> Files:
        """Begin an attempt at a trial; return the files of its run."""
        self.attempts[path] = max(attempt, self.attempts.get(path, 0))
        run = Run(Path(path))
        if not run.path.exists():
            return {}
        chosen = (file for file in run_files(run) if with_large or not is_large(run, file))
        return {str(file.relative_to(run.path.parent)): file.read_bytes() for file in chosen}

    def report(self, path: str, attempt: int, contents: Files, removed: list[str]) -> str:
        """Write and remove files of a run; return what the worker is to do. Raises OutputError."""
        if attempt != self.attempts.get(path):
            return OUTDATED
        write_files(Path(path).parent, contents)
        remove_files(Path(path).parent, removed)
        return self.orders.get(path, RUNNING)

    def has_started(self, path: str, attempt: int) -> bool:
        """Return whether an attempt at a trial has a worker."""
        return self.attempts.get(path, 0) >= attempt

    def order(self, path: str, what: str) -> None:
        """Tell the worker of a trial, with its next report, what it is to do."""
        self.orders[path] = what


@dataclass(frozen=True, slots=True)
class LargeFiles:
    """Weights and checkpoints of running trials in a storage that all nodes share.

    Args:
        storage: of the experiments.
        folder: of the experiment, on the machine of the command.
    """

    storage: Storage
    folder: Path

    def fetch(self, trial: Trial, parent: Path) -> int:
        """Copy the files of a trial from the storage to the parent of a run folder; return how many there are.

        Raises InputError or OutputError.
        """
        names = self._names(trial)
        for name in names:
            write_files(parent, {name.removeprefix(self._prefix(trial)): self.storage.read(name)})
        return len(names)

    def send(self, trial: Trial, contents: Files, removed: list[str]) -> None:
        """Write and remove files of a trial in the storage; raises OutputError."""
        for name, content in contents.items():
            self.storage.write(self._prefix(trial) + name, content)
        self.storage.remove([self._prefix(trial) + name for name in removed])

    def clear(self, trial: Trial) -> None:
        """Remove the files of a trial from the storage; raises OutputError."""
        self.storage.remove(self._names(trial))

    def _names(self, trial: Trial) -> list[str]:
        return self.storage.names(self._prefix(trial).rstrip("/"))

    def _prefix(self, trial: Trial) -> str:
        """Return where the files of a trial are; trials with other recipes are elsewhere, whatever they are called."""
        place = trial.path.absolute().relative_to(self.folder.absolute().parent)
        digest = hashlib.sha256(settings.to_json(trial.recipe).encode()).hexdigest()[:16]
        return f"{self.folder.absolute().parent.name}/{place.as_posix()}-{digest}/"
