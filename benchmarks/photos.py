"""How good the recipe `photo` is on photos by people that it has not seen.

    python benchmarks/photos.py PHOTOS --folds 1                    # for choices: the first fold alone
    python benchmarks/photos.py PHOTOS                              # all five

PHOTOS holds class folders below train/ and validation/, and senders.csv (file,sender_id): people give several photos of
one piece of clothing, so all photos of a sender are held out together. A sitting that was stopped goes on where it was.
Writes results/photos.json.
"""

import argparse
import csv
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from modiste.data import sources
from modiste.data.split import Split
from modiste.evaluation import calibration, intervals
from modiste.evaluation.scores import calibration_error
from modiste.labels import NONE_OF_THESE
from modiste.runs import environment, files, metrics, results
from modiste.runs.folder import Run

FOLDS = 5

MEANINGS = {
    "t-shirt": "T-shirt/top",
    "pants": "Trouser",
    "longsleeve": "Pullover",
    "dress": "Dress",
    "outwear": "Coat",
    "shirt": "Shirt",
    "shoes": ["Sandal", "Sneaker", "Ankle boot"],
    "hat": NONE_OF_THESE,
    "shorts": NONE_OF_THESE,
    "skirt": NONE_OF_THESE,
}
"""What the class folders mean in the labels of Fashion-MNIST."""

Floats = NDArray[np.float64]


def photos(root: Path) -> tuple[list[Path], list[str], list[str]]:
    """The photos, their classes and their senders, in the order of senders.csv."""
    with (root / "senders.csv").open(newline="", encoding="utf-8") as file:
        rows = [(Path(row["file"]), row["sender_id"]) for row in csv.DictReader(file)]
    return [root / path for path, _ in rows], [path.parent.name for path, _ in rows], [sender for _, sender in rows]


def folds(root: Path, home: Path) -> Iterator[Path]:
    """Lay out each fold as a data folder of links: train/, validation/ and labels.json."""
    paths, classes, senders = photos(root)
    cut = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(paths, classes, senders)
    for number, parts in enumerate(cut):
        folder = home / f"fold-{number}"
        for part, chosen in zip(("train", "validation"), parts, strict=True):
            for index in chosen:
                link = folder / part / classes[index] / paths[index].name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to(paths[index].resolve())
        known = {name: meaning for name, meaning in MEANINGS.items() if name in classes}
        files.write_json(folder / "labels.json", known)
        yield folder


def trained(folder: Path, run: Run, sets: list[str]) -> Run:
    """Train on a fold and judge on the photos held out, or go on with it, or take what is there."""
    if not run.card.exists():
        begun = ["--resume", str(run.path)] if run.recipe_file.exists() else ["photo", "--data", str(folder.resolve())]
        named = [] if run.recipe_file.exists() else ["--name", str(run.path.resolve()), *sets]
        modiste("train", *begun, *named)
    if not run.scores.exists():
        modiste("evaluate", str(run.path), "--split", "validation")
    return run


def modiste(*arguments: str) -> None:
    """Run a command; what it says goes where ours does."""
    subprocess.run([sys.executable, "-m", "modiste", *arguments], check=True)


def record(number: int, run: Run) -> dict[str, Any]:
    """What a results file says of one fold."""
    recipe, rows, facts = run.recipe(), metrics.read(run.metrics), files.read_json(run.environment)
    scores = files.read_json(run.scores)["validation"]
    return {
        "seed": recipe.seed,
        "fold": number,
        "validation_accuracy": scores["accuracy"],
        "validation_loss": scores["loss"],
        "validation_images": scores["n"],
        "seconds": round(sum(row.seconds for row in rows), 1),
        "epochs": len(rows),
        **{key: facts[key] for key in ("parameters", "precision", "threads", "device", "hardware", "commit")},
    }


def pooled(runs: list[Run]) -> tuple[Floats, Split, tuple[str, ...]]:
    """Probabilities, truth and label names of the photos of all folds, each judged by the run that had not seen it."""
    names = tuple(label["label"] for label in files.read_json(runs[0].scores)["validation"]["labels"])
    found = [np.load(run.probabilities)["probabilities"].astype(np.float64) for run in runs]
    held_out = [sources.open_validation(run.recipe().data, run.recipe().seed) for run in runs]
    allowed = [
        np.eye(len(names), dtype=bool)[each.labels] if each.allowed is None else each.allowed for each in held_out
    ]
    joined = [np.concatenate(parts) for parts in (found, [each.labels for each in held_out], allowed)]
    return joined[0], Split("validation", np.empty((len(joined[1]), 0, 0), np.uint8), joined[1], joined[2]), names


def judged(probabilities: Floats, truth: Split, names: tuple[str, ...]) -> dict[str, Any]:
    """The figures over all photos: accuracy, how it knows what it does not know, and calibration.

    A temperature for a fold is chosen on the other folds; here all choose it together, on one number.
    """
    certainty = calibration.fit(probabilities, truth, names, calibration.together(truth.allowed))
    calibrated = certainty.calibrated(probabilities)
    said, sure = calibrated.argmax(1), certainty.sureness(calibrated)
    right = truth.right(said)
    surest = np.argsort(-sure, kind="stable")[: round(0.8 * len(sure))]
    given = (said != names.index(NONE_OF_THESE)) & (sure >= certainty.threshold)
    return {
        "images": len(truth),
        "accuracy": float(right.mean()),
        "interval_images": intervals.wilson(int(right.sum()), len(truth)),
        "accuracy_of_surest_80_percent": float(right[surest].mean()),
        "ece": calibration_error(sure, right),
        "temperature": certainty.temperature,
        "threshold": certainty.threshold,
        "none_recall": float((~given)[truth.labels == names.index(NONE_OF_THESE)].mean()),
        "labels_given": float(given.mean()),
        "labels_given_right": float(right[given].mean()) if given.any() else None,
    }


def main() -> None:
    """Train and judge the folds, and write the results when all of them are done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--folds", type=int, default=FOLDS, help="only the first so many; then nothing is written")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of the recipe")
    parser.add_argument("--home", type=Path, default=Path("runs/photos"), help="where the folds and their runs are")
    parser.add_argument("--out", type=Path, default=Path("results/photos.json"))
    given = parser.parse_args()
    sets = [part for setting in given.set for part in ("--set", setting)]
    laid = list(folds(given.photos, given.home))[: given.folds]
    runs = [trained(folder, Run(given.home / f"run-{number}"), sets) for number, folder in enumerate(laid)]
    found = judged(*pooled(runs))
    print(json.dumps(found, indent=2))
    if len(runs) == FOLDS:
        records = [record(number, run) for number, run in enumerate(runs)]
        command = shlex.join(["python", "benchmarks/photos.py", *sys.argv[1:]])
        facts = {"settings": given.set, "measured_with": environment.hardware()}
        results.write(given.out, recipe="photos", command=command, runs=records, split="validation", **facts, **found)
        print(given.out)


if __name__ == "__main__":
    main()
