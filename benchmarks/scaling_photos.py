"""Measure predictions of many small photos by Ray Data: speed, memory, and a node that is killed."""

import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from local_cluster import add_node, kill_node, open_cluster
from PIL import Image
from pyarrow import parquet

SIDE = 64
"""Pixels a side of a photo."""

MODEL = "fashion-mnist"
SAMPLE_SECONDS = 0.5
MAX_GROWTH, MIN_SPEEDUP = 0.2, 1.8

Rows = list[dict[str, Any]]


def measure(home: Path, count: int) -> dict[str, Any]:
    """Measure `count` photos with one node, with two, with one that is killed, and with the local command.

    Raises SystemExit unless all give the same rows, one for each photo.
    """
    photos = write_photos(home / "photos", count)
    seconds: dict[str, float] = {}
    rows: dict[str, Rows] = {}
    with open_cluster(nodes=1) as cluster:
        seconds["one_node"], rows["one_node"], memory = predict(home, photos, "one", cluster)
    with open_cluster(nodes=2) as cluster:
        seconds["two_nodes"], rows["two_nodes"], _ = predict(home, photos, "two", cluster)
    with open_cluster(nodes=1) as cluster:
        node = add_node(cluster)
        timer = threading.Timer(seconds["two_nodes"] / 2, lambda: kill_node(cluster, node))
        timer.start()
        seconds["node_killed"], rows["node_killed"], _ = predict(home, photos, "killed", cluster)
        timer.cancel()
    seconds["local"], rows["local"], _ = predict(home, photos, "local.parquet", None)
    for name, each in rows.items():
        if len({row["file"] for row in each}) != count or each != rows["local"]:
            raise SystemExit(f"Not one row for each photo, or other rows than those of the local command: {name}")
    growth = memory[-1] / memory[max(0, len(memory) // 5)] - 1
    speedup = seconds["one_node"] / seconds["two_nodes"]
    return {
        "photos": count,
        "photo_bytes": sum(file.stat().st_size for file in photos.iterdir()) // count,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "photos_per_second_per_core": count / seconds["one_node"],
        "memory_mib": {"at_20_percent": round(memory[len(memory) // 5]), "at_100_percent": round(memory[-1])},
        "memory_growth": growth,
        "memory_reached": growth <= MAX_GROWTH,
        "speedup_two_nodes": speedup,
        "speedup_reached": speedup >= MIN_SPEEDUP,
        "rows_equal": True,
    }


def write_photos(folder: Path, count: int) -> Path:
    """Write small photos, each of other pixels; one in a thousand is broken."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(count):
        file = folder / f"{index:07}.jpg"
        if index % 1000 == 999:
            file.write_bytes(b"no photo")
            continue
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((SIDE, SIDE)).save(file, quality=80)
    return folder


def predict(home: Path, photos: Path, out: str, cluster: Any) -> tuple[float, Rows, list[float]]:
    """Run the command; return its seconds, the rows by file, and the memory over its time in MiB."""
    command = [sys.executable, "-m", "modiste", "predict", str(photos), "--model", MODEL, "--out", str(home / out)]
    command += [f"--cluster={cluster.address}"] if cluster else []
    memory: list[float] = []
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        time.sleep(SAMPLE_SECONDS)
        if used := memory_of_actors():
            memory.append(used)
    seconds = time.perf_counter() - started
    if process.returncode not in {0, 1}:  # 1: some photos are broken
        raise SystemExit(f"{' '.join(command)} failed")
    table = parquet.read_table(home / out)
    rows: Rows = table.select(["file", "label", "probability", "error"]).to_pylist()
    return seconds, sorted(rows, key=lambda row: str(row["file"])), memory or [1.0]


def memory_of_actors() -> float:
    """Return the memory of the processes that predict, in MiB, without what they share."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, StopIteration):
            if b"ray::" in (folder / "cmdline").read_bytes() and b"MapWorker" in (folder / "cmdline").read_bytes():
                lines = (folder / "smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return total / 1024
