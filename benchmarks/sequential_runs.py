"""Run trainings one after the other, each in a new process, and record each of them when it ends.

No other work may run at the same time. When the command is repeated, recorded trainings are read instead of run again.
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

TIMED_TRAINING = str(Path(__file__).with_name("timed_training.py"))


def run(name: str, command: Sequence[str], home: Path) -> Record:
    """Run a Python script that prints its record as JSON, or read the record of an earlier call.

    Args:
        name: of the training; the record is stored under it in `home`.
        command: script and arguments.
        home: folder of the records.

    Raises:
        SystemExit: the stored record is of another commit, machine or set of packages.
    """
    file = home / f"{name.replace('/', '_').replace(' ', '-')}.json"
    if not file.exists():
        print(f"{name} ...", end=" ", flush=True)
        files.write_json(file, _run_script(command))
    record: Record = files.read_json(file)
    if any(record[key] != value for key, value in environment.describe().items()):
        raise SystemExit(f"{file} is of another commit, machine or set of packages. Remove {home} to start again.")
    print(f"{name}: {record['seconds']:.1f} s, {final_accuracy(record):.2%}")
    return record


def _run_script(command: Sequence[str]) -> Record:
    variables = {**os.environ, "GOMP_SPINCOUNT": "10000"}  # as the command line sets it
    load = os.getloadavg()[0]
    start = time.perf_counter()
    output = subprocess.run([sys.executable, *command], env=variables, stdout=subprocess.PIPE, text=True, check=True)
    record: Record = json.loads(output.stdout)
    return record | {"seconds_importing": time.perf_counter() - start - record["seconds"], "load_before": load}


def final_accuracy(record: Record) -> float:
    """Return the accuracy with flip TTA where the training's time includes it, otherwise without."""
    flip_tta = record.get("accuracy_flip_tta")
    return float(record["accuracy"] if flip_tta is None else flip_tta)


def summarize(name: str, records: list[Record]) -> Record:
    """Return n, mean seconds, mean accuracy and the intervals of both over the trainings of one method."""
    seconds = [record["seconds"] for record in records]
    return {
        "recipe": name,
        "n": len(records),
        "seconds": fmean(seconds),
        "seconds_interval": intervals.t_interval(seconds),
        "seconds_importing": fmean(record["seconds_importing"] for record in records),
        "accuracy": fmean(record["accuracy"] for record in records),
        **intervals.summarize([final_accuracy(record) for record in records], records[0]["images"]),
    }
