"""Simulate 10,000 trials and a billion photos on clusters of several sizes, from the figures in results/scaling.json.

    python benchmarks/scaling_simulation.py

It prints the tables of docs/scaling.md: hours, costs, and what bounds each size. Prices and networks are assumptions,
which are named here; times, sizes and overheads are measured.
"""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modiste.runs import files

RESULTS = Path(__file__).parents[1] / "results" / "scaling.json"

TRIALS, PHOTOS, SHARDS = 10_000, 1_000_000_000, 10_000
SIZES = (8, 64, 512, 4096)
"""Cores of the clusters."""

MAX_PARALLEL, REPORT_SECONDS = 512, 1.0
"""Of `experiments.cluster`: trials at a time, and the time between two reports of a trial."""

TASK_SECONDS = 0.01
"""Of the head node for a task of Ray Data."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is not measured here.

    Args:
        core_hour: price of a core for an hour, in dollars; that of a spot instance.
        head_hour: price of the head node.
        core_losses_per_hour: how often a core is lost with its node, as spot instances are.
        lost_seconds: of work by such a loss: half the time between two checkpoints, and the start of a process.
        head_bytes_per_second: network and disk of the head node, through which checkpoints come back.
        core_bytes_per_second: network of a core, from the object store.
        spread: standard deviation of the logarithm of the time of a trial or shard: nodes and recipes differ.
        request_price: of reading an object, in dollars.
        photos_per_object: in Parquet of bytes.
    """

    core_hour: float = 0.02
    head_hour: float = 0.2
    core_losses_per_hour: float = 0.05
    lost_seconds: float = 30.0
    head_bytes_per_second: float = 500e6
    core_bytes_per_second: float = 50e6
    spread: float = 0.2
    request_price: float = 4e-7
    photos_per_object: int = 10_000


@dataclass(frozen=True, slots=True)
class Work:
    """Equal tasks.

    Args:
        count: number of tasks.
        seconds: of a task on one core.
        head_seconds: that a task takes of the head node.
        idle_seconds: of a core before and after a task: start of processes, the first report.
    """

    count: int
    seconds: float
    head_seconds: float
    idle_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a simulation gave: hours, dollars, shares of the time, and what bounds it."""

    cores: int
    hours: float
    dollars: float
    head_share: float
    tail_share: float
    bound: str


def trials_work(figures: dict[str, Any], checkpoint_bytes: float, checkpoints: int, assumptions: Assumptions) -> Work:
    """Return the work of trials as long as the measured ones, with checkpoints of a size."""
    sent = checkpoint_bytes * checkpoints + figures["run_bytes"]
    reports = figures["seconds_per_trial"] / REPORT_SECONDS
    head_seconds = sent / assumptions.head_bytes_per_second + reports / figures["reports_per_second"]
    overhead = max(0.0, figures["overhead_seconds_per_trial"])
    return Work(TRIALS, figures["seconds_per_trial"], head_seconds, overhead)


def photos_work(figures: dict[str, Any], assumptions: Assumptions) -> Work:
    """Return the work of shards of photos of the measured size, which are read from an object store."""
    photos = PHOTOS / SHARDS
    reading = photos * figures["photo_bytes"] / assumptions.core_bytes_per_second
    return Work(SHARDS, photos / figures["photos_per_second_per_core"] + reading, TASK_SECONDS)


def simulate(work: Work, cores: int, assumptions: Assumptions, max_parallel: int | None = None) -> Simulated:
    """Let cores take one task after another, which all need the head node in turn.

    A core that is lost repeats `lost_seconds` of its task. The head node serves one request at a time.
    """
    rng = random.Random(0)  # noqa: S311 - not for security
    spread = assumptions.spread
    places = min(cores, max_parallel or cores, work.count)
    free = [0.0] * places
    head_free = ended = last_start = 0.0
    for _ in range(work.count):
        last_start = started = heapq.heappop(free)
        seconds = work.seconds * rng.lognormvariate(-(spread**2) / 2, spread) + work.idle_seconds
        losses = sum(rng.random() < assumptions.core_losses_per_hour / 60 for _ in range(int(seconds / 60)))
        seconds += losses * assumptions.lost_seconds
        head_free = max(head_free, started + seconds - work.head_seconds) + work.head_seconds
        end = max(started + seconds, head_free)
        ended = max(ended, end)
        heapq.heappush(free, end)
    hours = ended / 3600
    head_share = work.count * work.head_seconds / ended
    tail_share = (ended - last_start) / ended
    dollars = hours * (cores * assumptions.core_hour + assumptions.head_hour)
    return Simulated(cores, hours, dollars, head_share, tail_share, _bound(cores, places, head_share, tail_share))


def _bound(cores: int, places: int, head_share: float, tail_share: float) -> str:
    """Name what keeps a larger cluster from being faster."""
    if head_share > 0.8:
        return "head node"
    if places < cores:
        return "trials in parallel"
    return "stragglers" if tail_share > 0.3 else "cores"


def rows(name: str, results: Sequence[Simulated], extra_dollars: float = 0.0) -> str:
    """Format a table in Markdown."""
    lines = [f"| {name}: cores | hours | dollars | head node busy | last tasks | bound by |", "|" + "---|" * 6]
    lines += [
        f"| {each.cores:,} | {each.hours:,.1f} | {each.dollars + extra_dollars:,.0f} | {each.head_share:.0%} | "
        f"{each.tail_share:.0%} | {each.bound} |"
        for each in results
    ]
    return "\n".join(lines)


def tables(content: dict[str, Any], assumptions: Assumptions) -> str:
    """Return the tables for measured figures."""
    small = trials_work(content["trials"], 1e6, 10, assumptions)
    large = replace(small, head_seconds=trials_work(content["trials"], 200e6, 10, assumptions).head_seconds)
    photos = photos_work(content["photos"], assumptions)
    requests = PHOTOS / assumptions.photos_per_object * assumptions.request_price
    return "\n\n".join([
        rows("10,000 trials, checkpoints of 1 MB", [simulate(small, n, assumptions, MAX_PARALLEL) for n in SIZES]),
        rows("10,000 trials, checkpoints of 200 MB", [simulate(large, n, assumptions, MAX_PARALLEL) for n in SIZES]),
        rows("a billion photos", [simulate(photos, n, assumptions) for n in SIZES], requests),
    ])  # fmt: skip


def main() -> None:
    """Print the tables."""
    if not RESULTS.exists():
        raise SystemExit(f"{RESULTS} is missing. Measure first: python benchmarks/scaling.py")
    print(tables(files.read_json(RESULTS), Assumptions()))


if __name__ == "__main__":
    main()
