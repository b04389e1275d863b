"""How long a call takes, and what a reader would type to measure it again."""

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median


def seconds(work: Callable[[], object], times: int, warm_up: int) -> float:
    """Median seconds of a call, after some that warm up."""
    taken = []
    for _ in range(warm_up + times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return median(taken[warm_up:])


def command() -> str:
    """The command that is running."""
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
