"""Evaluate the recipe `photo` by leaving out whole sources of photos, and the people of COLLECTION in folds.

    python benchmarks/generated_photos.py COLLECTION MORE GENERATED
    python benchmarks/photos.py COLLECTION MORE --generated GENERATED --baseline benchmarks/photo-former-recipe.json
    python benchmarks/photos.py COLLECTION MORE --generated GENERATED --only without-bag-phone fold-0  # to make choices
    python benchmarks/photos.py COLLECTION MORE --generated GENERATED --only all                       # to bundle
    python benchmarks/photos.py COLLECTION MORE --timings          # of the bundled model; nothing else may be running

COLLECTION has class folders below train/ and validation/, and senders.csv (file,sender_id). MORE has photos.csv
(file,class,source,group) and shoe-kinds.csv, the kinds of some shoes of COLLECTION. Each source of MORE is left out of
one training. The people of COLLECTION, who also sent the source collection-rest, are divided into five folds; for each
fold a training learns from the other people and all other sources. As soon as a training is finished, what its model
predicts for the photos that were left out is written to benchmarks/measurements/; when the command is repeated, here or
on another machine, trainings that have such a file are not run again. At the end it writes results/photos.json, to
which --timings adds its section.
"""

import argparse
import signal
from pathlib import Path
from typing import Any

import numpy as np
import timing
from evaluate_photos import score_stability, summarize
from numpy.typing import NDArray
from photo_measurements import Measurement, measure, read
from photo_predictions import PhotoPredictions, concatenate, split_sources
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
from modiste.runs import files, results

COMPUTE = ("compute.threads=1", "compute.precision=bf16")
"""Of each training, also of the baseline, so that they differ in nothing else."""

SETS = ("data.sampling=balanced",)
"""Settings beyond the recipe: the sources of photos differ much in size."""


def training_record(measurement: Measurement) -> dict[str, Any]:
    """Return the record of a training for the results file; without scores where nothing was left out."""
    predictions = measurement.predictions
    if not predictions.photos:
        return measurement.record
    likelihoods = predictions.split.true_class_probabilities(predictions.probabilities).clip(FLOOR)
    accuracy, loss = float(predictions.is_correct.mean()), float(-np.log(likelihoods).mean())
    return {**measurement.record, "accuracy": accuracy, "loss": loss, "images": len(predictions.photos)}


def shipped_calibration(parts: list[PhotoPredictions]) -> dict[str, Any]:
    """Return temperature, threshold and label groups for the bundled model, fitted on all left-out photos."""
    pooled = concatenate(parts)
    fitted = pooled.fit_calibration()
    return {
        "temperature": fitted.temperature,
        "threshold": fitted.threshold,
        "label_groups": [[pooled.class_names[label] for label in group] for group in fitted.label_groups],
    }


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


def summarize_baseline(recipe: str, everything: Measurement, *folds: Measurement) -> dict[str, Any]:
    """Return the scores of the baseline, of which one training predicts all left-out sources."""
    parts = [*split_sources(everything.predictions), *(fold.predictions for fold in folds)]
    return {"recipe": recipe, **summarize(parts)}


def summarize_all(measurements: list[Measurement], baseline: list[Measurement]) -> dict[str, Any]:
    """Return all scores that follow from the measurements of the trainings and of the baseline, and their records."""
    left_out = [each for each in measurements if each.predictions.photos]
    is_decisive = np.concatenate([each.is_hottest_decisive for each in left_out])
    parts = [each.predictions for each in left_out]
    return {
        "runs": [training_record(each) for each in (*measurements, *baseline)],
        **summarize(parts),
        "calibration": shipped_calibration(parts),
        **score_stability(left_out),
        "heat_maps_images": len(is_decisive),
        "heat_maps_decisive": float(is_decisive.mean()),
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
    parser.add_argument("--measurements", type=Path, default=Path("benchmarks/measurements"), help="of each training")
    parser.add_argument("--out", type=Path, default=Path("results/photos.json"))
    args = parser.parse_args()
    if args.limit:
        args.out, args.measurements = args.home / "photos.json", args.home / "measurements"
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
    planned = trainings + baseline
    selected = select_trainings(planned, args.only) if args.only else planned
    measure_all(selected, args.home, args.jobs, args.measurements)
    if args.only:
        return
    measured, measured_baseline = (
        [read(measurement_file(args.measurements, each), each) for each in group] for group in (trainings, baseline)
    )
    results.write(
        args.out,
        recipe="photos",
        command=timing.current_command(),
        split="validation",
        settings=[*SETS, *args.set],
        **summarize_all(measured, measured_baseline),
        network_of_product_pictures=fashion_mnist_accuracy(photos),
        baseline=summarize_baseline(args.baseline, *measured_baseline) if baseline else None,
    )
    print(args.out)


def measure_all(trainings: list[Training], home: Path, jobs: int, folder: Path) -> None:
    """Train what is neither measured nor trained, and write a file to `folder` for what is not measured."""
    paths = {each.name: measurement_file(folder, each) for each in trainings}
    for training in train_all([each for each in trainings if not paths[each.name].exists()], home, jobs):
        files.make_folder(folder)
        measure(training, home).write(paths[training.name], training)
    for training in trainings:
        predictions = read(paths[training.name], training).predictions
        if predictions.photos:
            print(f"{training.name}: {predictions.is_correct.mean():.1%} of {len(predictions.photos)} photos")


def measurement_file(folder: Path, training: Training) -> Path:
    """Return the file of a training."""
    return folder / f"{training.name}.npz"


def select_trainings(trainings: list[Training], names: list[str]) -> list[Training]:
    """Return the trainings of these names; SystemExit for one that there is not."""
    by_name = {training.name: training for training in trainings}
    if unknown := [name for name in names if name not in by_name]:
        raise SystemExit(f"There is no training {unknown[0]!r}. There are: {', '.join(by_name)}.")
    return [by_name[name] for name in names]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that its trainings end with it
    main()
