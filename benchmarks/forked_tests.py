"""Run pytest in forked processes, several at a time, which have large libraries imported already."""

import gc
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).parents[1]

LIBRARIES = (
    "numpy", "PIL.Image", "onnxruntime", "scipy.stats", "sklearn.metrics", "sklearn.model_selection", "torch",
    "torchvision", "onnx", "pandas", "pyarrow.parquet", "fastapi", "rich.console", "click",
)  # fmt: skip
"""What tests import for longest; no module of modiste, which differs between the processes."""

IGNORED = "ignore::pytest.PytestAssertRewriteWarning"
"""Plugins of pytest that a library has imported already."""

OPTIONS = ("-q", "-x", "-n0", "-p", "no:cacheprovider", "-W", IGNORED, f"--rootdir={ROOT}")


@dataclass(frozen=True)
class Task:
    """Something to do in a process of its own.

    Args:
        name: what it is about.
        run: called there with the number of its slot; it ends the process.
        timeout: seconds until the process and all that it started are killed.
    """

    name: Any
    run: Callable[[int], NoReturn]
    timeout: float


def preload() -> None:
    """Import large libraries, as far as they are installed."""
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()  # what is not collected is not copied in each process


def run_all(tasks: Iterator[Task], slots: int) -> Iterator[tuple[Any, int | None, float]]:
    """Run tasks, as many at a time as there are slots; yield name, exit code and seconds of each at its end.

    The exit code is None if it was killed after its timeout. The next task is taken when a slot is free.
    """
    context = multiprocessing.get_context("fork")
    running: dict[int, tuple[Task, Any, float]] = {}
    try:
        while True:
            for slot in sorted(set(range(slots)) - running.keys()):
                if task := next(tasks, None):
                    process = context.Process(target=_start, args=(task, slot))
                    process.start()
                    running[slot] = task, process, time.monotonic()
            if not running:
                return
            wait([process.sentinel for _, process, _ in running.values()], 0.2)
            for slot, (task, process, start) in list(running.items()):
                seconds = time.monotonic() - start
                if process.is_alive() and seconds < task.timeout:
                    continue
                code = None if process.is_alive() else process.exitcode
                _kill(process)
                del running[slot]
                yield task.name, code, seconds
    finally:
        for _, process, _ in running.values():
            _kill(process)


def _start(task: Task, slot: int) -> NoReturn:
    os.setsid()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)
    task.run(slot)


def _kill(process: Any) -> None:
    """End a process and those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        process.kill()  # before it had a group of its own
    process.join()


def enter(source: Path, log: Path) -> None:
    """Let this process, and those that it starts, import modiste from a folder, and write their output into a file."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir(ROOT)
    os.environ.update(PYTHONPATH=str(source), PYTHONDONTWRITEBYTECODE="1", OMP_NUM_THREADS="1")
    sys.dont_write_bytecode = True
    for name in [name for name in sys.modules if name.partition(".")[0] == "modiste"]:
        del sys.modules[name]
    sys.path.insert(0, str(source))


def run_tests(arguments: Sequence[str], plugin: object) -> int:
    """Run tests of the checkout; return the exit code of pytest."""
    return int(pytest.main([*OPTIONS, *arguments], [plugin]))
