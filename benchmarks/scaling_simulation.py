"""Simulate 10,000 trials and a billion photos on clusters of several sizes, from the figures in results/scaling.json.

    python benchmarks/scaling_simulation.py

It prints the tables of docs/scaling.md: hours, costs, what bounds each size, and from which size on a larger cluster is
no faster. Prices and networks are assumptions, which are named here; times, sizes and overheads are measured.
"""

import heapq
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modiste.experiments.cluster.executor import MAX_PARALLEL
from modiste.experiments.cluster.worker import REPORT_SECONDS
from modiste.runs import results

RESULTS = Path(__file__).parents[1] / "results" / "scaling.json"

TRIALS, PHOTOS, SHARDS = 10_000, 1_000_000_000, 10_000
CHECKPOINTS = 10
"""That a trial sends."""

SIZES = (8, 64, 512, 4096)
"""Cores of the clusters."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is not measured here.

    Args:
        core_hour: price of a core for an hour, in dollars; that of a spot instance.
        head_hour: price of the head node.
        core_losses_per_hour: how often a core is lost with its node, as spot instances are.
        lost_seconds: of work by such a loss: half the time between two checkpoints, and the start of a process.
        head_bytes_per_second: network and disk of the head node, through which checkpoints come back.
        shard_seconds: of Ray Data on the head node for a shard.
        core_bytes_per_second: network of a core, from the object store.
        reads_per_second: that an object store answers for a prefix; those of S3.
        read_price: of reading an object, in dollars.
        spread: standard deviation of the logarithm of the time of a trial or shard: nodes and recipes differ.
    """

    core_hour: float = 0.02
    head_hour: float = 0.2
    core_losses_per_hour: float = 0.05
    lost_seconds: float = 30.0
    head_bytes_per_second: float = 500e6
    shard_seconds: float = 0.01
    core_bytes_per_second: float = 50e6
    reads_per_second: float = 5500.0
    read_price: float = 4e-7
    spread: float = 0.2


@dataclass(frozen=True, slots=True)
class Work:
    """Equal tasks.

    Args:
        name: of all.
        count: number of tasks.
        seconds: of a task on one core, with what comes before and after it.
        shared: seconds that a task takes of what serves all cores, one request at a time, by its name.
        max_parallel: tasks at a time, whatever the number of cores; None: all.
        dollars: that all cost beside the nodes.
    """

    name: str
    count: int
    seconds: float
    shared: Mapping[str, float] = field(default_factory=dict)
    max_parallel: int | None = None
    dollars: float = 0.0


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a simulation gave: hours, dollars, shares of the time, and what bounds it."""

    cores: int
    hours: float
    dollars: float
    shared_share: float
    tail_share: float
    bound: str


def trials_work(figures: dict[str, Any], megabytes: int, assumptions: Assumptions) -> Work:
    """Return the work of trials as long as the measured ones, with checkpoints of a size."""
    seconds = figures["seconds_per_trial"]
    sent = megabytes * 1e6 * CHECKPOINTS + figures["run_bytes"]
    shared = {
        "network of the head": sent / assumptions.head_bytes_per_second,
        "reports to the head": seconds / REPORT_SECONDS / figures["reports_per_second"],
    }
    overhead = max(0.0, figures["overhead_seconds_per_trial"])
    return Work(f"{TRIALS:,} trials, checkpoints of {megabytes} MB", TRIALS, seconds + overhead, shared, MAX_PARALLEL)


def photos_work(figures: dict[str, Any], photos_per_object: int, assumptions: Assumptions) -> Work:
    """Return the work of shards of photos of the measured size, which are read from an object store."""
    photos = PHOTOS / SHARDS
    predicting = photos / figures["photos_per_second_per_core"]
    reading = photos * figures["photo_bytes"] / assumptions.core_bytes_per_second
    shared = {
        "Ray Data on the head": assumptions.shard_seconds,
        "object store": photos / photos_per_object / assumptions.reads_per_second,
    }
    name = f"a billion photos, {photos_per_object:,} in an object"
    dollars = PHOTOS / photos_per_object * assumptions.read_price
    return Work(name, SHARDS, predicting + reading, shared, dollars=dollars)


def simulate(work: Work, cores: int, assumptions: Assumptions) -> Simulated:
    """Let cores take one task after another, which all need what they share in turn.

    A core that is lost repeats `lost_seconds` of its task.
    """
    rng = random.Random(0)  # noqa: S311 - not for security
    spread = assumptions.spread
    max_parallel = work.max_parallel or work.count
    places = min(cores, max_parallel, work.count)
    free, shared_free = [0.0] * places, dict.fromkeys(work.shared, 0.0)
    ended = last_start = 0.0
    for _ in range(work.count):
        last_start = started = heapq.heappop(free)
        seconds = work.seconds * rng.lognormvariate(-(spread**2) / 2, spread)
        losses = sum(rng.random() < assumptions.core_losses_per_hour / 60 for _ in range(int(seconds / 60)))
        seconds += losses * assumptions.lost_seconds
        for name, needed in work.shared.items():
            shared_free[name] = max(shared_free[name], started + seconds - needed) + needed
        end = max([started + seconds, *shared_free.values()])
        ended = max(ended, end)
        heapq.heappush(free, end)
    hours = ended / 3600
    shares = {name: work.count * needed / ended for name, needed in work.shared.items()}
    shared_share, tail_share = max(shares.values(), default=0.0), (ended - last_start) / ended
    dollars = hours * (cores * assumptions.core_hour + assumptions.head_hour) + work.dollars
    bound = _bound(work, cores > max_parallel, shared_share, tail_share)
    return Simulated(cores, hours, dollars, shared_share, tail_share, bound)


def _busiest(work: Work) -> str:
    return max(work.shared, key=lambda name: work.shared[name])


def _bound(work: Work, has_idle_cores: bool, shared_share: float, tail_share: float) -> str:
    """Name what keeps a larger cluster from being faster."""
    if shared_share > 0.8:
        return _busiest(work)
    if has_idle_cores:
        return "tasks in parallel"
    return "stragglers" if tail_share > 0.3 else "cores"


def largest_useful(work: Work) -> tuple[float, str]:
    """Return from how many cores on a larger cluster is no faster, and why."""
    full, max_parallel = work.seconds / work.shared[_busiest(work)], work.max_parallel or work.count
    return (full, _busiest(work)) if full < max_parallel else (max_parallel, "tasks in parallel")


def table(work: Work, simulated: Sequence[Simulated]) -> str:
    """Format a table in Markdown, with a sentence about what breaks first."""
    lines = [f"| {work.name}: cores | hours | dollars | {_busiest(work)} | last tasks | bound by |", "|---" * 6 + "|"]
    lines += [
        f"| {each.cores:,} | {each.hours:,.1f} | {each.dollars:,.0f} | {each.shared_share:.0%} | "
        f"{each.tail_share:.0%} | {each.bound} |"
        for each in simulated
    ]
    cores, reason = largest_useful(work)
    return "\n".join([*lines, "", f"From about {cores:,.0f} cores on, a larger cluster is no faster ({reason}).\n"])


def tables(content: dict[str, Any], assumptions: Assumptions) -> str:
    """Return the tables for the parts that are measured."""
    works = []
    if figures := content.get("trials"):
        works += [trials_work(figures, megabytes, assumptions) for megabytes in (1, 200)]
    if figures := content.get("photos"):
        works += [photos_work(figures, per_object, assumptions) for per_object in (10_000, 1)]
    return "\n".join(table(work, [simulate(work, cores, assumptions) for cores in SIZES]) for work in works)


def main() -> None:
    """Print the tables."""
    if not RESULTS.exists():
        raise SystemExit(f"{RESULTS} is missing. Measure first: python benchmarks/scaling.py trials photos")
    print(tables(results.read(RESULTS), Assumptions()), end="")


if __name__ == "__main__":
    main()
