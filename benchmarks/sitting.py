"""One sitting: trainings one after the other, each a new process, each written down as it ends.

Nothing else may run beside it. A sitting that was stopped goes on where it was when its command is given again.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from modiste.metrics import intervals
from modiste.runs import environment, files

Record = dict[str, Any]

RACE = str(Path(__file__).with_name("race.py"))


def run(name: str, command: Sequence[str], home: Path) -> Record:
    """Run a Python script that prints its record in a new process, or read what it came to when it is there already."""
    file = home / f"{name.replace('/', '_').replace(' ', '-')}.json"
    if not file.exists():
        print(f"{name} ...", end=" ", flush=True)
        variables = {**os.environ, "GOMP_SPINCOUNT": "10000"}  # as the command line has it
        load = os.getloadavg()[0]
        started = time.perf_counter()
        done = subprocess.run([sys.executable, *command], env=variables, stdout=subprocess.PIPE, text=True, check=True)
        record = json.loads(done.stdout)
        record |= {"seconds_importing": time.perf_counter() - started - record["seconds"], "load_before": load}
        files.write_json(file, record)
    found: Record = files.read_json(file)
    if any(found[key] != value for key, value in environment.describe().items()):
        raise SystemExit(f"{file} is of another commit, machine or set of packages. Remove {home} to begin anew.")
    print(f"{name}: {found['seconds']:.1f} s, {accuracy(found):.2%}")
    return found


def accuracy(record: Record) -> float:
    """With flip_tta views where the training took them into its time."""
    flip_tta = record.get("accuracy_flip_tta")
    return float(record["accuracy"] if flip_tta is None else flip_tta)


def summary(name: str, records: list[Record]) -> Record:
    """What several trainings of one contestant come to: n, mean seconds, mean accuracy, both intervals."""
    seconds = [record["seconds"] for record in records]
    return {
        "recipe": name,
        "n": len(records),
        "seconds": fmean(seconds),
        "seconds_interval": intervals.t_interval(seconds),
        "seconds_importing": fmean(record["seconds_importing"] for record in records),
        "accuracy": fmean(record["accuracy"] for record in records),
        **intervals.summarize([accuracy(record) for record in records], records[0]["images"]),
    }
