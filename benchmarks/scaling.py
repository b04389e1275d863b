"""Measure what a Ray cluster and torchrun cost and gain, on this machine: a head and two nodes of one core each.

    python benchmarks/scaling.py trials        # half an hour
    python benchmarks/scaling.py kills         # twenty minutes
    python benchmarks/scaling.py photos        # half an hour
    python benchmarks/scaling.py ranks         # a quarter of an hour

Two cores with nothing else running. Each part has several measurements, each of which is written to
results/scaling.json when it ends: after an error or Ctrl-C, the same command takes those that are missing. Those of
another commit, machine or set of packages are measured again. Logs and runs are in build/scaling. --small tries a part
within minutes, at a size that says nothing, and writes build/scaling-small/scaling.json.
"""

import argparse
import json
import os
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import scaling_photos
import scaling_ranks
import scaling_trials
from local_cluster import title

from modiste.runs import environment, files, results

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "scaling.json"

PARTS = {
    "trials": (scaling_trials.measurements, scaling_trials.summarize),
    "kills": (scaling_trials.measurements_with_kills, scaling_trials.summarize_kills),
    "photos": (scaling_photos.measurements, scaling_photos.summarize),
    "ranks": (scaling_ranks.measurements, scaling_ranks.summarize),
}
"""Functions that return the measurements of a part by name, and the figures that follow from their records."""

Record = dict[str, Any]


def main() -> None:
    """Measure what is missing of the parts that are named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--small", action="store_true", help="try it at a size that says nothing")
    args = parser.parse_args()
    require_no_cluster()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a cluster is shut down
    home = ROOT / "build" / ("scaling-small" if args.small else "scaling")
    for part in args.parts:
        measure_part(part, home, home / "scaling.json" if args.small else RESULTS, args.small)


def require_no_cluster() -> None:
    """Raise SystemExit if a Ray cluster runs on this machine, as one that was left by a measurement that was killed."""
    if any("/raylet " in title(process) for process in Path("/proc").glob("[0-9]*")):
        raise SystemExit("A Ray cluster runs on this machine, and takes time. End it first: ray stop --force")


def measure_part(part: str, home: Path, path: Path, small: bool) -> None:
    """Measure what a results file lacks of a part, in new folders, and add it."""
    content = results.read(path) if path.exists() else {"runs": [], "environments": {}}
    here, environments = environment.describe(), content["environments"]
    is_old = environments.get(part) != here
    environments[part] = here
    records = [record for record in content["runs"] if record["part"] != part or not is_old]
    measured = {record["recipe"] for record in records if record["part"] == part}
    for name, measure in PARTS[part][0](small).items():
        if name in measured:
            continue
        folder = home / part / name
        shutil.rmtree(folder, ignore_errors=True)
        files.make_folder(folder)
        load = os.getloadavg()[0]
        record = {"part": part, "recipe": name, **measure(folder), "load_before": round(load, 2)}
        records = [*without_contradictions(record, records, environments), record]
        write(path, records, environments, small)
        print(json.dumps(record), flush=True)


def without_contradictions(record: Record, earlier: Iterable[Record], environments: dict[str, Any]) -> list[Record]:
    """Return the earlier records without those of another commit or machine whose output is not that of a new one.

    Raises SystemExit if it is not that of an earlier record from here.
    """
    consistent = []
    for other in earlier:
        if other.get("output") != record.get("output") or other.get("sha256") == record.get("sha256"):
            consistent.append(other)
        elif environments[other["part"]] == environments[record["part"]]:
            names = [f"{each['part']}/{each['recipe']}" for each in (record, other)]
            raise SystemExit(f"{names[0]} has another {record['output']} than {names[1]}. See their logs in build/.")
    return consistent


def write(path: Path, records: list[Record], environments: dict[str, Any], small: bool) -> None:
    """Write the records, the commit and machine of each part, and the figures of each part that is complete."""
    figures = {}
    for part, (measurements, summarize) in PARTS.items():
        measured = {record["recipe"]: record for record in records if record["part"] == part}
        if measured.keys() >= measurements(small).keys():
            figures[part] = summarize(measured)
    command = f"python benchmarks/scaling.py {' '.join(PARTS)}"
    results.write(path, recipe="scaling", command=command, runs=records, environments=environments, **figures)


if __name__ == "__main__":
    main()
