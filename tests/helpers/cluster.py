"""Processes of a Ray cluster on this machine."""

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import local_cluster
import pytest

from helpers.command import environment

CHECK_SECONDS = 0.05


@contextmanager
def running_cluster() -> Iterator[Any]:
    """Start a head and a node with one CPU, whose processes can import `helpers`."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
        monkeypatch.setenv("RAY_worker_niceness", "0")  # of 15, or a busy machine would leave them no time
        with local_cluster.open_cluster() as started:
            yield started


def processes_of(nodes: Any, beginning: str) -> list[int]:
    """The numbers of the processes of the nodes of a cluster whose titles begin so."""
    folders = (folder for node in nodes.list_all_nodes() for folder in local_cluster.processes_of(node, beginning))
    return [int(folder.name) for folder in folders]


def kill_processes(nodes: Any, beginning: str) -> None:
    """Kill the processes whose titles begin so."""
    for number in processes_of(nodes, beginning):
        os.kill(number, signal.SIGKILL)


def fill_disk(nodes: Any, beginning: str) -> None:
    """Let the processes whose titles begin so write no file of more than a kilobyte, as on a full disk."""
    for number in processes_of(nodes, beginning):
        resource.prlimit(number, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))


@contextmanager
def meanwhile(condition: Callable[[], object], action: Callable[[], object]) -> Iterator[None]:
    """Do something in a thread as soon as a condition is true; it must be before the block ends."""
    ended, done = Event(), Event()

    def act() -> None:
        while not ended.wait(CHECK_SECONDS):
            if condition():
                action()
                done.set()
                return

    thread = Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert done.is_set(), "waited in vain"
