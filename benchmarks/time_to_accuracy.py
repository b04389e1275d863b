"""The race: our recipes against the plain loop, each training a new process, one after the other, in one sitting.

    python benchmarks/time_to_accuracy.py --recipe sprint=20 --loop 3 --epochs 15

It takes hours and the whole machine: run nothing beside it. A sitting that was stopped goes on where it was, since each
training is written down as it ends. Writes results/time_to_accuracy.json.
"""

import argparse
import gzip
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from modiste.data import fashion_mnist
from modiste.evaluation import intervals
from modiste.runs import files, results

HERE = Path(__file__).parent

Record = dict[str, Any]


def contestants(recipes: dict[str, int], loops: int, epochs: int, data: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the command of each training, in the order of the sitting."""
    for recipe, seeds in recipes.items():
        for seed in range(seeds):
            yield f"{recipe} {seed}", [str(HERE / "race.py"), recipe, "--seed", str(seed)]
    for seed in range(loops):
        yield (
            f"plain loop of {epochs} epochs {seed}",
            [str(HERE / "plain_loop.py"), str(data), "--epochs", str(epochs), "--seed", str(seed)],
        )


def run(name: str, command: list[str], home: Path) -> Record:
    """Run one training in a new process, or read what it came to when it is there already."""
    file = home / f"{name.replace('/', '_').replace(' ', '-')}.json"
    if not file.exists():
        print(f"{name} ...", end=" ", flush=True)
        # as the command line has it; compile caches, were there any, would be this training's own
        variables = {**os.environ, "GOMP_SPINCOUNT": "10000", "TORCHINDUCTOR_CACHE_DIR": str(home / "cache")}
        started = time.perf_counter()
        done = subprocess.run([sys.executable, *command], env=variables, stdout=subprocess.PIPE, text=True, check=True)
        record = json.loads(done.stdout)
        record["seconds_importing"] = time.perf_counter() - started - record["seconds"]
        files.write_json(file, record)
    record = files.read_json(file)
    print(f"{name}: {record['seconds']:.1f} s, {accuracy(record):.2%}")
    return dict(record)


def accuracy(record: Record) -> float:
    """With mirrored views where the training took them into its time."""
    return float(record.get("test_accuracy_mirrored") or record["test_accuracy"])


def summary(records: list[Record]) -> list[Record]:
    """A row a contestant: n, mean seconds, mean accuracy, both intervals."""
    names = dict.fromkeys(record["recipe"] for record in records)
    rows = []
    for name in names:
        own = [record for record in records if record["recipe"] == name]
        seconds = [record["seconds"] for record in own]
        rows.append(
            {
                "recipe": name,
                "n": len(own),
                "seconds": fmean(seconds),
                "seconds_interval": intervals.student(seconds),
                "seconds_importing": fmean(record["seconds_importing"] for record in own),
                "test_accuracy": fmean(record["test_accuracy"] for record in own),
            }
            | intervals.summary([accuracy(record) for record in own], own[0]["test_images"])
        )
    return rows


def unpacked(home: Path) -> Path:
    """The four files as torchvision lays them out: the plain loop does not pay for gzip."""
    raw = home / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for file in fashion_mnist.folder().iterdir():
        if file.name.endswith(".gz"):
            (raw / file.name.removesuffix(".gz")).write_bytes(gzip.decompress(file.read_bytes()))
    return home


def main() -> None:
    """Hold the sitting that the command line describes, and write its results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recipe", action="append", default=[], metavar="NAME=N", help="a recipe and its seeds")
    parser.add_argument("--loop", type=int, default=3, help="seeds of the plain loop")
    parser.add_argument("--epochs", type=int, default=15, help="of the plain loop; choose it on validation beforehand")
    parser.add_argument("--home", type=Path, default=Path("runs/time_to_accuracy"), help="where trainings are noted")
    parser.add_argument("--out", type=Path, default=Path("results/time_to_accuracy.json"))
    given = parser.parse_args()
    recipes = {name: int(count) for name, _, count in (text.rpartition("=") for text in given.recipe)}
    given.home.mkdir(parents=True, exist_ok=True)
    data = unpacked(given.home)
    records = [run(name, command, given.home) for name, command in contestants(recipes, given.loop, given.epochs, data)]
    command = shlex.join(["python", "benchmarks/time_to_accuracy.py", *sys.argv[1:]])
    results.write(given.out, recipe="time_to_accuracy", command=command, runs=records, contestants=summary(records))
    print(given.out)


if __name__ == "__main__":
    main()
