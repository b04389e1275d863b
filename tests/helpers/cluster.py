"""A small Ray cluster on this machine: processes of a head and of workers, without its dashboard."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from helpers.command import environment

OBJECT_STORE_BYTES = 100 * 2**20


@contextmanager
def cluster(workers: int = 1, cpus: int = 1, **environment_changes: str) -> Iterator[Any]:
    """Start a head, which takes no trials, and nodes with some CPUs each; yield the `Cluster`."""
    import os

    from ray.cluster_utils import Cluster

    changed = {"PYTHONPATH": environment()["PYTHONPATH"], "RAY_USAGE_STATS_ENABLED": "0", **environment_changes}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    head = {"num_cpus": 0, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    started = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(workers):
            add_node(started, cpus)
        yield started
    finally:
        started.shutdown()
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def add_node(started: Any, cpus: int = 1) -> Any:
    """Add a node to a cluster."""
    return started.add_node(num_cpus=cpus, object_store_memory=OBJECT_STORE_BYTES)


def kill_node(started: Any, node: Any) -> None:
    """Kill the processes of a node with SIGKILL."""
    started.remove_node(node, allow_graceful=False)
