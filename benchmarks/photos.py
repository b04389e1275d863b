"""Evaluate the recipe `photo` by cross-validation over senders.

    python benchmarks/photos.py PHOTOS --folds 1                # the first fold alone, to make choices
    python benchmarks/photos.py PHOTOS --no-clothes FOLDER      # all folds and all measurements
    python benchmarks/photos.py PHOTOS --all                    # the bundled model: trained on all photos

PHOTOS contains class folders below train/ and validation/, and senders.csv (file,sender_id). Senders often gave several
photos of one piece of clothing, so all photos of a sender are in the same fold, and intervals resample senders. When
the command is repeated, finished trainings are not run again. It writes results/photos.json.
"""

import argparse
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import timing
from evaluate_photos import (
    PhotoPredictions,
    accuracy,
    concatenate,
    is_answered,
    other_folds,
    predict_photos,
    summarize,
)
from heatmap_check import is_hottest_decisive
from numpy.typing import NDArray
from perturbations import PERTURBATIONS, is_label_stable
from photo_folds import (
    FOLDS,
    OTHER_CLASSES,
    candidate_labels,
    link_all,
    make_folds,
    senders_by_path,
    train_or_open,
    validation_photos,
)
from PIL import Image, ImageOps

from modiste.errors import InputError
from modiste.imaging import photo_files
from modiste.imaging.preprocess import to_image, to_photo
from modiste.inference import model_file
from modiste.inference.calibration import FLOOR
from modiste.runs import environment, results
from modiste.runs.folder import Run

SEARCH_FOLDS = 4
"""The first folds, on which the recipe was chosen."""

UNSEEN_CLASS_FOLDS = 2
"""Folds in which each of the other classes is left out of training: six more trainings."""

HEATMAP_STEP = 8
"""Heat maps are checked for every eighth photo: each takes about forty forward passes."""

SETS = ("data.synthetic_per_class=100",)
"""Synthetic images for labels without photos and for "none of these"."""


def fold_record(fold: int, run: Run, predictions: PhotoPredictions) -> dict[str, Any]:
    """Return the record of one fold for the results file."""
    return {
        **results.run_record(run),
        "fold": fold,
        "accuracy": float(predictions.is_correct.mean()),
        "loss": float(
            -np.log(predictions.split.true_class_probabilities(predictions.probabilities).clip(FLOOR)).mean()
        ),
        "images": len(predictions.photos),
    }


def none_recall_of_unseen_classes(root: Path, home: Path, changes: Sequence[str]) -> dict[str, Any]:
    """Return the recall of "none of these" for classes unseen in training and in fitting the threshold."""
    recalls: dict[str, Any] = {}
    for name in OTHER_CLASSES:
        folds = []
        for fold, folder in enumerate(list(make_folds(root, home, name))[:UNSEEN_CLASS_FOLDS]):
            run = train_or_open(folder, Run(home / f"run-{fold}-without-{name}"), changes)
            predictions = predict_photos(run, validation_photos(folder))
            is_unseen = predictions.has_class(name)
            fitted = predictions.subset(~is_unseen).fit_precise_calibration()
            folds.append(~is_answered(predictions.subset(is_unseen), fitted))
        is_none = np.concatenate(folds)
        recalls[name] = {"images": len(is_none), "none_recall": float(is_none.mean())}
    return recalls | {"none_recall": fmean(each["none_recall"] for each in recalls.values())}


def none_recall_without_clothes(runs: list[Run], folds: list[PhotoPredictions], paths: list[Path]) -> dict[str, Any]:
    """Return the recall of "none of these" for photos without clothes, at 95 % precision and as exported."""
    pairs = [(predict_photos(run, paths), each) for run, each in zip(runs, other_folds(folds), strict=True)]
    precise = [~is_answered(predictions, each.fit_precise_calibration()) for predictions, each in pairs]
    calibrated = [~is_answered(predictions, each.fit_calibration()) for predictions, each in pairs]
    return {
        "images": len(paths),
        "none_recall": float(np.concatenate(precise).mean()),
        "none_recall_as_shipped": float(np.concatenate(calibrated).mean()),
    }


def label_stability(runs: list[Run], folds: list[PhotoPredictions]) -> dict[str, float]:
    """Return the fraction of photos whose label stays the same after each perturbation."""
    pairs = zip(runs, folds, strict=True)
    stable = [is_label_stable(model_file.load(run.model, 1), fold.photos) for run, fold in pairs]
    return {name: fmean(same for fold in stable for same in fold[name]) for name in PERTURBATIONS}


def check_heat_maps(runs: list[Run], folds: list[PhotoPredictions]) -> dict[str, Any]:
    """Return the fraction of photos whose label depends more on the hottest fifth than on a random fifth."""
    decisive = [
        each
        for run, fold in zip(runs, folds, strict=True)
        for each in is_hottest_decisive(model_file.load(run.model), fold.photos[::HEATMAP_STEP])
    ]
    return {"heat_maps_images": len(decisive), "heat_maps_decisive": fmean(decisive)}


def fashion_mnist_accuracy(paths: list[Path]) -> dict[str, Any]:
    """Return the accuracy of the bundled Fashion-MNIST model on the photos whose class it has.

    The photos are preprocessed as often done (gray, 28 x 28, inverted), and by the steps of Xiao et al. (2017).
    """
    model = model_file.load("fashion-mnist")
    clothes = [path for path in paths if path.parent.name not in OTHER_CLASSES]
    images = {
        "inverted": [resize_and_invert(path) for path in clothes],
        "prepared": [to_image(path, 28, 1) for path in clothes],
    }
    labels = candidate_labels(clothes, model.class_names)
    predicted = {name: model.probabilities(np.stack(each)).argmax(1) for name, each in images.items()}
    rows = np.arange(len(clothes))
    return {"images": len(clothes), **{name: float(labels[rows, each].mean()) for name, each in predicted.items()}}


def resize_and_invert(path: Path) -> NDArray[np.uint8]:
    """Convert a photo to gray, 28 x 28 pixels, and invert it: clothes are light on black if they were dark on white."""
    with Image.open(path) as photo:
        return 255 - np.asarray(ImageOps.exif_transpose(photo).convert("L").resize((28, 28)))


def accuracy_of_own_classes(root: Path, home: Path, changes: Sequence[str]) -> dict[str, Any]:
    """Train on the class folders with their own names and validation/, and return the validation accuracy."""
    run = train_or_open(root, Run(home / "run-as-they-are"), changes)
    return {
        "images": len(validation_photos(root)),
        "accuracy": model_file.load(run.model).scores["validation"]["accuracy"],
    }


def select_readable(paths: list[Path]) -> list[Path]:
    """Return the photos that can be decoded: one that is too small gets no label for that reason alone."""
    readable = []
    for path in paths:
        with suppress(InputError):
            to_photo(path)
            readable.append(path)
    return readable


def main() -> None:
    """Train and evaluate the folds, and write the results file when all of them are finished."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument(
        "--folds", type=int, default=FOLDS, help="number of folds; with fewer than all, nothing is written"
    )
    parser.add_argument("--all", action="store_true", help="only train on all photos; nothing is written")
    parser.add_argument("--no-clothes", type=Path, help="a folder of photos without clothes; required for all folds")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of the recipe")
    parser.add_argument("--home", type=Path, default=Path("runs/photos"), help="folder of the folds and their runs")
    parser.add_argument("--out", type=Path, default=Path("results/photos.json"))
    args = parser.parse_args()
    changes = [*SETS, *args.set]
    if args.all:
        all_changes = [*changes, "data.val_fraction=0"]
        print(train_or_open(link_all(args.photos, args.home), Run(args.home / "run-all"), all_changes).path)
        return
    no_clothes = select_readable(photo_files.find_photos(args.no_clothes).readable) if args.no_clothes else []
    if args.folds >= FOLDS and not no_clothes:  # before hours of training
        parser.error("all folds need --no-clothes FOLDER, a folder of photos without clothes")
    folders = list(make_folds(args.photos, args.home))[: args.folds]
    runs = [train_or_open(folder, Run(args.home / f"run-{fold}"), changes) for fold, folder in enumerate(folders)]
    folds = [predict_photos(run, validation_photos(folder)) for run, folder in zip(runs, folders, strict=True)]
    senders = senders_by_path(args.photos)
    scores = summarize(folds, senders)
    print(json.dumps(scores, indent=2))
    if len(runs) < FOLDS:
        return
    scores |= {
        "untouched_folds": accuracy(concatenate(folds[SEARCH_FOLDS:]), senders),
        "same_class_after": label_stability(runs, folds),
        **check_heat_maps(runs, folds),
        "unseen_classes": none_recall_of_unseen_classes(args.photos, args.home, changes),
        "no_clothes": none_recall_without_clothes(runs, folds, no_clothes),
        "network_of_product_pictures": fashion_mnist_accuracy(concatenate(folds).photos),
        "own_classes": accuracy_of_own_classes(args.photos, args.home, args.set),
        "settings": changes,
        "measured_with": environment.hardware(),
    }
    records = [fold_record(fold, *pair) for fold, pair in enumerate(zip(runs, folds, strict=True))]
    command = timing.current_command()
    results.write(args.out, recipe="photos", command=command, runs=records, split="validation", **scores)
    print(args.out)


if __name__ == "__main__":
    main()
