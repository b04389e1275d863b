"""The connection to a Ray cluster, and what is checked on its nodes before anything runs on them."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import starmap
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from modiste.errors import InputError, OutputError
from modiste.experiments.cluster import head
from modiste.experiments.cluster.head import Head
from modiste.runs import environment
from modiste.runs.storage import Storage

START = "Start one with: ray start --head"
COMMIT = "commit"

PROBE_SECONDS = 120
"""In which every node must answer; the first worker of a node takes seconds to start."""


@contextmanager
def connect(address: str, on_lost: Callable[[], None]) -> Iterator[Head]:
    """Connect to the cluster at an address, or with "auto" to the one of this machine; yield its head.

    `on_lost` is called in another thread when the head is lost.

    Raises:
        InputError: there is no cluster, this machine is not one of its nodes, or a node has other versions.
    """
    _require_listening(address)
    # otherwise Ray warns that a later version will not hide the GPUs from trials that get none
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise InputError(_describe_failure(address, error)) from None
    # Ray prints the deaths of nodes on standard output, where JSON may stand; there is no public way to prevent that
    ray._private.worker._worker_logs_enabled = False  # noqa: SLF001
    try:
        require_same_versions()
        with Head(ray.get_runtime_context().gcs_address, on_lost) as cluster:
            yield cluster
    finally:
        ray.shutdown()


def _require_listening(address: str) -> None:
    """Raise an InputError at once for an address at which no cluster listens, for which Ray would wait minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise InputError(
            f"--cluster is {address}, but it must be auto or HOST:PORT of a cluster that this machine is a node of. To "
            "use a remote cluster, run the command on its head node: ray job submit -- modiste ..."
        )
    if error := head.connection_error(address):
        raise InputError(f"There is no Ray cluster at {address} ({error}). {START}")
    uses_tls = os.environ.get("RAY_USE_TLS", "").lower() in {"1", "true"}
    if not uses_tls and not head.speaks_http2(address):
        raise InputError(f"What listens at {address} is not a Ray cluster, or one with TLS: set RAY_USE_TLS=1. {START}")


def _describe_failure(address: str, error: Exception) -> str:
    reason = " ".join(str(error).split())
    if "ersion mismatch" in reason:
        return f"The cluster at {address} has another version of Ray or Python: {reason} Install the same on all nodes."
    if address == "auto":
        return f"This machine is not part of a running Ray cluster. {START}"
    return f"The Ray cluster at {address} cannot be used: {reason.partition('. ')[0]}. Is this machine a node of it?"


def nodes() -> list[dict[str, Any]]:
    """Return the nodes that are alive, as `ray.nodes` describes them."""
    return [node for node in ray.nodes() if node["Alive"]]


def this_node() -> NodeAffinitySchedulingStrategy:
    """Return the strategy that runs something on the node of this process."""
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def to_remote(function: Callable[..., Any], **options: Any) -> Any:
    """Return a remote function, or a remote class; Ray's types know neither parts of a GPU nor strategies."""
    create: Any = ray.remote
    return create(**options)(function)


def call_on_nodes(function: Callable[..., Any], *arguments: Any) -> list[tuple[str, Any]]:
    """Call a function on every node; return address and result of each that does not leave the cluster meanwhile.

    Raises InputError for a node that does not answer, or lacks this package.
    """
    remote = to_remote(function, num_cpus=0, max_retries=1)
    calls = {}
    for node in nodes():
        strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        call = remote.options(scheduling_strategy=strategy).remote(*arguments)
        calls[node["NodeID"]] = str(node["NodeManagerAddress"]), call
    results = []
    for node_id, (address, call) in calls.items():
        try:
            results.append((address, ray.get(call, timeout=PROBE_SECONDS)))
        except ray.exceptions.GetTimeoutError:
            raise InputError(f"Node {address} does not answer. Stop it: ray stop") from None
        except ray.exceptions.RayError as error:
            if all(node["NodeID"] != node_id for node in nodes()):
                continue  # it has left the cluster meanwhile
            reason = str(error).strip().splitlines()[-1]
            raise InputError(
                f"Node {address} cannot run modiste ({reason}). Install there what is installed here: "
                "pip install 'modiste[cluster]'"
            ) from None
    return results


def require_same_versions() -> None:
    """Raise an InputError that names the first node with another version of Python, of a package or of this code."""
    expected = describe_code()
    for address, versions in call_on_nodes(describe_code):
        if different := describe_difference(expected, versions):
            raise InputError(
                f"Node {address} has {different}, so its trials would not be comparable. Install the same versions on "
                "all nodes."
            )


def describe_code() -> dict[str, str]:
    """Return the versions of this machine and the commit of this package, which is empty outside a checkout."""
    return {**environment.versions(), COMMIT: environment.commit()}


def describe_difference(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Return the first difference between the versions here and on another node; empty if there is none.

    Commits are compared where both have one: an installed package has none.
    """
    for package in sorted(here.keys() | there.keys()):
        ours, theirs = here.get(package), there.get(package)
        if ours != theirs and (package != COMMIT or (ours and theirs)):
            other = f"{package} {theirs}" if theirs else f"no {package}"
            return f"{other}, this machine {ours or 'none'}"
    return ""


def require_room(cpus: int, gpus: float, what: str) -> int:
    """Return how many of `what` with these resources run at the same time; raises InputError if no node has them."""
    sizes = [(node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0)) for node in nodes()]
    places = [min(has_cpus // cpus, has_gpus // gpus if gpus else has_cpus) for has_cpus, has_gpus in sizes]
    if sum(places) < 1:
        raise InputError(
            f"{what} needs {_format_resources(cpus, gpus)}, but {describe_largest(sizes)}. Lower "
            f"--cpus{' or --gpus' * bool(gpus)}, or add a node."
        )
    return int(sum(places))


def describe_largest(sizes: Sequence[tuple[float, float]]) -> str:
    """Say which CPUs and GPUs the largest nodes have: those that no other node has as many of both as."""
    largest = [
        size
        for size in sorted(set(sizes), reverse=True)
        if not any(other != size and other[0] >= size[0] and other[1] >= size[1] for other in sizes)
    ]
    resources = " or ".join(starmap(_format_resources, largest))
    return f"the largest node{'s have' if len(largest) > 1 else ' has'} {resources}"


def _format_resources(cpus: float, gpus: float) -> str:
    return f"{cpus:g} CPU{'s' * (cpus != 1)} and {gpus:g} GPU{'s' * (gpus != 1)}"


def require_readable(paths: Sequence[str], option: str = "") -> None:
    """Raise an InputError for a path that a node cannot see; it names the option, such as "--storage "."""
    for address, missing in call_on_nodes(missing_paths, list(paths)):
        if missing:
            raise InputError(
                f"Node {address} cannot see {option}{missing[0]}. Put it on a file system that all nodes share, at the "
                "same path, or copy it to each of them."
            )


def require_writable(storage: Storage, option: str) -> None:
    """Raise an InputError for a storage that a node cannot write to."""
    for address, reason in call_on_nodes(try_to_write, storage):
        if reason:
            raise InputError(f"Node {address} cannot use {option}: {reason}")


def try_to_write(storage: Storage) -> str:
    """Write a small file to a storage and remove it; return why that fails."""
    name = f".modiste-{ray.get_runtime_context().get_node_id()}"
    try:
        storage.write(name, b"modiste")
        storage.remove([name])
    except (InputError, OutputError) as error:
        return str(error)
    return ""


def missing_paths(paths: Sequence[str]) -> list[str]:
    """Return the paths that do not exist on this machine."""
    return [path for path in paths if not Path(path).exists()]
