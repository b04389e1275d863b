"""What each trick of `sprint` is worth: trained with it and without it, from the same seeds, judged on validation.

    python benchmarks/tricks.py --seeds 4

It takes about half an hour of the whole machine. A sitting that was stopped goes on where it was. Writes
results/tricks.json.
"""

import argparse
import shlex
import sys
from pathlib import Path
from statistics import fmean

import sitting

from modiste.evaluation import intervals
from modiste.recipes.named import sprint
from modiste.runs import results

AS_IT_IS = "sprint"

TRICKS: dict[str, tuple[str, ...]] = {
    AS_IT_IS: (),
    "without Muon: SGD with Nesterov momentum 0.9, rate 0.2": (
        "optimizer.name=sgd",
        "optimizer.lr=0.2",
        "optimizer.momentum=0.9",
    ),
    "without leaving easy images out": ("schedule.drop=0",),
    "without leaving easy images out, 3 epochs": ("schedule.drop=0", "schedule.epochs=3"),
    "without label smoothing": ("optimizer.smoothing=0",),
    "without mirrored training images": ("augmentation.flip=false",),
    "without a lower rate for the head": ("optimizer.lr_head=1",),
    "without a lower rate for batch norm": ("optimizer.lr_rest=1",),
    "without warm-up": ("schedule.warmup=0",),
    "with shifts of one pixel": ("augmentation.crop=1",),
    "with random erasing in a quarter of the images": ("augmentation.erasing=0.25",),
    "with momentum 0.95": ("optimizer.momentum=0.95",),
    "with batches of 200": ("optimizer.batch=200",),
    "with 24 channels": ("network.width=24",),
    "with one epoch more": (f"schedule.epochs={sprint().schedule.epochs + 1}",),
}
"""Settings that differ from the recipe, by what they do."""


def trial(name: str, seeds: int, home: Path) -> list[sitting.Record]:
    """Train with these settings, seeds from 0 on."""
    sets = [part for setting in TRICKS[name] for part in ("--set", setting)]
    label = " ".join([AS_IT_IS, *TRICKS[name]])
    command = [sitting.RACE, AS_IT_IS, "--validation", *sets, "--seed"]
    return [sitting.run(f"{label} {seed}", [*command, str(seed)], home) | {"recipe": name} for seed in range(seeds)]


def compared(name: str, records: list[sitting.Record], plain: list[sitting.Record]) -> sitting.Record:
    """One row: what it comes to, and how it differs from the recipe, seed by seed."""
    differences = [sitting.accuracy(a) - sitting.accuracy(b) for a, b in zip(records, plain, strict=True)]
    row = sitting.summary(name, records)
    return row | {
        "settings": TRICKS[name],
        "difference": fmean(differences),
        "difference_interval": intervals.student(differences),
        "seconds_ratio": row["seconds"] / fmean(record["seconds"] for record in plain),
    }


def main() -> None:
    """Hold the sitting and write its results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--home", type=Path, default=Path("runs/tricks"), help="where trainings are noted")
    parser.add_argument("--out", type=Path, default=Path("results/tricks.json"))
    given = parser.parse_args()
    given.home.mkdir(parents=True, exist_ok=True)
    found = {name: trial(name, given.seeds, given.home) for name in TRICKS}
    rows = [compared(name, records, found[AS_IT_IS]) for name, records in found.items()]
    command = shlex.join(["python", "benchmarks/tricks.py", *sys.argv[1:]])
    runs = [record for records in found.values() for record in records]
    results.write(given.out, recipe="tricks", command=command, runs=runs, split="validation", tricks=rows)
    print(given.out)


if __name__ == "__main__":
    main()
