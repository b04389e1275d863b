"""What each trick of `sprint` is worth: trained with it and without it, from the same seeds, judged on validation.

    python benchmarks/tricks.py --seeds 4

It takes about half an hour of the whole machine. A sitting that was stopped goes on where it was. The fold that is held
out is not the one by which `sprint` was chosen. Writes results/tricks.json.
"""

import argparse
from pathlib import Path
from statistics import fmean

import sitting
import timing

from modiste.metrics import intervals
from modiste.recipes.named import sprint
from modiste.runs import results

AS_IT_IS = "sprint"
ONE_VIEW = "without flip_tta views of what is judged"
FOLD = "data.fold=1"

TRICKS: dict[str, tuple[str, ...]] = {
    AS_IT_IS: (),
    **{
        f"without Muon: SGD with momentum 0.9, rate {rate}": (
            "optimizer.name=sgd",
            f"optimizer.lr={rate}",
            "optimizer.momentum=0.9",
        )
        for rate in (0.05, 0.1, 0.2, 0.4)
    },
    "without leaving easy images out": ("schedule.skip_easy_fraction=0",),
    "without leaving easy images out, 3 epochs": ("schedule.skip_easy_fraction=0", "schedule.epochs=3"),
    "without label smoothing": ("optimizer.label_smoothing=0",),
    "without flip_tta training images, one view for both": ("augmentation.horizontal_flip=false",),
    "without a lower rate for the head": ("optimizer.head_lr_mult=1",),
    "without a lower rate for batch norm": ("optimizer.norm_bias_lr_mult=1",),
    "without warm-up": ("schedule.warmup_fraction=0",),
    "with shifts of one pixel": ("augmentation.random_crop_padding=1",),
    "with random erasing in a quarter of the images": ("augmentation.random_erasing_prob=0.25",),
    "with momentum 0.95": ("optimizer.momentum=0.95",),
    "with batches of 200": ("optimizer.batch_size=200",),
    "with 24 channels": ("model.width=24",),
    "with one epoch more": (f"schedule.epochs={sprint().schedule.epochs + 1}",),
}
"""Settings that differ from the recipe, by what they do."""


def trial(name: str, seeds: int, home: Path) -> list[sitting.Record]:
    """Train with these settings, seeds from 0 on."""
    sets = [part for setting in (FOLD, *TRICKS[name]) for part in ("--set", setting)]
    label = " ".join([AS_IT_IS, *TRICKS[name]])
    command = [sitting.RACE, AS_IT_IS, "--validation", *sets, "--seed"]
    return [sitting.run(f"{label} {seed}", [*command, str(seed)], home) | {"recipe": name} for seed in range(seeds)]


def one_view(records: list[sitting.Record]) -> list[sitting.Record]:
    """The same trainings, judged without flip_tta views, and so in less time."""
    return [
        record | {"accuracy_flip_tta": None, "seconds": record["seconds"] - record["seconds_predicting"] / 2}
        for record in records
    ]


def compared(name: str, records: list[sitting.Record], plain: list[sitting.Record]) -> sitting.Record:
    """One row: what it comes to, and how it differs from the recipe, seed by seed.

    A network that knows no flip_tta images is compared with one view of each.
    """
    like = plain if name == ONE_VIEW or records[0]["accuracy_flip_tta"] is not None else one_view(plain)
    differences = [sitting.accuracy(a) - sitting.accuracy(b) for a, b in zip(records, like, strict=True)]
    row = sitting.summary(name, records)
    return row | {
        "settings": TRICKS.get(name, ()),
        "difference": fmean(differences),
        "difference_interval": intervals.t_interval(differences),
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
    runs = [record for records in found.values() for record in records]
    plain = found[AS_IT_IS]
    found[ONE_VIEW] = one_view(plain)
    rows = [compared(name, records, plain) for name, records in found.items()]
    command = timing.command()
    results.write(given.out, recipe="tricks", command=command, runs=runs, split="validation", tricks=rows)
    print(given.out)


if __name__ == "__main__":
    main()
