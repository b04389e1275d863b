"""Measure predictions of many small photos by Ray Data: speed, memory, and a node that is killed."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from local_cluster import kill_node, open_cluster, processes_of, title
from PIL import Image
from processes import descendants
from pyarrow import parquet

from modiste.data import fashion_mnist
from modiste.inference.shards import MIN_SHARD

SIDE = 64
"""Pixels a side of a photo."""

FEW = 500
"""Photos of the command that warms up."""

ACTOR = "ray::MapWorker"
COLUMNS = ["file", "label", "probability", "error"]
POLL_SECONDS = 0.5
FLAT_FROM = 2
"""Tenths of the photos after which memory is to be flat."""


def measurements(small: bool) -> dict[str, Callable[[Path], dict[str, Any]]]:
    """Return the measurements: one node and two, twice, two of which one is killed, the memory, the local command."""
    count = 5_000 if small else 100_000
    rounds = {"one_node-1": 1, "two_nodes-1": 2, "two_nodes-2": 2, "one_node-2": 1}
    return {
        **{name: partial(measure, count=count, nodes=nodes) for name, nodes in rounds.items()},
        "node_killed": partial(measure, count=count, nodes=2, kill=True),
        "memory": partial(measure, count=count, nodes=1, sample=True),
        "local": partial(measure, count=count, nodes=0),
    }


def summarize(measured: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the speed-up, in all and of each round, and how far the memory rises above that from 20 to 30 %."""
    one, two = ([measured[f"{name}-{turn}"] for turn in (1, 2)] for name in ("one_node", "two_nodes"))
    one_seconds, two_seconds = ([record["seconds"] for record in each] for each in (one, two))
    tenths = measured["memory"]["memory_by_tenth"]
    memory = {name: [tenth[name] for tenth in tenths[FLAT_FROM:]] for name in tenths[0]}
    return {
        "photos": one[0]["photos"],
        "photo_bytes": one[0]["photo_bytes"],
        "seconds": {name: record["seconds"] for name, record in measured.items()},
        "seconds_connecting": fmean(each["seconds_again"] for each in one) - measured["local"]["seconds_again"],
        "photos_per_second_per_core": one[0]["photos"] / fmean(one_seconds),
        "memory_mib": {name: {"from_20_percent": each[0], "maximum": max(each)} for name, each in memory.items()},
        "memory_growth": max(max(each) / each[0] - 1 for each in memory.values()),
        "speedup": sum(one_seconds) / sum(two_seconds),
        "speedup_rounds": [one_seconds[each] / two_seconds[each] for each in (0, 1)],
        "killed_at": measured["node_killed"]["killed_at"],
    }


def measure(folder: Path, count: int, nodes: int, kill: bool = False, sample: bool = False) -> dict[str, Any]:
    """Predict photos on some nodes, or without any by the local command, after a few photos that warm up.

    A node is killed, or the memory is sampled, which takes time, where that is asked for.

    Raises SystemExit unless there is one row for each photo, memory was sampled, and a node was killed in the middle.
    """
    few, photos = (write_photos(folder.parent / f"{size}-photos", size) for size in (FEW, count))
    out, shards, killed_at = folder / "labels.parquet", -(-count // MIN_SHARD), list[float]()
    memory = [{"actors": 0, "all": 0} for _ in range(10)]
    with open_cluster(nodes) if nodes else nullcontext() as cluster:
        bind_to_cores(cluster.worker_nodes if cluster else [])

        def poll() -> None:
            done = len(list(out.glob("part-*.parquet")))
            if sample and done < shards:
                used, tenth = measure_memory(), memory[10 * done // shards]
                tenth.update({name: max(value, tenth[name]) for name, value in used.items()})
            if cluster and kill and not killed_at and done >= shards / 2:
                for node in [each for each in cluster.worker_nodes if processes_of(each, ACTOR)][:1]:
                    kill_node(cluster, node)
                    killed_at.append(done / shards)

        predict(few, folder / "few.parquet", cluster)
        seconds = predict(photos, out, cluster, poll)
        seconds_again = predict(photos, out, cluster)
    if sample and not all(each["actors"] for each in memory[FLAT_FROM:]):
        raise SystemExit(f"The memory of the actors was not sampled in each tenth of the photos: {memory}")
    if kill and not (killed_at and killed_at[0] < 1):
        raise SystemExit("No node was killed in the middle.")
    rows = sorted(parquet.read_table(out, columns=COLUMNS).to_pylist(), key=lambda row: str(row["file"]))
    rows = [{**row, "file": Path(row["file"]).name} for row in rows]
    if [row["file"] for row in rows] != sorted(file.name for file in photos.iterdir()):
        raise SystemExit(f"Not one row for each photo: see {out}")
    return {
        "photos": count,
        "photo_bytes": sum(file.stat().st_size for file in photos.iterdir()) // count,
        "seconds": seconds,
        "seconds_again": seconds_again,
        **({"memory_by_tenth": memory} if sample else {}),
        **({"killed_at": killed_at[0]} if kill else {}),
        "output": "rows",
        "sha256": hashlib.sha256(json.dumps(rows).encode()).hexdigest(),
    }


def bind_to_cores(nodes: Iterable[Any]) -> None:
    """Let each node have a core of its own, alone: an actor that reads and computes at once would use a second one."""
    for core, node in enumerate(nodes):
        for process in processes_of(node, ""):
            for thread in (process / "task").iterdir():
                with suppress(ProcessLookupError):  # it has ended
                    os.sched_setaffinity(int(thread.name), {core})


def write_photos(folder: Path, count: int) -> Path:
    """Write small photos unless they are there: images of Fashion-MNIST, enlarged; one in a thousand is broken."""
    if folder.exists():
        return folder
    partial_folder = folder.with_suffix(".partial")
    partial_folder.mkdir(exist_ok=True)
    images = fashion_mnist.source().part("train").load_split("train").images
    for index in range(count):
        turns, image = divmod(index, len(images))
        photo = Image.fromarray(images[image]).rotate(90 * turns).convert("RGB").resize((SIDE, SIDE))
        photo.save(partial_folder / f"{index:07}.jpg", quality=80)
    for index in range(999, count, 1000):
        (partial_folder / f"{index:07}.jpg").write_bytes(b"no photo")
    return partial_folder.rename(folder)


def predict(photos: Path, out: Path, cluster: Any, poll: Callable[[], None] = lambda: None) -> float:
    """Run the command, and call a function all the time meanwhile; return its seconds."""
    command = [sys.executable, "-m", "modiste", "predict", str(photos), "--model=fashion-mnist", f"--out={out}"]
    command += [f"--cluster={cluster.address}"] if cluster else []
    started = time.perf_counter()
    with out.with_suffix(".log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    while process.returncode is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL_SECONDS)
            break
        poll()
    seconds = time.perf_counter() - started
    if process.returncode not in {0, 1}:  # 1: some photos are broken
        raise SystemExit(f"{' '.join(command)} failed")
    return seconds


def measure_memory() -> dict[str, int]:
    """Return the memory of the processes that predict, and of all of cluster and command, in MiB.

    What several processes share, such as the object store, counts once in all (Linux' proportional set size).
    """
    kib = {"actors": 0, "all": 0}
    for folder in descendants(os.getpid()):
        with suppress(OSError, StopIteration):
            lines = (folder / "smaps_rollup").read_text().splitlines()
            used = int(next(line for line in lines if line.startswith("Pss:")).split()[1])
            kib["all"] += used
            kib["actors"] += used * title(folder).startswith(ACTOR)
    return {name: value // 1024 for name, value in kib.items()}
