"""Ablation of `sprint`: train with and without each trick, with the same seeds, and compare on validation.

    python benchmarks/tricks.py --seeds 4

It takes about half an hour and needs an idle machine. When the command is repeated, finished trainings are not run
again. The validation fold is not the one on which `sprint` was chosen. It writes results/tricks.json.
"""

import argparse
from pathlib import Path
from statistics import fmean

import timing
from sequential_runs import TIMED_TRAINING, Record, final_accuracy, run, summarize

from modiste.metrics import intervals
from modiste.recipes.named import sprint
from modiste.runs import results

BASELINE = "sprint"
WITHOUT_TTA = "without flip TTA"
FOLD = "data.fold=1"

TRICKS: dict[str, tuple[str, ...]] = {
    BASELINE: (),
    **{
        f"without Muon: SGD with momentum 0.9, learning rate {rate}": (
            "optimizer.name=sgd",
            f"optimizer.lr={rate}",
            "optimizer.momentum=0.9",
        )
        for rate in (0.05, 0.1, 0.2, 0.4)
    },
    "without skipping easy images": ("schedule.skip_easy_fraction=0",),
    "without skipping easy images, 3 epochs": ("schedule.skip_easy_fraction=0", "schedule.epochs=3"),
    "without label smoothing": ("optimizer.label_smoothing=0",),
    "without horizontal flips in training, both without flip TTA": ("augmentation.horizontal_flip=false",),
    "without a lower learning rate for the head": ("optimizer.head_lr_mult=1",),
    "without a lower learning rate for norms and biases": ("optimizer.norm_bias_lr_mult=1",),
    "without warm-up": ("schedule.warmup_fraction=0",),
    "with random shifts of one pixel": ("augmentation.random_crop_padding=1",),
    "with random erasing (probability 0.25)": ("augmentation.random_erasing_prob=0.25",),
    "with momentum 0.95": ("optimizer.momentum=0.95",),
    "with batch size 200": ("optimizer.batch_size=200",),
    "with width 24": ("model.width=24",),
    "with one more epoch": (f"schedule.epochs={sprint().schedule.epochs + 1}",),
}
"""Changed settings of the recipe by name of the comparison."""


def train_seeds(name: str, seeds: int, home: Path) -> list[Record]:
    """Train with the settings of a comparison, with seeds from 0 on."""
    sets = [part for setting in (FOLD, *TRICKS[name]) for part in ("--set", setting)]
    label = " ".join([BASELINE, *TRICKS[name]])
    command = [TIMED_TRAINING, BASELINE, "--validation", *sets, "--seed"]
    return [run(f"{label} {seed}", [*command, str(seed)], home) | {"recipe": name} for seed in range(seeds)]


def without_tta(records: list[Record]) -> list[Record]:
    """Return the records of the same trainings evaluated without flip TTA, which takes less time."""
    return [
        record | {"accuracy_flip_tta": None, "seconds": record["seconds"] - record["seconds_predicting"] / 2}
        for record in records
    ]


def compare(name: str, records: list[Record], baseline: list[Record]) -> Record:
    """Return the summary of a comparison with the paired difference to the recipe over seeds.

    A network that was not trained on flipped images is compared without flip TTA.
    """
    has_tta = name == WITHOUT_TTA or records[0]["accuracy_flip_tta"] is not None
    reference = baseline if has_tta else without_tta(baseline)
    differences = [final_accuracy(a) - final_accuracy(b) for a, b in zip(records, reference, strict=True)]
    row = summarize(name, records)
    return row | {
        "settings": TRICKS.get(name, ()),
        "difference": fmean(differences),
        "difference_interval": intervals.t_interval(differences),
        "seconds_ratio": row["seconds"] / fmean(record["seconds"] for record in baseline),
    }


def main() -> None:
    """Run all trainings and write the results file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--home", type=Path, default=Path("runs/tricks"), help="folder of the records")
    parser.add_argument("--out", type=Path, default=Path("results/tricks.json"))
    args = parser.parse_args()
    args.home.mkdir(parents=True, exist_ok=True)
    records = {name: train_seeds(name, args.seeds, args.home) for name in TRICKS}
    runs = [record for each in records.values() for record in each]
    baseline = records[BASELINE]
    records[WITHOUT_TTA] = without_tta(baseline)
    rows = [compare(name, each, baseline) for name, each in records.items()]
    command = timing.current_command()
    results.write(args.out, recipe="tricks", command=command, runs=runs, split="validation", tricks=rows)
    print(args.out)


if __name__ == "__main__":
    main()
