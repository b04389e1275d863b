"""What the model of each training predicts for the photos that the training left out, in one file per training.

These files are part of the repository: the scores of results/photos.json are computed from them, and a training whose
file is there is not run again.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from heatmap_check import is_hottest_decisive
from perturbations import PERTURBATIONS
from photo_predictions import Floats, Mask, PhotoPredictions
from photo_sets import GENERATED, Photo
from photo_trainings import Training
from PIL import Image, ImageOps

from modiste.inference import model_file
from modiste.recipes import settings
from modiste.runs import files, results

HEATMAP_STEP = 8
"""Heat maps are checked for every eighth photo: each takes about forty forward passes."""


@dataclass(frozen=True)
class Measurement:
    """What the model of a training predicts for the photos that the training left out.

    Args:
        record: of the training, for the results file.
        predictions: for the photos as they are; none for a training on all photos.
        perturbed: probabilities for the perturbed photos, [perturbations, n, labels]; none of the baseline.
        is_hottest_decisive: whether the heat maps of some photos are right, bool [m].
    """

    record: dict[str, Any]
    predictions: PhotoPredictions
    perturbed: Floats
    is_hottest_decisive: Mask

    def write(self, path: Path, training: Training) -> None:
        """Write the file of a training."""
        content = {"record": self.record, "training": describe(training), "class_names": self.predictions.class_names}
        with files.atomic_write(path) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file,
                content=np.array(json.dumps(content | {"photos": describe_photos(self.predictions.photos)})),
                probabilities=self.predictions.probabilities.astype(np.float32),
                perturbed=self.perturbed.astype(np.float32),
                is_hottest_decisive=self.is_hottest_decisive,
            )


def measure(training: Training, home: Path) -> Measurement:
    """Predict the photos that a finished training left out, with its model on one thread."""
    run, photos = training.run(home), training.left_out
    model = model_file.load(run.model, 1)
    perturbations = [] if training.is_baseline else list(PERTURBATIONS.values())
    views = np.zeros((1 + len(perturbations), len(photos), len(model.class_names)))
    for row, photo in enumerate(photos):
        upright = open_photo(photo.path)
        perturbed = [perturb(upright) for perturb in perturbations]
        images = [model.preprocess(view)[1] for view in (photo.path, *perturbed)]
        views[:, row] = model.probabilities(np.stack(images))
    checked = [] if training.is_baseline else photos[::HEATMAP_STEP]
    is_decisive = is_hottest_decisive(model, [photo.path for photo in checked])
    record = {"recipe": training.name, **results.run_record(run)}
    predictions = PhotoPredictions(photos, views[0], model.class_names)
    return Measurement(record, predictions, views[1:], np.array(is_decisive, bool))


def read(path: Path, training: Training | None = None) -> Measurement:
    """Read the file of a training.

    Raises:
        SystemExit: it is of a training with other settings or photos than those of `training`.
    """
    with np.load(path) as file:
        arrays = dict(file)
    content = json.loads(str(arrays["content"]))
    if training and not is_same(content, training):
        raise SystemExit(f"{path} is of other settings or photos. Remove it, or use another --measurements.")
    photos = training.left_out if training else [Photo(Path(name), *row) for name, *row in content["photos"]]
    probabilities, perturbed = (arrays[name].astype(np.float64) for name in ("probabilities", "perturbed"))
    predictions = PhotoPredictions(photos, probabilities, tuple(content["class_names"]))
    return Measurement(content["record"], predictions, perturbed, arrays["is_hottest_decisive"])


def is_same(content: dict[str, Any], training: Training) -> bool:
    """Return whether the content of a file is of a training with these settings and photos."""
    described = describe(training)
    recipe = settings.from_json(content["training"].pop("recipe"), training.name)
    is_of_recipe = recipe == settings.from_json(described.pop("recipe"), training.name)
    return is_of_recipe and content["training"] == described and content["photos"] == describe_photos(training.left_out)


def describe(training: Training) -> dict[str, Any]:
    """Return the settings of a training, and the number and a digest of the photos that it learns from."""
    names = [photo_name(photo) for photo in training.train]
    return {
        "recipe": settings.to_json(training.resolve_recipe()),
        "photos": len(names),
        "sha256": hashlib.sha256("\n".join(names).encode()).hexdigest(),
    }


def describe_photos(photos: list[Photo]) -> list[list[str]]:
    """Return name, class, source, group and kind of each photo."""
    return [[photo_name(photo), photo.class_name, photo.source, photo.group, photo.kind] for photo in photos]


def photo_name(photo: Photo) -> str:
    """Return the path of a photo below its set, which has three parts, or of a generated one."""
    return "/".join(photo.path.parts[-3:]) if photo.source != GENERATED else photo.path.name


def open_photo(path: Path) -> Image.Image:
    """Open a photo and turn it upright."""
    with Image.open(path) as photo:
        return ImageOps.exif_transpose(photo).convert("RGB")
