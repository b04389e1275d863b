"""Evaluate the recipe `photo` by leaving out whole sources of photos, and the people of COLLECTION in folds.

    python benchmarks/generated_photos.py COLLECTION MORE GENERATED
    python benchmarks/photos.py COLLECTION MORE --generated GENERATED --baseline benchmarks/photo-former-recipe.json
    python benchmarks/photos.py COLLECTION MORE --generated GENERATED --only without-bag-phone fold-0  # to make choices
    python benchmarks/photos.py COLLECTION MORE --generated GENERATED --only all                       # to bundle
    python benchmarks/photos.py COLLECTION MORE --timings          # of the bundled model; nothing else may be running

COLLECTION has class folders below train/ and validation/, and senders.csv (file,sender_id). MORE has photos.csv
(file,class,source,group) and shoe-kinds.csv, the kinds of some shoes of COLLECTION. Each source of MORE is left out of
one training. The people of COLLECTION, who also sent the source collection-rest, are divided into five folds; for each
fold a training learns from the other people and all other sources. When the command is repeated, finished trainings
are not run again. It writes results/photos.json, to which --timings adds its section.
"""

import argparse
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import timing
from evaluate_photos import summarize
from heatmap_check import is_hottest_decisive
from numpy.typing import NDArray
from perturbations import is_label_stable
from photo_predictions import PhotoPredictions, concatenate, fit_on_others, predict_left_out, split_sources
from photo_sets import (
    COLLECTION,
    OTHER_CLASSES,
    Photo,
    candidate_labels,
    limit_photos,
    read_generated,
    read_photos,
    without_kinds,
)
from photo_timings import add_timings
from photo_trainings import Training, plan_baseline, plan_trainings, train_all
from PIL import Image, ImageOps

from modiste.imaging.preprocess import to_image
from modiste.inference import model_file
from modiste.inference.calibration import FLOOR
from modiste.inference.model import Model
from modiste.runs import results
from modiste.runs.folder import Run

HEATMAP_STEP = 8
"""Heat maps are checked for every eighth photo: each takes about forty forward passes."""

COMPUTE = ("compute.threads=1", "compute.precision=bf16")
"""Of each training, also of the baseline, so that they differ in nothing else."""

SETS = ("data.sampling=balanced",)
"""Settings beyond the recipe: the sources of photos differ much in size."""

Parts = dict[str, PhotoPredictions]
"""The photos that were left out, by the training that predicts them."""


def training_record(training: Training, home: Path, predictions: PhotoPredictions | None) -> dict[str, Any]:
    """Return the record of a training for the results file; without scores where nothing was left out."""
    record = {"recipe": training.name, **results.run_record(training.run(home))}
    if predictions is None:
        return record
    likelihoods = predictions.split.true_class_probabilities(predictions.probabilities).clip(FLOOR)
    accuracy, loss = float(predictions.is_correct.mean()), float(-np.log(likelihoods).mean())
    return {**record, "accuracy": accuracy, "loss": loss, "images": len(predictions.photos)}


def shipped_calibration(parts: Parts) -> dict[str, Any]:
    """Return temperature, threshold and label groups for the bundled model, fitted on all left-out photos."""
    pooled = concatenate(list(parts.values()))
    fitted = pooled.fit_calibration()
    return {
        "temperature": fitted.temperature,
        "threshold": fitted.threshold,
        "label_groups": [[pooled.class_names[label] for label in group] for group in fitted.label_groups],
    }


def calibrated_models(parts: Parts, home: Path) -> Iterator[tuple[Model, PhotoPredictions]]:
    """Yield the model that predicts each part, with the calibration that is fitted on the others, on one thread."""
    for (name, part), fitted in zip(parts.items(), fit_on_others(list(parts.values())), strict=True):
        yield replace(model_file.load(Run(home / name).model, 1), calibration=fitted), part


def label_stability(parts: Parts, home: Path) -> dict[str, Any]:
    """Return the fraction of photos whose label stays the same after each perturbation, for both photo sets."""
    stable: dict[str, dict[str, list[bool]]] = {}
    for model, part in calibrated_models(parts, home):
        of_set = stable.setdefault("folds" if part.photos[0].is_of_collection else "left_out_sources", {})
        for name, is_same in is_label_stable(model, [photo.path for photo in part.photos]).items():
            of_set.setdefault(name, []).extend(is_same)
    return {
        key: {"images": len(of_set["mirror"]), **{name: fmean(is_same) for name, is_same in of_set.items()}}
        for key, of_set in stable.items()
    }


def check_heat_maps(parts: Parts, home: Path) -> dict[str, Any]:
    """Return the fraction of photos whose label depends more on the hottest fifth than on a random fifth."""
    decisive = [
        each
        for model, part in calibrated_models(parts, home)
        for each in is_hottest_decisive(model, [photo.path for photo in part.photos[::HEATMAP_STEP]])
    ]
    return {"heat_maps_images": len(decisive), "heat_maps_decisive": fmean(decisive)}


def fashion_mnist_accuracy(photos: list[Photo]) -> dict[str, Any]:
    """Return the accuracy of the bundled Fashion-MNIST model on the photos of COLLECTION whose class it has.

    The photos are preprocessed as often done (gray, 28 x 28, inverted), and by the steps of Xiao et al. (2017).
    """
    model = model_file.load("fashion-mnist")
    clothes = [photo for photo in photos if photo.source == COLLECTION and photo.class_name not in OTHER_CLASSES]
    images = {
        "inverted": [resize_and_invert(photo.path) for photo in clothes],
        "prepared": [to_image(photo.path, 28, 1) for photo in clothes],
    }
    labels = candidate_labels(without_kinds(clothes), model.class_names)
    predicted = {name: model.probabilities(np.stack(each)).argmax(1) for name, each in images.items()}
    rows = np.arange(len(clothes))
    return {"images": len(clothes), **{name: float(labels[rows, each].mean()) for name, each in predicted.items()}}


def resize_and_invert(path: Path) -> NDArray[np.uint8]:
    """Convert a photo to gray, 28 x 28 pixels, and invert it: clothes are light on black if they were dark on white."""
    with Image.open(path) as photo:
        return 255 - np.asarray(ImageOps.exif_transpose(photo).convert("L").resize((28, 28)))


def summarize_baseline(predictions: Parts) -> dict[str, Any]:
    """Return the scores of the baseline; one training predicts all left-out sources."""
    everything, *folds = predictions.values()
    return summarize([*split_sources(everything), *folds])


def measure(trainings: list[Training], baseline: list[Training], photos: list[Photo], home: Path) -> dict[str, Any]:
    """Return all measurements of finished trainings, and a record of each."""
    parts, baseline_parts = predict_left_out(trainings, home), predict_left_out(baseline, home)
    records = [training_record(each, home, (parts | baseline_parts).get(each.name)) for each in trainings + baseline]
    return {
        "runs": records,
        **summarize(list(parts.values())),
        "calibration": shipped_calibration(parts),
        "same_class_after": label_stability(parts, home),
        **check_heat_maps(parts, home),
        "network_of_product_pictures": fashion_mnist_accuracy(photos),
        "baseline": {"recipe": baseline[0].recipe, **summarize_baseline(baseline_parts)} if baseline else None,
    }


def parse_arguments() -> argparse.Namespace:
    """Parse the command line; without all photos nothing is written to results/."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("collection", type=Path)
    parser.add_argument("more", type=Path)
    parser.add_argument("--home", type=Path, default=Path("runs/photos"), help="folder of the runs and their data")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of the recipe")
    parser.add_argument("--generated", type=Path, help="folder of generated_photos.py, to train on as well")
    parser.add_argument("--baseline", default="", metavar="RECIPE", help="another recipe, on COLLECTION alone")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at the same time, each on one thread")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these trainings; their accuracy is printed")
    parser.add_argument("--timings", action="store_true", help="measure speed alone; nothing else may be running")
    parser.add_argument("--limit", type=int, default=0, help="photos per class and source, to try the command")
    parser.add_argument("--out", type=Path, default=Path("results/photos.json"))
    args = parser.parse_args()
    if args.limit:
        args.out = args.home / "photos.json"
    return args


def main() -> None:
    """Train what is not finished, and write the results file when everything is."""
    args = parse_arguments()
    if args.timings:
        add_timings(args.out, args.collection, args.home)
        return
    photos = limit_photos(read_photos(args.collection, args.more), args.limit)
    generated = read_generated(args.generated, photos, args.collection, args.more) if args.generated else []
    trainings = plan_trainings(photos, (*COMPUTE, *SETS, *args.set), generated)
    baseline = plan_baseline(photos, COMPUTE, args.baseline) if args.baseline else []
    if args.only:
        selected = select_trainings(trainings + baseline, args.only)
        train_all(selected, args.home, args.jobs)
        for name, predictions in predict_left_out(selected, args.home).items():
            print(f"{name}: {predictions.is_correct.mean():.1%} of {len(predictions.photos)} photos")
        return
    train_all(trainings + baseline, args.home, args.jobs)
    scores = measure(trainings, baseline, photos, args.home)
    results.write(
        args.out,
        recipe="photos",
        command=timing.current_command(),
        split="validation",
        settings=[*SETS, *args.set],
        **scores,
    )
    print(args.out)


def select_trainings(trainings: list[Training], names: list[str]) -> list[Training]:
    """Return the trainings of these names; SystemExit for one that there is not."""
    by_name = {training.name: training for training in trainings}
    if unknown := [name for name in names if name not in by_name]:
        raise SystemExit(f"There is no training {unknown[0]!r}. There are: {', '.join(by_name)}.")
    return [by_name[name] for name in names]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that its trainings end with it
    main()
