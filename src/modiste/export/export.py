"""A run's model as one file to take away: as it is, or in 8-bit integers, and then judged beside what it came from."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from modiste.data import sources
from modiste.data.split import Split
from modiste.errors import InputError
from modiste.inference import model_file
from modiste.metrics import calibration
from modiste.reporting.evaluate import require_unchanged
from modiste.runs import files, folder
from modiste.runs.folder import Run

CALIBRATION = 512
"""Training images that the ranges of an int8 model are taken from."""

JUDGED = 10_000
"""Training images that it is judged on where nothing was held out."""

COST = 0.01
"""Accuracy that an int8 model may lose; one that loses more is not written."""


@dataclass(frozen=True, slots=True)
class Portable:
    """What was written.

    Args:
        path: the file.
        megabytes: its size, in millions of bytes.
        judged: of an int8 model, how it does; a copy does what its original does.
    """

    path: Path
    megabytes: float
    judged: "Judged | None" = None


@dataclass(frozen=True, slots=True)
class Judged:
    """How an int8 model does on images of its run's data.

    Args:
        split: the images: those held out, or where nothing was, the first ones that it learned from.
        n: how many.
        accuracy: on them.
        before: accuracy of the run's own model on them.
        same: share of them that both call the same.
    """

    split: str
    n: int
    accuracy: float
    before: float
    same: float


def export(path: Path, out: Path | None, int8: bool) -> Portable:
    """Write a run's model as one file.

    Args:
        path: the run folder.
        out: the file; left out: the run's name, with -int8 for such a model, in the working directory.
        int8: in 8-bit integers.

    Raises:
        InputError: there is no such run or model, something is at `out` already, or for int8: the data of the run is
            gone or changed, or the model is more than one point less accurate.
    """
    run = folder.open_run(path)
    folder.require_model(run)
    target = out or Path(f"{run.name}{'-int8' if int8 else ''}.onnx")
    if os.path.lexists(target):
        raise InputError(f"{target} exists already and is not overwritten. Name another with --out, or remove it.")
    if not target.parent.is_dir():
        raise InputError(f"The folder {target.parent} does not exist. Make it first, or name another with --out.")
    content, judged = _int8(run) if int8 else (run.model.read_bytes(), None)
    files.write_bytes(target, content)
    return Portable(target, len(content) / 1e6, judged)


def _int8(run: Run) -> tuple[bytes, Judged]:
    """Quantize a run's model and judge it; scores and calibration in its metadata are its own."""
    from modiste.export import int8  # here, as a plain copy needs no package onnx

    recipe = run.recipe()
    data = sources.open_training(recipe.data, recipe.seed)
    if len(data.validation):
        require_unchanged(run, data.validation)
    images = data.validation if len(data.validation) else _first(data.train, JUDGED)
    quantized = int8.quantize(run.model, _first(data.train, CALIBRATION).images)
    original = model_file.load(run.model)
    before, after = (model.probabilities(images.images) for model in (original, model_file.load(quantized)))
    said = after.argmax(1)
    judged = Judged(
        images.name,
        len(images),
        float(images.is_correct(said).mean()),
        float(images.is_correct(before.argmax(1)).mean()),
        float((before.argmax(1) == said).mean()),
    )
    if judged.before - judged.accuracy > COST:
        raise InputError(
            f"In 8-bit integers {run.path} would be right on {judged.accuracy:.2%} of {judged.n} images instead of "
            f"{judged.before:.2%}. Export it without --int8."
        )
    facts = {"precision": "int8", "scores": json.dumps({judged.split: {"n": judged.n, "accuracy": judged.accuracy}})}
    if len(data.validation):
        fitted = calibration.fit_calibration(after, images, original.class_names, original.calibration.label_groups)
        facts |= fitted.to_metadata(original.class_names)
    return int8.with_facts(quantized, facts), judged


def _first(split: Split, count: int) -> Split:
    candidate_labels = None if split.candidate_labels is None else split.candidate_labels[:count]
    return Split(split.name, split.images[:count], split.labels[:count], candidate_labels)
