"""Export of a run's model as one file: a copy, or quantized to 8-bit integers and evaluated beside the original."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modiste.data import sources
from modiste.data.split import Split, TrainingData
from modiste.errors import InputError
from modiste.inference import model_file
from modiste.metrics import calibration
from modiste.recipes import settings
from modiste.runs import files, folder, run_info
from modiste.runs.folder import Run

CALIBRATION_IMAGES = 512  # of training, which set the ranges of an int8 model
MAX_TRAIN_IMAGES = 10_000  # that an int8 model is evaluated on where nothing was held out
MAX_ACCURACY_LOSS = 0.01  # of an int8 model; one that loses more is not written


@dataclass(frozen=True, slots=True)
class Int8Evaluation:
    """An int8 model on `n` images of its run's validation or train split, beside the model that it was made from.

    `agreement` is the share of the images for which both predict the same class.
    """

    split: str
    n: int
    accuracy: float
    original_accuracy: float
    agreement: float


def export(path: Path, out: Path | None, int8: bool, data_source: str = "") -> tuple[Path, Int8Evaluation | None]:
    """Write a run's model as one file; return its path and, for 8-bit integers, the evaluation.

    Args:
        path: the run folder.
        out: the file; None is the run's name, with -int8 for such a model, in the current folder.
        int8: quantize to 8-bit integers.
        data_source: folder of the run's data, for int8; empty is where the recipe says.

    Raises:
        InputError: there is no such run or model, the model is damaged, `out` exists, or for int8: the data is missing
            or has changed, or the model loses more than one point of accuracy.
        OutputError: the file cannot be written.
    """
    run = folder.open_run(path)
    folder.require_model(run)
    target = out or Path(f"{run.name}{'-int8' if int8 else ''}.onnx")
    if os.path.lexists(target):
        raise InputError(f"{target} exists already and is not overwritten. Name another with --out, or remove it.")
    if not target.parent.is_dir():
        raise InputError(f"The folder {target.parent} does not exist. Make it first, or name another with --out.")
    model_file.load(run.model)  # a damaged or outdated one is not copied
    content, evaluation = _quantize(run, data_source) if int8 else (run.model.read_bytes(), None)
    files.write_bytes(target, content)
    return target, evaluation


def _quantize(run: Run, data_source: str) -> tuple[bytes, Int8Evaluation]:
    """Quantize and evaluate a run's model; scores and calibration in the metadata are those of the int8 model."""
    from modiste.export import int8  # here, as a plain copy needs no package onnx

    data = _open_data(run, data_source)
    split = data.validation if len(data.validation) else _first(data.train, MAX_TRAIN_IMAGES)
    content = int8.quantize(run.model, data.train.images[:CALIBRATION_IMAGES])
    original = model_file.load(run.model)
    probabilities = model_file.load(content).probabilities(split.images)
    evaluation = _evaluate(split, probabilities, original.probabilities(split.images))
    if evaluation.original_accuracy - evaluation.accuracy > MAX_ACCURACY_LOSS:
        raise InputError(
            f"In 8-bit integers {run.path} is correct on {evaluation.accuracy:.2%} of {evaluation.n} images instead "
            f"of {evaluation.original_accuracy:.2%}. Export it without --int8."
        )
    scores = {evaluation.split: {"n": evaluation.n, "accuracy": evaluation.accuracy}}
    metadata = {"precision": "int8", "scores": json.dumps(scores)}
    if len(data.validation):
        label_groups = original.calibration.label_groups
        fitted = calibration.fit_calibration(probabilities, split, original.class_names, label_groups)
        metadata |= fitted.to_metadata(original.class_names)
    return int8.with_metadata(content, metadata), evaluation


def _evaluate(split: Split, probabilities: NDArray[np.float32], original: NDArray[np.float32]) -> Int8Evaluation:
    predicted, expected = probabilities.argmax(1), original.argmax(1)
    return Int8Evaluation(
        split.name,
        len(split),
        float(split.is_correct(predicted).mean()),
        float(split.is_correct(expected).mean()),
        float((predicted == expected).mean()),
    )


def _open_data(run: Run, data_source: str) -> TrainingData:
    """Open the data of a run; raise an InputError unless it has the images that the run was trained with."""
    recipe = run.recipe()
    if data_source:
        recipe = settings.with_settings(recipe, {"data.source": data_source})
    data, recorded = sources.open_training(recipe.data, recipe.seed), run_info.read(run).sha256
    splits = {split.name: split.sha256() for split in (data.train, data.validation)}
    if any(recorded.get(name, sha256) != sha256 for name, sha256 in splits.items()):
        raise InputError(f"The data of {run.path} has changed since its training. Restore it, or name it with --data.")
    return data


def _first(split: Split, count: int) -> Split:
    candidate_labels = None if split.candidate_labels is None else split.candidate_labels[:count]
    return Split(split.name, split.images[:count], split.labels[:count], candidate_labels)
