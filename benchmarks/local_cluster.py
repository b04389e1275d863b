"""A small Ray cluster on this machine: processes of a head and of worker nodes, without its dashboard."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from processes import descendants

OBJECT_STORE_BYTES = 100 * 2**20
ATTEMPTS = 3


@contextmanager
def open_cluster(nodes: int = 1, cpus: int = 1) -> Iterator[Any]:
    """Start a head, which takes no trials, and nodes with some CPUs each; yield Ray's `Cluster`, with its `address`."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(shutdown_at_exit=False)
    try:
        add_node(cluster, 0, include_dashboard=False)
        for _ in range(nodes):
            add_node(cluster, cpus)
        yield cluster
    finally:
        cluster.shutdown()


def add_node(cluster: Any, cpus: int = 1, **options: Any) -> Any:
    """Add a node to a cluster; once more where a busy machine does not start it within the half minute Ray waits."""
    for attempt in range(1, ATTEMPTS + 1):
        earlier = cluster.list_all_nodes()
        try:
            return cluster.add_node(num_cpus=cpus, object_store_memory=OBJECT_STORE_BYTES, **options)
        except Exception as error:
            for node in cluster.list_all_nodes():
                if node not in earlier:  # it might join late, as one node too many
                    kill_node(cluster, node)
            if attempt == ATTEMPTS:
                raise
            print(f"started again: {error}", file=sys.stderr)
    return None


def kill_node(cluster: Any, node: Any) -> None:
    """Kill the processes of a node and all that they have started with SIGKILL, as when a machine loses power."""
    for folder in processes_of(node, ""):
        with suppress(ProcessLookupError):
            os.kill(int(folder.name), signal.SIGKILL)
    cluster.remove_node(node, allow_graceful=False)


def processes_of(node: Any, beginning: str) -> list[Path]:
    """Return the folders in /proc of those processes of a node whose titles begin so, its raylet first."""
    raylets = [each.process.pid for each in node.all_processes.get("raylet", [])]  # none of a node that did not start
    folders = [folder for raylet in raylets for folder in [Path(f"/proc/{raylet}"), *descendants(raylet)]]
    return [folder for folder in folders if title(folder).startswith(beginning)]


def title(process: Path) -> str:
    """Return the command line of a process by its folder in /proc; empty if it has ended."""
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
