"""Processes of a Ray cluster on this machine."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from local_cluster import open_cluster

from helpers.command import environment

CHECK_SECONDS = 0.05


@contextmanager
def running_cluster() -> Iterator[Any]:
    """Start a head and a node with one CPU, whose processes can import `helpers`."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
        monkeypatch.setenv("RAY_worker_niceness", "0")  # of 15, or a busy machine would leave them no time
        with open_cluster() as started:
            yield started


def processes_of(nodes: Any, name: str) -> list[int]:
    """The numbers of the processes with that name in their title that the nodes of a cluster have started."""
    raylets = {each.process.pid for node in nodes.list_all_nodes() for each in node.all_processes["raylet"]}
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 2) for line in listed.splitlines()]
    return [int(number) for number, parent, title in lines if int(parent) in raylets and name in title]


def kill_processes(nodes: Any, name: str) -> None:
    """Kill the processes of that name."""
    for number in processes_of(nodes, name):
        os.kill(number, signal.SIGKILL)


def fill_disk(nodes: Any, name: str) -> None:
    """Let the processes of that name write no file of more than a kilobyte, as on a full disk."""
    for number in processes_of(nodes, name):
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
