"""One `modiste` command as a process of its own, with its own memory and threads."""

import importlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from modiste.errors import STOP_SIGNALS, InputError, OutputError, Stopped, TrainingError
from modiste.experiments import child_process
from modiste.runs import files, metrics_file
from modiste.runs.folder import Run
from modiste.runs.metrics_file import EpochMetrics
from modiste.training.signals import StopRequest

fcntl: ModuleType | None = importlib.import_module("fcntl") if os.name == "posix" else None

Prune = Callable[[Sequence[EpochMetrics]], bool]
"""Whether to stop a training that is not promising, by the metrics of its epochs so far."""

HOW_TO_RESUME = "The same command resumes it."

RESUME_COMMAND = re.compile("resume with: modiste train --resume .*")
"""How the message of a training ends that says how to resume it alone."""

POLL_SECONDS = 0.1

KILLED = tuple(128 + caught for caught in STOP_SIGNALS)
"""Exit codes of a command that a signal stopped."""


class Killed(Exception):
    """The process was ended by something else, as a system does that is short of memory."""


def run_modiste(
    arguments: Sequence[str], path: Path, threads: int, stop: StopRequest, prune: Prune | None = None
) -> bool:
    """Run a command on a run folder, append its output to `path`.log, and return whether it was pruned.

    Raises:
        Stopped: a stop was requested.
        Killed: the process was killed.
        ModisteError: the command failed; the class is that of its exit code, the message its last line.
    """
    variables = {**os.environ, "OMP_NUM_THREADS": str(threads), child_process.PARENT: str(os.getpid())}
    log_file = Path(f"{path}.log")
    with files.open_to_append(log_file) as log:
        _lock(log.fileno())  # of an open file that the child inherits: until both have ended
        # -P: a click.py in the current folder is not imported
        command = [sys.executable, "-P", "-m", child_process.__name__, *arguments]
        # a session of its own, so that Ctrl-C reaches this process only, which passes it on once
        process = subprocess.Popen(command, stdout=log, stderr=log, env=variables, start_new_session=True)  # noqa: S603
        pruned = _wait(process, Run(path).metrics, stop, prune)
    if stop():
        raise Stopped(stop.signal_number, f"{path} is stopped. {HOW_TO_RESUME}")
    if process.returncode and not pruned:
        _raise_failure(process.returncode, path, log_file)
    return pruned


def wait_for_earlier_process(path: Path, stop: StopRequest) -> None:
    """Wait for a process on a run folder that outlived its parent, as after a `kill -9`, or until a stop is requested.

    Nothing happens where the system or the file system has no locks; the run's own lock is then an error.
    """
    log_file = Path(f"{path}.log")
    if not log_file.exists():
        return
    with files.open_to_append(log_file) as log:
        while not stop() and not _lock(log.fileno()):
            time.sleep(POLL_SECONDS)


def _lock(file: int) -> bool:
    """Lock an open file until all processes that have it open end; return False if another one has locked it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _wait(process: subprocess.Popen[bytes], metrics: Path, stop: StopRequest, prune: Prune | None) -> bool:
    """Wait for the end; end the process when a stop is requested or it is pruned, and return whether it was."""
    pruned = False
    try:
        while process.poll() is None and not stop() and not pruned:
            time.sleep(POLL_SECONDS)
            pruned = prune is not None and metrics.exists() and prune(metrics_file.read(metrics))
    finally:
        if process.poll() is None:
            process.send_signal(stop.signal_number if stop() else signal.SIGTERM)
            process.wait()
    return pruned


def _raise_failure(exit_code: int, path: Path, log_file: Path) -> NoReturn:
    if exit_code < 0 or exit_code in KILLED:
        raise Killed
    last_line = log_file.read_text(encoding="utf-8").strip().splitlines()[-1:] or [f"see {log_file}"]
    message = RESUME_COMMAND.sub("repeat the command.", last_line[0].removeprefix("modiste: "))
    errors = {error.exit_code: error for error in (TrainingError, OutputError)}
    raise errors.get(exit_code, InputError)(f"{path}: {message}")
