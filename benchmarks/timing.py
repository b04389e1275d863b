"""Time a call, and name the command that is running."""

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median


def median_seconds(function: Callable[[], object], repeats: int, warm_up: int) -> float:
    """Return the median seconds of a call after some that warm up."""
    seconds = []
    for _ in range(warm_up + repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return median(seconds[warm_up:])


def current_command() -> str:
    """Return the command line that started this script, for the results file; of a path elsewhere, its last part."""
    arguments = (Path(each).name if Path(each).is_absolute() else each for each in sys.argv[1:])
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *arguments])
