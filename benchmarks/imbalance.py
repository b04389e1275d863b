"""Class weights and balanced sampling on imbalanced data: macro recall on balanced held-out images, per seed.

    python benchmarks/imbalance.py --seeds 3

Step imbalance (Buda et al. 2018): five classes of Fashion-MNIST keep `--images` training images, the other five a
twentieth of them. Every other class is a minority, so that each is similar to a majority class, as Shirt is to
T-shirt/top. The images are drawn with the seed, and the same for all arms. Held out are training images of
Fashion-MNIST that are not trained on, equally many per class; `--test` takes the official test split, for the final
run alone. "balanced" are the weights n / (k n_c) of scikit-learn. It writes results/imbalance.json.
"""

import argparse
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import timing

import modiste
from modiste.data import fashion_mnist
from modiste.data.split import Images, Labels
from modiste.metrics import intervals
from modiste.recipes import settings
from modiste.runs import files, results

ARMS: dict[str, dict[str, Any]] = {
    "none": {},
    "class weights": {"loss.class_weights": "balanced"},
    "sampling": {"data.sampling": "balanced"},
}
RATIO = 20
MINORITY = range(0, 10, 2)
HELD_OUT = 500
"""Images of each class that are held out."""

TRAININGS: dict[str, dict[str, Any]] = {
    "sprint": {},
    "AdamW, 20 epochs": {
        "optimizer.name": "adamw",
        "optimizer.lr": 0.002,
        "optimizer.weight_decay": 0.01,
        "optimizer.batch_size": 100,
        "optimizer.label_smoothing": 0.0,
        "schedule.name": "cosine",
        "schedule.skip_easy_fraction": 0.0,
        "schedule.epochs": 20,
    },
}
"""Changes of the recipe sprint: as it is, and so long that nearly all training images are learned."""


def minority_count(count: int) -> int:
    """Return the training images of each minority class."""
    return max(2, count // RATIO)


def draw(images: Images, labels: Labels, count: int, seed: int) -> tuple[list[int], list[int]]:
    """Return the indices of the imbalanced training images and of the held-out ones, which are others."""
    train, held_out = [], []
    generator = np.random.default_rng(seed)
    for label in range(10):
        indices = generator.permutation(np.flatnonzero(labels == label)).tolist()
        held_out += indices[:HELD_OUT]
        train += indices[HELD_OUT : HELD_OUT + (minority_count(count) if label in MINORITY else count)]
    return train, held_out


def write_data(path: Path, count: int, seed: int, use_test: bool) -> Path:
    """Write the imbalanced images and the held-out ones as an archive of Keras; return its path."""
    source = fashion_mnist.source()
    train, test = source.part("train"), source.part("test")
    images = train.load(np.arange(len(train.labels)))
    chosen, held_out = draw(images, train.labels, count, seed)
    x_test, y_test = images[held_out], train.labels[held_out]
    if use_test:
        x_test, y_test = test.load(np.arange(len(test.labels))), test.labels
    files.make_folder(path.parent)
    np.savez_compressed(path, x_train=images[chosen], y_train=train.labels[chosen], x_test=x_test, y_test=y_test)
    return path


def arms(training: str) -> list[str]:
    """Return what is compared: no sampling where a part of the images is skipped, which modiste refuses with it."""
    return list(ARMS) if "schedule.skip_easy_fraction" in TRAININGS[training] else ["none", "class weights"]


def measure(training: str, arm: str, data: Path, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Train one arm and return its record."""
    changes = TRAININGS[training] | dict(map(settings.parse_setting, args.set)) | ARMS[arm] | {"seed": seed}
    recipe = settings.with_settings(modiste.recipe("sprint"), changes)
    name = f"{training}, {arm}"
    started = time.perf_counter()
    run = modiste.train(recipe, data, str((data.parent / name.replace(", ", "-").replace(" ", "-")).resolve()))
    seconds = round(time.perf_counter() - started, 1)
    scores = modiste.evaluate(run)
    recalls = [each.recall for each in scores.per_class]
    minority = fmean(recall for label, recall in enumerate(recalls) if label in MINORITY and recall is not None)
    print(f"seed {seed}, {name}: macro recall {scores.balanced_accuracy:.2%}, of the minorities {minority:.2%}")
    return {
        "recipe": name, "seed": seed, "accuracy": scores.accuracy, "loss": scores.loss, "images": scores.n,
        "seconds": seconds, "epochs": recipe.schedule.epochs, "macro_recall": scores.balanced_accuracy,
        "minority_recall": minority, "recalls": recalls,
    }  # fmt: skip


def measure_all(images: int, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Train all arms with so many images of each majority class, and return their records."""
    records = []
    for seed in range(args.seeds):
        data = write_data(args.home / f"{images}-images" / f"seed-{seed}" / "data.npz", images, seed, args.test)
        for training in TRAININGS:
            records += [measure(training, arm, data, seed, args) for arm in arms(training)]
    return [record | {"majority": images, "minority": minority_count(images)} for record in records]


def summarize(records: list[dict[str, Any]], images: int, training: str) -> list[dict[str, Any]]:
    """Return mean macro recall of each arm, and its differences to no weights, paired by seed, with their interval."""
    chosen = [record for record in records if record["majority"] == images]
    by_arm = {
        arm: {each["seed"]: each["macro_recall"] for each in chosen if each["recipe"] == f"{training}, {arm}"}
        for arm in arms(training)
    }
    rows = []
    for arm, recalls in by_arm.items():
        gains = [recall - by_arm["none"][seed] for seed, recall in recalls.items()]
        rows.append({
            "training": training, "arm": arm, "majority": images, "minority": minority_count(images), "n": len(gains),
            "macro_recall": fmean(recalls.values()), "gain": fmean(gains),
            "interval_seeds": intervals.t_interval(gains) if arm != "none" else None,
        })  # fmt: skip
    return rows


def main() -> None:
    """Run all trainings and write the results file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--images", type=int, nargs="+", default=(400, 1000, 2000), help="training images of each majority class"
    )
    parser.add_argument("--test", action="store_true", help="evaluate on the official test split")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of the recipe")
    parser.add_argument("--home", type=Path, default=Path("runs/imbalance"), help="folder of the runs; must be new")
    parser.add_argument("--out", type=Path, default=Path("results/imbalance.json"))
    args = parser.parse_args()
    records = [record for images in args.images for record in measure_all(images, args)]
    rows = [row for images in args.images for training in TRAININGS for row in summarize(records, images, training)]
    for row in rows:
        print(
            f"{row['majority']:5} and {row['minority']:3} images, {row['training']}, {row['arm']}: "
            f"macro recall {row['macro_recall']:.2%}, gain {100 * row['gain']:+.2f} points"
        )
    results.write(
        args.out, recipe="imbalance", command=timing.current_command(), runs=records, split="test", ratio=RATIO,
        held_out="test" if args.test else "other training images", rows=rows,
    )  # fmt: skip
    print(args.out)


if __name__ == "__main__":
    main()
