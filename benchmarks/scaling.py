"""Measure what a cluster and torchrun cost and give, on this machine: a Ray cluster of a head and two nodes.

    python benchmarks/scaling.py [trials] [photos] [ranks] [--small]

Two cores with nothing else running, about three hours. It writes results/scaling.json; parts that are not named stay as
they are in the file. --small tries everything within minutes, at sizes that say nothing, and writes no file.
"""

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scaling_photos
import scaling_ranks
from local_cluster import add_node, kill_node, open_cluster

from modiste.runs import files, results

RESULTS = Path(__file__).parents[1] / "results" / "scaling.json"

TIMES = {"seconds", "hardware"}
"""Of the record of a training, what no two runs share."""

MAX_OVERHEAD, MIN_SPEEDUP = 0.05, 1.8
REPORTS = 2000


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of all parts: seeds, training images and epochs of trials and of ranks, kills of nodes, photos."""

    seeds: int = 6
    images: int = 12_000
    epochs: int = 10
    kills: int = 20
    photos: int = 100_000
    rank_seeds: int = 3
    rank_images: int = 6_000
    rank_epochs: int = 6


SMALL = Sizes(seeds=2, images=400, epochs=3, kills=1, photos=1_200, rank_seeds=1, rank_images=400, rank_epochs=3)


def main() -> None:
    """Measure the parts that are named, or all."""
    arguments = sys.argv[1:]
    sizes = SMALL if "--small" in arguments else Sizes()
    parts: dict[str, Callable[[Path], dict[str, Any]]] = {
        "trials": lambda home: measure_trials(home, sizes),
        "photos": lambda home: scaling_photos.measure(home, sizes.photos),
        "ranks": lambda home: scaling_ranks.measure(home, sizes.rank_seeds, sizes.rank_images, sizes.rank_epochs),
    }
    chosen = [name for name in parts if name in arguments] or list(parts)
    content = files.read_json(RESULTS) if RESULTS.exists() else {}
    figures = {name: content[name] for name in parts if name in content}
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="modiste-scaling-") as home:
            figures[name] = parts[name](Path(home))
        print(json.dumps({name: figures[name]}, indent=2), flush=True)
        if sizes != SMALL:
            results.write(RESULTS, recipe="scaling", command="python benchmarks/scaling.py", runs=[], **figures)


def measure_trials(home: Path, sizes: Sizes) -> dict[str, Any]:
    """Measure a bench from processes, from Ray, with nodes that are killed, and with two nodes.

    Raises SystemExit if a table differs from that of processes in any digit.
    """
    arguments = [
        "bench", "sprint", f"--seeds={sizes.seeds}", f"--set=schedule.epochs={sizes.epochs}",
        f"--set=data.max_train_images={sizes.images}", "--set=compute.threads=1", "--set=compute.precision=fp32",
        "--name=scaling", "--json",
    ]  # fmt: skip
    seconds, tables = {}, {}
    seconds["processes"], tables["processes"] = run_bench(home / "processes", arguments)
    with open_cluster(nodes=1) as cluster:
        reports_per_second = measure_reports(cluster)
        run_bench(home / "warm", ["bench", *arguments[1:2], "--seeds=1", *arguments[3:], address(cluster)])
        seconds["one_node"], tables["one_node"] = run_bench(home / "one", [*arguments, address(cluster)])
    with open_cluster(nodes=2) as cluster:
        seconds["two_nodes"], tables["two_nodes"] = run_bench(home / "two", [*arguments, address(cluster)])
    with open_cluster(nodes=0) as cluster, killing_nodes(cluster, 1, seconds["two_nodes"] / 2):
        seconds["node_killed"], tables["node_killed"] = run_bench(home / "lost", [*arguments, address(cluster)])
    pause = seconds["two_nodes"] / sizes.kills
    with open_cluster(nodes=0) as cluster, killing_nodes(cluster, sizes.kills, pause) as kills:
        seconds["kills"], tables["kills"] = run_bench(home / "kills", [*arguments, address(cluster)])
    different = [name for name, table in tables.items() if table != tables["processes"]]
    if different:
        raise SystemExit(f"Not the table of processes: {', '.join(different)}")
    overhead = seconds["one_node"] / seconds["processes"] - 1
    speedup = seconds["one_node"] / seconds["two_nodes"]
    return {
        "trials": sizes.seeds,
        "kills": len(kills),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "seconds_per_trial": round(seconds["processes"] / sizes.seeds, 2),
        "reports_per_second": round(reports_per_second),
        "overhead_seconds_per_trial": round((seconds["one_node"] - seconds["processes"]) / sizes.seeds, 2),
        "overhead": overhead,
        "overhead_reached": overhead <= MAX_OVERHEAD,
        "speedup_two_nodes": speedup,
        "speedup_reached": speedup >= MIN_SPEEDUP,
        "tables_equal": True,
        "run_bytes": sum(file.stat().st_size for file in (home / "processes/runs").rglob("*") if file.is_file())
        // sizes.seeds,
    }


def measure_reports(cluster: Any) -> float:
    """Return how many reports without changes the machine of the command answers in a second."""
    import ray

    from modiste.experiments.cluster import connection
    from modiste.experiments.cluster.executor import STORE_THREADS
    from modiste.experiments.cluster.run_store import RunStore

    with connection.connect(cluster.address, on_lost=lambda: None):
        store = connection.to_remote(RunStore, num_cpus=0, max_concurrency=STORE_THREADS).remote()
        ray.get(store.start.remote("/nowhere/run", 1, True))
        started = time.perf_counter()
        ray.get([store.report.remote("/nowhere/run", 1, {}, []) for _ in range(REPORTS)])
        return REPORTS / (time.perf_counter() - started)


def address(cluster: Any) -> str:
    """Return the option for a cluster."""
    return f"--cluster={cluster.address}"


def run_bench(home: Path, arguments: Sequence[str]) -> tuple[float, list[dict[str, Any]]]:
    """Run a bench in a folder; return its seconds, and the records of its runs without the times."""
    home.mkdir()
    started = time.perf_counter()
    command = [sys.executable, "-m", "modiste", *arguments]
    output = subprocess.run(command, cwd=home, stdout=subprocess.PIPE, text=True, check=True).stdout
    seconds = time.perf_counter() - started
    runs = json.loads(output)["runs"]
    if len({run["seed"] for run in runs}) != len(runs):
        raise SystemExit("A run was counted twice.")
    return seconds, [{key: value for key, value in run.items() if key not in TIMES} for run in runs]


@contextmanager
def killing_nodes(cluster: Any, count: int, pause: float) -> Iterator[list[float]]:
    """While the block runs, kill one of two nodes, chosen at random, up to `count` times; yield the times of kills.

    The pauses between kills are random, `pause` seconds on average; a node that was killed is started again.
    """
    ended, kills = threading.Event(), list[float]()
    nodes = [add_node(cluster), add_node(cluster)]

    def kill() -> None:
        rng = random.Random(0)  # noqa: S311 - not for security
        while len(kills) < count and not ended.wait(rng.uniform(0.2, 1.8) * pause):
            kill_node(cluster, nodes.pop(rng.randrange(2)))
            kills.append(time.monotonic())
            nodes.append(add_node(cluster))

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield kills
    finally:
        ended.set()
        thread.join()


if __name__ == "__main__":
    main()
