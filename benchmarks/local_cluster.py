"""A small Ray cluster on this machine: processes of a head and of worker nodes, without its dashboard."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

OBJECT_STORE_BYTES = 100 * 2**20
ATTEMPTS = 3


@contextmanager
def open_cluster(nodes: int = 1, cpus: int = 1) -> Iterator[Any]:
    """Start a head, which takes no trials, and nodes with some CPUs each; yield Ray's `Cluster`, with its `address`."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    head = {"num_cpus": 0, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    cluster = _retry(lambda: Cluster(initialize_head=True, head_node_args=head, shutdown_at_exit=False))
    try:
        for _ in range(nodes):
            add_node(cluster, cpus)
        yield cluster
    finally:
        cluster.shutdown()


def add_node(cluster: Any, cpus: int = 1) -> Any:
    """Add a node to a cluster."""
    return _retry(lambda: cluster.add_node(num_cpus=cpus, object_store_memory=OBJECT_STORE_BYTES))


def _retry(start: Callable[[], Any]) -> Any:
    """Start processes; once more where a busy machine does not do so within the half minute that Ray waits."""
    for _ in range(ATTEMPTS - 1):
        try:
            return start()
        except Exception as error:  # noqa: BLE001 - Ray raises nothing more specific
            print(f"started again: {error}", file=sys.stderr)
    return start()


def kill_node(cluster: Any, node: Any) -> None:
    """Kill the processes of a node with SIGKILL."""
    cluster.remove_node(node, allow_graceful=False)
