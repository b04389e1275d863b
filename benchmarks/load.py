"""Load the service with many connections by `wrk`, and write what it holds into results/faults.json.

    python benchmarks/load.py                      # 30 seconds at 8, 64, 300, 600 and 1,500 connections: 8 minutes
    python benchmarks/load.py --seconds 2 --connections 8,300 --requests 2000 --out /tmp/faults.json

The server has one core and the clients another: wrk, whose connections stay open and retry at once, and a client beside
it that opens a new connection for each request. A rejected request is one with status 503 and Retry-After; any other
status but 200 is a failure. Seconds of accepted requests are measured from sending, or opening the connection, to the
end of the answer. Then photos of a phone come at ten times the rate that the service has with few connections; small
images cannot come at ten times theirs, as one core takes more than that for HTTP alone. At last, the memory over
`--requests` requests and the peak memory under large photos are measured. Needs Debian's package wrk.
"""

import argparse
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import fault_results
import numpy as np
import timing
from large_uploads import LARGE_UPLOADS, Upload
from process_memory import PeakMemory, resident_bytes

from modiste.web.work_queue import MAX_REQUESTS

SAMPLES = Path(__file__).parents[1] / "src" / "modiste" / "assets" / "samples"
SMALL, PHOTO = SAMPLES / "ankle-boot.png", SAMPLES / "coat.jpg"
SCRIPT = Path(__file__).with_suffix(".lua")
SERVER_CORE, CLIENT_CORE = 0, 1

LIMITS = {8: 0.25, 64: 0.25, 300: 0.25, 600: 0.5, 1500: 0.5}
"""Seconds of the 99th percentile of accepted requests, by connections."""

HEALTH_LIMIT, RECOVERY_LIMIT = 0.1, 2.0
"""Seconds of the 99th percentile of health checks, and from the end of the load to accepted requests within 0.25."""

OVERLOAD, SHARE = 10, 0.7
"""Requests that come, over those that the service can answer, and the least share of these that it still answers."""

GROWTH_LIMIT, PEAK_LIMIT = 30_000_000, 1_000_000_000
"""Bytes."""

PROBES = {"/predict": 4, "/health/ready": 1}
"""Clients with new connections for each path, each with 20 requests a second or fewer."""

MEAN_REJECTION = 1.5
"""Seconds until a request is rejected."""


class Answer(NamedTuple):
    """Of one request: `end` is the time of `time.perf_counter`."""

    status: int
    seconds: float
    end: float
    has_retry_after: bool

    @property
    def is_failure(self) -> bool:
        """Whether it is neither accepted nor rejected in the right form."""
        return self.status != 200 and not (self.status == 503 and self.has_retry_after)


@contextmanager
def server(*arguments: str) -> Iterator[tuple[str, int]]:
    """Start `modiste serve` on its core; yield its URL and the id of its process. It must end with exit code 0."""
    command = [sys.executable, "-P", "-m", "modiste", "serve", "--port=0", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pinned = ["taskset", "-c", str(SERVER_CORE), *command]
    with subprocess.Popen(pinned, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield next(iter(process.stdout or ())).split()[0], process.pid
        finally:
            process.terminate()
    if process.returncode:
        raise SystemExit(f"the server ended with exit code {process.returncode}")


def ask(url: str, method: str, path: str, body: bytes | None = None, kind: str = "image/png") -> Answer:
    """Send a request on a new connection."""
    parts, start = urlsplit(url), time.perf_counter()
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=120)
    try:
        connection.request(method, path, body, {"Content-Type": kind} if body else {})
        response = connection.getresponse()
        response.read()
        end = time.perf_counter()
        return Answer(response.status, end - start, end, response.getheader("Retry-After") is not None)
    finally:
        connection.close()


def probe(url: str, path: str, stop: threading.Event) -> list[Answer]:
    """Ask on new connections until stopped."""
    body, answers = SMALL.read_bytes() if path == "/predict" else None, []
    while not stop.is_set():
        answers.append(ask(url, "POST" if body else "GET", path, body))
        stop.wait(0.05)
    return answers


@contextmanager
def probes(url: str) -> Iterator[tuple[dict[str, list[Answer]], threading.Event]]:
    """Ask beside the block until the event; the answers are there at the end of the block."""
    stop, answers = threading.Event(), {path: list[Answer]() for path in PROBES}
    with ThreadPoolExecutor(sum(PROBES.values())) as pool:
        running = [(path, pool.submit(probe, url, path, stop)) for path, count in PROBES.items() for _ in range(count)]
        try:
            yield answers, stop
        finally:
            stop.set()
        for path, future in running:
            answers[path] += future.result()


def wrk(url: str, photo: Path, connections: int, seconds: float) -> dict[str, Any]:
    """Load the service; return the requests per second by the kind of their answer, and seconds of accepted ones."""
    with tempfile.NamedTemporaryFile("wb", suffix=".txt") as image:
        image.write(base64.b64encode(photo.read_bytes()))
        image.flush()
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}", "--timeout=60s", f"-s{SCRIPT}"]
        output = subprocess.run(["wrk", *options, url, "--", image.name], capture_output=True, text=True, check=True)
    return parse_wrk(output.stdout)


def parse_wrk(text: str) -> dict[str, Any]:
    """Return the figures in the output of the script for wrk."""
    counts = {name: int(count) for name, count in re.findall(r"^COUNT (\w+) (\d+)$", text, re.MULTILINE)}
    if counts.keys() != {"accepted", "rejected", "failed", "microseconds"}:
        raise SystemExit(text)
    pairs = np.array(re.findall(r"^TIME (\d+) (\d+)$", text, re.MULTILINE), dtype=int).reshape(-1, 2)
    seconds = np.repeat(pairs[:, 0] + 1, pairs[:, 1]) / 1000  # a millisecond that has begun counts as a whole one
    duration = counts["microseconds"] / 1e6
    return {
        "accepted_per_s": counts["accepted"] / duration,
        "rejected_per_s": counts["rejected"] / duration,
        "failed": counts["failed"],
        "accepted": percentiles(seconds),
    }


def percentiles(seconds: Any) -> dict[str, Any]:
    """Return number, median and 99th percentile of seconds."""
    p50, p99 = np.percentile(seconds, (50, 99)).tolist() if len(seconds) else (None, None)
    return {"n": len(seconds), "median": p50, "p99": p99}


def summarize(answers: list[Answer]) -> dict[str, Any]:
    """Return the seconds of accepted answers, and how many were rejected and failed."""
    accepted = percentiles([each.seconds for each in answers if each.status == 200])
    failed = sum(each.is_failure for each in answers)
    return {**accepted, "rejected": len(answers) - accepted["n"] - failed, "failed": failed}


def measure(connections: int, seconds: float) -> dict[str, Any]:
    """Load a new server with so many connections of small images, with new ones beside them, and let it recover."""
    with server() as (url, _):
        ask(url, "POST", "/predict", SMALL.read_bytes())
        with probes(url) as (answers, stop):
            counts = wrk(url, SMALL, connections, seconds)
            stop.set()
            later = ask_later(url)
    return {
        "connections": connections,
        **counts,
        "new_connections": summarize(answers["/predict"]),
        "health": summarize(answers["/health/ready"]),
        "recovery_s": recovery(later),
    }


def ask_later(url: str) -> list[tuple[float, Answer]]:
    """Ask every 50 ms from now on, whether or not there was an answer; return seconds from now, and the answers."""
    delays = np.arange(0, RECOVERY_LIMIT + 1, 0.05).tolist()

    def wait_and_ask(delay: float) -> Answer:
        time.sleep(delay)
        return ask(url, "POST", "/predict", SMALL.read_bytes())

    with ThreadPoolExecutor(len(delays)) as pool:
        return list(zip(delays, pool.map(wait_and_ask, delays), strict=True))


def recovery(later: list[tuple[float, Answer]]) -> float | None:
    """Return the seconds after which all requests are accepted and answered within 0.25 s; None if the last is not."""
    slow = [delay for delay, answer in later if answer.status != 200 or answer.seconds > LIMITS[8]]
    return next((delay for delay, _ in later if not slow or delay > slow[-1]), None)


def overload(seconds: float) -> dict[str, Any]:
    """Load the service with ten times the photos that it can predict; they are predicted by the larger model."""
    with server() as (url, _):
        capacity = wrk(url, PHOTO, 8, seconds)
        rate = OVERLOAD * capacity["accepted_per_s"]
        counts = wrk(url, PHOTO, round(1.05 * rate * MEAN_REJECTION) + MAX_REQUESTS, 2 * seconds)
    answered = counts["accepted_per_s"] + counts["rejected_per_s"]
    return {
        "capacity_per_s": capacity["accepted_per_s"],
        **counts,
        "failed": capacity["failed"] + counts["failed"],
        "offered": answered / capacity["accepted_per_s"],
        "share": counts["accepted_per_s"] / capacity["accepted_per_s"],
    }


def memory_growth(requests: int) -> dict[str, Any]:
    """Return by how many bytes the server grows over so many requests, after a tenth of them to warm up."""
    with server() as (url, process):
        sizes, answered = [], 0.0
        while answered < 1.1 * requests:
            counts = wrk(url, SMALL, 32, min(2.0, requests / 5000))
            answered += counts["accepted"]["n"]
            if answered >= 0.1 * requests:
                sizes.append(resident_bytes(process))
    return {"requests": requests, "bytes": sizes, "growth": max(sizes) - sizes[0]}


def peak_memory(threads: int, uploads: Mapping[str, Callable[[], Upload]], repeats: int) -> dict[str, Any]:
    """Send all uploads at the same time; return the peak memory of the server and its processes, and the statuses."""
    bodies = [make() for make in uploads.values()]
    with server(f"--threads={threads}") as (url, process), PeakMemory(process) as memory:
        with ThreadPoolExecutor(4 * threads) as pool:
            ask_upload = partial(ask, url, "POST", "/predict")
            answers = list(pool.map(lambda body: ask_upload(*body), bodies * repeats))
        statuses = sorted({each.status for each in answers})
        return {"threads": threads, "n": len(answers), "statuses": statuses, "bytes": memory.peak()}


def find_misses(load: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each figure that misses its limit, or that was not measured."""
    missed = [f"{row['connections']} connections: {text}" for row in load["rows"] for text in _row_misses(row)]
    if more := load.get("overload"):
        if more["failed"]:
            missed.append(f"overload: {more['failed']} failed")
        if more["offered"] < OVERLOAD or more["share"] < SHARE:
            missed.append(f"overload: {more['share']:.0%} of the capacity at {more['offered']:.1f} times of it")
    growth, peaks = load.get("memory", {}).get("growth", 0), load.get("peaks", [])
    missed += [f"memory grew by {growth / 1e6:.0f} MB"] if growth > GROWTH_LIMIT else []
    for peak in peaks:
        if peak["bytes"] >= PEAK_LIMIT or peak["statuses"][-1] == 500:
            size, statuses = peak["bytes"] / 1e6, peak["statuses"]
            missed.append(f"{peak['threads']} threads: peak of {size:.0f} MB, statuses {statuses}")
    return missed


def _row_misses(row: Mapping[str, Any]) -> Iterator[str]:
    limit = LIMITS.get(row["connections"], max(LIMITS.values()))
    limits = {"accepted": limit, "new_connections": limit, "health": HEALTH_LIMIT}
    for name, at_most in limits.items():
        if row[name]["p99"] is None or row[name]["p99"] > at_most:
            p99 = "not measured" if row[name]["p99"] is None else f"{1000 * row[name]['p99']:.0f} ms"
            yield f"p99 of {name.replace('_', ' ')}: {p99}, at most {1000 * at_most:.0f} ms"
    failed = row["failed"] + row["new_connections"]["failed"] + row["health"]["failed"] + row["health"]["rejected"]
    if failed:
        yield f"{failed} failed"
    if row["recovery_s"] is None or row["recovery_s"] > RECOVERY_LIMIT:
        yield f"recovered after {row['recovery_s']} s"


def main() -> None:
    """Measure, print and write; the exit code is 1 if a figure misses its limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=30, help="for each number of connections")
    parser.add_argument("--connections", default=",".join(map(str, LIMITS)))
    parser.add_argument("--requests", type=int, default=100_000, help="over which memory is measured")
    parser.add_argument("--repeats", type=int, default=10, help="of each large upload")
    parser.add_argument("--out", type=Path, default=fault_results.RESULTS)
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})  # of wrk as well
    load: dict[str, Any] = {
        "rows": [measure(int(each), options.seconds) for each in options.connections.split(",")],
        "overload": overload(options.seconds),
        "memory": memory_growth(options.requests),
        "peaks": [peak_memory(threads, LARGE_UPLOADS, options.repeats) for threads in (2, 16)],
    }
    load["missed"] = find_misses(load)
    print(json.dumps(load, indent=1))
    fault_results.write_part("load", timing.current_command(), options.out, **load)
    sys.exit(bool(load["missed"]))


if __name__ == "__main__":
    main()
