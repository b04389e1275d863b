"""A run's model as one file to take away: as it is, or in 8-bit integers, and then judged beside what it came from."""

import os
from dataclasses import dataclass
from pathlib import Path

from modiste.data import sources
from modiste.data.split import Split
from modiste.errors import InputError
from modiste.inference import model as inference
from modiste.runs import files, folder

CALIBRATION = 512
"""Training images that the ranges of an int8 model are taken from."""

COST = 0.01
"""Accuracy that an int8 model may lose; one that loses more is not written."""


@dataclass(frozen=True, slots=True)
class Portable:
    """What was written, and how it does on images of the run's data.

    Args:
        path: the file.
        megabytes: its size, in millions of bytes.
        split: the images it was judged on: those held out, or where nothing was, the first ones it learned from.
        n: how many.
        accuracy: on them.
        before: accuracy of the run's own model on them.
        same: share of them that both call the same.
    """

    path: Path
    megabytes: float
    split: str
    n: int
    accuracy: float
    before: float
    same: float


def export(path: Path, out: Path | None, int8: bool) -> Portable:
    """Write a run's model as one file.

    Args:
        path: the run folder.
        out: the file; left out: the run's name, in the working directory.
        int8: in 8-bit integers.

    Raises:
        InputError: there is no such run or model, something is at `out` already, the data of the run is gone, or the
            int8 model is more than one point less accurate.
    """
    run = folder.open_run(path)
    if not run.model.is_file():
        raise InputError(f"{path} has no model.onnx. Finish its training first: modiste train --resume {path}")
    target = out or Path(f"{run.name}{'-int8' if int8 else ''}.onnx")
    if os.path.lexists(target):
        raise InputError(f"{target} exists already and is not overwritten. Name another with --out, or remove it.")
    recipe = run.recipe()
    data = sources.open_training(recipe.data, recipe.seed)
    judged = data.validation if len(data.validation) else _first(data.train, 10_000)
    content = _int8(run.model, data.train) if int8 else run.model.read_bytes()
    before = inference.load(run.model).probabilities(judged.images).argmax(1)
    after = inference.load(content).probabilities(judged.images).argmax(1)
    found = Portable(
        target,
        len(content) / 1e6,
        judged.name,
        len(judged),
        float(judged.right(after).mean()),
        float(judged.right(before).mean()),
        float((before == after).mean()),
    )
    if found.before - found.accuracy > COST:
        raise InputError(
            f"In 8-bit integers {path} would be right on {found.accuracy:.2%} of {found.n} images instead of "
            f"{found.before:.2%}. Export it without --int8."
        )
    with files.whole(target) as partial:
        partial.write_bytes(content)
    return found


def _int8(model: Path, train: Split) -> bytes:
    from modiste.inference import int8  # here, as a plain copy needs no package onnx

    return int8.quantize(model, _first(train, CALIBRATION).images)


def _first(split: Split, count: int) -> Split:
    allowed = None if split.allowed is None else split.allowed[:count]
    return Split(split.name, split.images[:count], split.labels[:count], allowed)
