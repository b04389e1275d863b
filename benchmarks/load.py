"""Load the service with many connections by `wrk`, and write what it holds into results/faults.json.

    python benchmarks/load.py                      # 30 seconds at 8, 64, 300, 600 and 1,500 connections, then overload
    python benchmarks/load.py --seconds 5 --connections 8,300 --requests 2000 --dry-run

The server has one core and the clients another. Beside wrk, whose connections stay open and retry at once, one client
sends requests on new connections: small photos and health checks, and measures each from the connection to the answer.
A rejected request is one with status 503 and Retry-After; any other status but 200 is a failure. Memory is that of the
server, over `--requests` requests, after as many to warm up. Needs Debian's package wrk.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from modiste.runs import environment

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "faults.json"
PHOTO = ROOT / "src" / "modiste" / "assets" / "samples" / "ankle-boot.png"

SCRIPT = """
local file = io.open("{photo}", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
wrk.headers["Content-Type"] = "image/png"
local accepted, rejected, failed, times = 0, 0, 0, {{}}
local threads = {{}}
function setup(thread) table.insert(threads, thread) end
function init() ok, busy, bad = 0, 0, 0 end
function response(status, headers)
  if status == 200 then ok = ok + 1
  elseif status == 503 and (headers["retry-after"] or headers["Retry-After"]) then busy = busy + 1
  else bad = bad + 1 end
end
function done(summary)
  for _, each in ipairs(threads) do
    accepted, rejected, failed = accepted + each:get("ok"), rejected + each:get("busy"), failed + each:get("bad")
  end
  local errors = summary.errors
  io.write(string.format("COUNTS %d %d %d %d %d", accepted, rejected, failed,
    errors.connect + errors.read + errors.write, summary.duration))
end
"""
"""Of wrk: counts the answers by their kind. `timeout` of wrk only says that an answer took more than its limit."""


@contextmanager
def server(threads: int) -> Iterator[tuple[str, int]]:
    """Start `modiste serve` on the first core; yield its host and port, and the id of its process."""
    command = ["taskset", "-c", "0", sys.executable, "-m", "modiste", "serve", "--port=0", f"--threads={threads}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as process:
        try:
            yield next(iter(process.stdout or ())).split()[0], process.pid
        finally:
            process.terminate()


def ask(url: str, method: str, path: str, body: bytes | None = None) -> tuple[int, float, bool]:
    """Send a request on a new connection; return status, seconds, and whether it has Retry-After."""
    parts, start = urlsplit(url), time.perf_counter()
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "image/png"} if body else {})
        response = connection.getresponse()
        response.read()
        return response.status, time.perf_counter() - start, response.getheader("Retry-After") is not None
    finally:
        connection.close()


def probe(url: str, path: str, stop: threading.Event, answers: list[tuple[int, float, bool]]) -> None:
    """Ask twenty times a second on new connections, until stopped."""
    body = PHOTO.read_bytes() if path == "/predict" else None
    while not stop.is_set():
        answers.append(ask(url, "POST" if body else "GET", path, body))
        stop.wait(0.05)


def wrk(url: str, connections: int, seconds: float) -> dict[str, float]:
    """Run wrk on the second core; return the requests per second by the kind of their answer."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.format(photo=PHOTO))
        script.flush()
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}", "--timeout=60s", f"-s{script.name}"]
        command = ["taskset", "-c", "1", "wrk", *options, f"{url}predict"]
        output = subprocess.run(command, capture_output=True, text=True, check=True)
    match = re.search(r"COUNTS (\d+) (\d+) (\d+) (\d+) (\d+)", output.stdout)
    if match is None:
        raise SystemExit(output.stdout + output.stderr)
    accepted, rejected, failed, broken, microseconds = map(int, match.groups())
    duration = microseconds / 1e6
    return {"accepted_per_s": accepted / duration, "rejected_per_s": rejected / duration, "failed": failed + broken}


def seconds_of(answers: list[tuple[int, float, bool]]) -> dict[str, Any]:
    """Return count, median and 99th percentile of the accepted answers, in seconds, and how many failed."""
    accepted = [seconds for status, seconds, _ in answers if status == 200]
    failed = sum(status != 200 and not (status == 503 and retry) for status, _, retry in answers)
    p50, p99 = np.percentile(accepted, (50, 99)).tolist() if accepted else (None, None)
    return {"n": len(answers), "accepted": len(accepted), "failed": failed, "median": p50, "p99": p99}


def measure(connections: int, seconds: float, threads: int) -> dict[str, Any]:
    """Load a new server with so many connections, and measure new ones beside them, and its recovery."""
    with server(threads) as (url, _):
        ask(url, "POST", "/predict", PHOTO.read_bytes())
        stop = threading.Event()
        answers: dict[str, list[tuple[int, float, bool]]] = {"/predict": [], "/health/ready": []}
        probes = [threading.Thread(target=probe, args=(url, path, stop, each)) for path, each in answers.items()]
        for each in probes:
            each.start()
        counts = wrk(url, connections, seconds)
        stop.set()
        for each in probes:
            each.join()
        start = time.perf_counter()
        while ask(url, "POST", "/predict", PHOTO.read_bytes())[0] != 200:
            time.sleep(0.05)
        return {
            "connections": connections,
            **counts,
            "new_connections": seconds_of(answers["/predict"]),
            "health": seconds_of(answers["/health/ready"]),
            "recovery_s": time.perf_counter() - start,
        }


def memory_growth(requests: int, threads: int) -> dict[str, float]:
    """Return by how many bytes the server grows over so many requests, after as many before."""
    with server(threads) as (url, process):
        sizes = []
        for _ in range(2):
            answered = 0.0
            while answered < requests:
                answered += wrk(url, 32, 2)["accepted_per_s"] * 2
            sizes.append(resident_bytes(process))
    return {"requests": requests, "bytes_before": sizes[0], "bytes_after": sizes[1], "growth": sizes[1] - sizes[0]}


def resident_bytes(process: int) -> int:
    """Return the resident memory of a process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30, help="for each number of connections")
    parser.add_argument("--connections", default="8,64,300,600,1500")
    parser.add_argument("--requests", type=int, default=100_000, help="over which memory is measured; 0 leaves it out")
    parser.add_argument("--threads", type=int, default=1, help="of the server")
    parser.add_argument("--dry-run", action="store_true", help="write no results")
    options = parser.parse_args()
    rows = [measure(int(each), options.seconds, options.threads) for each in options.connections.split(",")]
    capacity = max(row["accepted_per_s"] for row in rows)
    load: dict[str, Any] = {
        "command": "python benchmarks/load.py",
        **environment.describe(),
        "server_threads": options.threads,
        "runs": [row | {"share_of_capacity": row["accepted_per_s"] / capacity} for row in rows],
    }
    if options.requests:
        load["memory"] = memory_growth(options.requests, options.threads)
    print(json.dumps(load, indent=1))
    if not options.dry_run:
        content = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        RESULTS.write_text(json.dumps(content | {"load": load}, indent=1) + "\n")


if __name__ == "__main__":
    main()
