"""Measure trials one and two at a time, by processes and on a cluster, and on one whose nodes are killed."""

import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from local_cluster import add_node, kill_node, open_cluster, processes_of

from modiste.runs import metrics_file
from modiste.runs.folder import Run

TIMES = {"seconds", "hardware", "commit"}
"""Of the record of a training, what may differ where the results are equal."""

WORKERS = {"processes": (0, 1), "two_processes": (0, 2), "one_node": (1, 1), "two_nodes": (2, 2)}
"""Nodes of one core, and trials at the same time: what is compared."""

NAME = "scaling"
REPORTS = 2000
MAX_DELAY = 3.0
"""Seconds from the end of an epoch to a kill, at most: about those of an epoch."""

TASK = "ray::run_task"
"""Process that trains on a node. A trial that is sent to a node which is not missed yet is lost twice by one kill."""

LAST_KILL = 0.7
"""Share of all epochs by which the last kill is due; it waits for trainings that it can hit."""

Records = dict[str, dict[str, Any]]
"""By the names of their measurements."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A bench of `sprint` on one thread.

    Batches are smaller than those of the recipe, with which two processes wait for memory.
    """

    seeds: int
    images: int
    epochs: int
    batch_size: int = 128


TIMED, TIMED_SMALL = Plan(seeds=6, images=24_000, epochs=15), Plan(seeds=2, images=4_000, epochs=12)
KILLED, KILLED_SMALL = Plan(seeds=4, images=24_000, epochs=30), Plan(seeds=2, images=4_000, epochs=30)
"""Trainings that are killed are longer: most of the time, both nodes are in the middle of one."""

WARM_UP = Plan(seeds=1, images=1_000, epochs=1)

BENCHES, KILLS = 5, 4
"""Benches whose nodes are killed at random moments, and kills in each."""


def measurements(small: bool) -> dict[str, Callable[[Path], dict[str, Any]]]:
    """Return the measurements of time; what is compared is measured twice, the second time in the opposite order."""
    plan = TIMED_SMALL if small else TIMED
    rounds = [(name, 1) for name in WORKERS] + [(name, 2) for name in reversed(WORKERS)]
    benches = {}
    for name, turn in rounds:
        nodes, jobs = WORKERS[name]
        benches[f"{name}-{turn}"] = partial(measure_bench, plan=plan, nodes=nodes, jobs=jobs)
    return {"reports": measure_reports, **benches}


def measurements_with_kills(small: bool) -> dict[str, Callable[[Path], dict[str, Any]]]:
    """Return the benches whose nodes are killed, at half of all epochs and at random moments; one by processes."""
    plan, benches, kills = (KILLED_SMALL, 1, 1) if small else (KILLED, BENCHES, KILLS)
    moments = {"at_half": [0.5]}
    for seed in range(1, benches + 1):
        rng = random.Random(seed)  # noqa: S311 - not for security
        moments[f"random-{seed}"] = [(kill + rng.random()) * LAST_KILL / kills for kill in range(kills)]
    unbroken = {"processes": partial(run_bench, plan=plan, cluster=None, jobs=2)}
    return unbroken | {name: partial(measure_kills, plan=plan, moments=each) for name, each in moments.items()}


def summarize(measured: Records) -> dict[str, Any]:
    """Return overhead and speed-up: whole times over whole times, in all and for each round."""
    seconds = {name: [measured[f"{name}-{turn}"]["seconds"] for turn in (1, 2)] for name in WORKERS}
    again = {name: fmean(measured[f"{name}-{turn}"]["seconds_again"] for turn in (1, 2)) for name in WORKERS}
    processes, two_processes, one, two = (seconds[name] for name in WORKERS)
    trials = measured["processes-1"]["trials"]
    connecting = again["one_node"] - again["processes"]
    return {
        "trials": trials,
        "seconds": {name: fmean(values) for name, values in seconds.items()},
        "seconds_per_trial": fmean(processes) / trials,
        "seconds_connecting": connecting,
        "overhead_seconds_per_trial": (fmean(one) - fmean(processes) - connecting) / trials,
        "overhead": sum(one) / sum(processes) - 1,
        "overhead_rounds": [one[each] / processes[each] - 1 for each in (0, 1)],
        "speedup": sum(one) / sum(two),
        "speedup_rounds": [one[each] / two[each] for each in (0, 1)],
        "speedup_processes": sum(processes) / sum(two_processes),
        "reports_per_second": measured["reports"]["reports_per_second"],
        "run_bytes": measured["processes-1"]["run_bytes"],
    }


def summarize_kills(measured: Records) -> dict[str, Any]:
    """Return the number of kills at random moments, and how far the trainings were, at least, that a kill hit."""
    kills = {name: record["kills"] for name, record in measured.items() if "kills" in record}
    return {
        "kills": sum(len(each) for name, each in kills.items() if name != "at_half"),
        "fewest_epochs": min(min(kill["epochs"]) for each in kills.values() for kill in each),
    }


def measure_bench(folder: Path, plan: Plan, nodes: int, jobs: int) -> dict[str, Any]:
    """Run a bench by processes, or on a cluster with some nodes; both after a short one that warms up.

    The same command once more, with nothing left to train, takes the time that does not depend on the trials.
    """
    with open_cluster(nodes) if nodes else nullcontext() as cluster:
        run_bench(folder / "warm-up", WARM_UP, cluster, jobs)
        measured = run_bench(folder, plan, cluster, jobs)
        return measured | {"seconds_again": run_bench(folder, plan, cluster, jobs)["seconds"]}


def measure_kills(folder: Path, plan: Plan, moments: list[float]) -> dict[str, Any]:
    """Run a bench on two nodes, one of which is killed at each moment.

    Raises SystemExit if a kill was missed, or hit no training.
    """
    ended = threading.Event()
    with open_cluster(2) as cluster, ThreadPoolExecutor(1) as pool:
        killer = pool.submit(kill_nodes, cluster, runs_of(folder), plan, moments, ended)
        try:
            measured = run_bench(folder, plan, cluster, jobs=2)
        finally:
            ended.set()
        kills = killer.result()
    if not len(moments) == len(kills) <= measured["losses"]:
        raise SystemExit(f"{len(moments)} kills planned, {len(kills)} hit, {measured['losses']} losses: see {folder}")
    return measured | {"kills": kills}


def kill_nodes(
    cluster: Any, runs: Path, plan: Plan, moments: list[float], ended: threading.Event
) -> list[dict[str, Any]]:
    """Kill one of two nodes at each moment, a share of all epochs, and start another; return what was trained by then.

    A kill waits until both nodes are in the middle of a training that has gone on since the kill before.
    """
    rng = random.Random(repr(moments))  # noqa: S311 - not for security
    nodes, kills, before = list(cluster.worker_nodes), list[dict[str, Any]](), dict[Path, int]()
    for moment in moments:
        find = partial(trainings_to_hit, runs, plan, moment, before)
        wait_for(find, ended)
        ended.wait(rng.uniform(0, MAX_DELAY))
        if running := wait_for(find, ended):
            node = nodes.pop(rng.randrange(2))
            if not processes_of(node, TASK):
                break
            kill_node(cluster, node)
            kills.append({"moment": round(moment, 3), "epochs": list(running.values())})
            before = running
            nodes.append(add_node(cluster))
    return kills


def wait_for(find: Callable[[], dict[Path, int]], ended: threading.Event) -> dict[Path, int]:
    """Return what is found, as soon as there is something; nothing when the bench has ended."""
    while not ended.wait(0.1):
        if runs := find():
            return runs
    return {}


def trainings_to_hit(runs: Path, plan: Plan, moment: float, before: dict[Path, int]) -> dict[Path, int]:
    """Return the epochs of the two trainings that run, if neither has just begun or is about to end, and it is time."""
    epochs = {path.parent: len(metrics_file.read(path)) for path in runs.glob("*/metrics.csv")}
    running = {path: count for path, count in epochs.items() if not Run(path).finished}
    in_the_middle = [before.get(path, 0) < count < plan.epochs - 2 for path, count in running.items()]
    is_time = sum(epochs.values()) >= moment * plan.seeds * plan.epochs
    return running if is_time and in_the_middle == [True, True] else {}


def measure_reports(_: Path) -> dict[str, float]:
    """Measure how many reports without changes the machine of the command answers in a second."""
    import ray

    from modiste.experiments.cluster import connection
    from modiste.experiments.cluster.executor import STORE_THREADS
    from modiste.experiments.cluster.run_store import RunStore

    with open_cluster() as cluster, connection.connect(cluster.address, on_lost=lambda: None):
        store = connection.to_remote(RunStore, num_cpus=0, max_concurrency=STORE_THREADS).remote()
        ray.get(store.start.remote("/nowhere/run", 1, True))
        started = time.perf_counter()
        ray.get([store.report.remote("/nowhere/run", 1, {}, []) for _ in range(REPORTS)])
        return {"reports_per_second": REPORTS / (time.perf_counter() - started)}


def run_bench(folder: Path, plan: Plan, cluster: Any, jobs: int) -> dict[str, Any]:
    """Run a bench in a folder, some trials at a time; return its seconds, the hash of its table, and lost workers.

    Raises SystemExit unless there is one run for each seed.
    """
    folder.mkdir(exist_ok=True)
    command = [
        sys.executable, "-m", "modiste", "bench", "sprint", f"--seeds={plan.seeds}", f"--name={NAME}", "--json",
        f"--set=schedule.epochs={plan.epochs}", f"--set=data.max_train_images={plan.images}",
        f"--set=optimizer.batch_size={plan.batch_size}", "--set=compute.threads=1", "--set=compute.precision=fp32",
        f"--jobs={jobs}", *([f"--cluster={cluster.address}"] if cluster else []),
    ]  # fmt: skip
    started = time.perf_counter()
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        output = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True, check=True).stdout
    seconds = time.perf_counter() - started
    table = read_table(output)
    if [run["seed"] for run in table] != list(range(plan.seeds)):
        raise SystemExit(f"Not one run for each of {plan.seeds} seeds: see {folder}")
    run_files = [file for file in runs_of(folder).rglob("*") if file.is_file()]
    return {
        "trials": plan.seeds,
        "seconds": seconds,
        "losses": (folder / "log.txt").read_text(encoding="utf-8").count("its worker or node was lost"),
        "run_bytes": sum(file.stat().st_size for file in run_files) // plan.seeds,
        "output": f"table of {plan.seeds} seeds and {plan.epochs} epochs",
        "sha256": hashlib.sha256(json.dumps(table).encode()).hexdigest(),
    }


def runs_of(folder: Path) -> Path:
    """Return the folder of the runs of a bench in a folder."""
    return folder / "runs" / "bench" / NAME


def read_table(output: str) -> list[dict[str, Any]]:
    """Return the records of the runs in what `bench --json` prints, without what differs between equal ones."""
    return [{key: value for key, value in run.items() if key not in TIMES} for run in json.loads(output)["runs"]]
