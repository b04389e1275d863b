"""From a trained network to the one file that is evaluated and used: ONNX, with preprocessing and metadata."""

import copy
import json
import warnings
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from modiste.errors import InputError, SettingError, TrainingError
from modiste.inference import model_file, onnx_safety
from modiste.inference.calibration import Calibration
from modiste.inference.onnx_graph import UnsafeGraph, read_graph
from modiste.models.normalized import NormalizedModel
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe, Settings
from modiste.runs import files

TOLERANCE = 1e-4
"""Largest difference of a probability between PyTorch and ONNX Runtime, but for `MAX_OUTLIERS`."""

OUTLIER_TOLERANCE, MAX_OUTLIERS = 1e-3, 0.05
"""Largest difference in a share of the images, one at least. A network that was trained on gray images from ImageNet's
weights has channels that are nearly constant, which its batch norm enlarges together with the rounding errors."""


def to_onnx(
    network: NormalizedModel,
    recipe: Recipe,
    class_names: tuple[str, ...],
    scores: dict[str, Any],
    calibration: Calibration,
    is_on_black: bool = True,
) -> bytes:
    """Return the content of a model file: input `image`, uint8 [n, ...] with free n; output `probabilities`.

    The network must be on the CPU. All else goes into the metadata; scores are by split, as `{"validation":
    {"accuracy": 0.93}}`; `is_on_black` is that of the training images, see `preprocess.is_on_black`.
    """
    model = _export(network, recipe)
    metadata = {
        "format": model_file.FORMAT,
        "class_names": json.dumps(class_names),
        "image_size": str(recipe.data.image_size),
        "channels": str(recipe.data.channels),
        "resize_mode": recipe.data.resize_mode,
        "recipe": settings.to_json(without_paths(recipe)),
        "scores": json.dumps(scores),
        **calibration.to_metadata(class_names),
        "tta_threshold": repr(recipe.model.tta_threshold),
        "tta_crop": repr(recipe.model.tta_crop),
        **({} if is_on_black else {"background": "other"}),
    }
    onnx.helper.set_model_props(model, metadata)
    return bytes(model.SerializeToString())


def without_paths(recipe: Recipe) -> Recipe:
    """Return the recipe with the names of its data, weights and teachers instead of paths on this machine."""
    data = recipe.data
    paths = (data.source, data.corrections, recipe.model.weights, *recipe.distillation.teachers)
    source, corrections, weights, *teachers = (path and Path(path).resolve().name for path in paths)
    changes: Settings = {"data.source": source, "data.corrections": corrections}
    changes |= {"model.weights": weights, "distillation.teachers": teachers}
    return settings.with_settings(recipe, changes)


def write_verified(path: Path, content: bytes, probabilities: NDArray[np.float32], images: NDArray[np.uint8]) -> None:
    """Write a model file that is read back and verified before it gets its name; raises as `verify`, or OutputError."""
    with files.atomic_write(path) as partial:
        partial.write_bytes(content)
        verify(partial.read_bytes(), probabilities, images)


def verify(content: bytes, probabilities: NDArray[np.float32], images: NDArray[np.uint8]) -> None:
    """Compare a model file with the network that it was exported from, by its probabilities [n, k] of these images.

    Test-time augmentation below a threshold is left out: one more or one less image may be below it.

    Raises:
        TrainingError: a probability is not a number or differs by more than 0.001, or by more than 0.0001 in more than
            5 % of the images, or a prediction differs where there is no tie.
    """
    try:
        exported = replace(model_file.load(content), tta_threshold=0.0).probabilities(images)
    except InputError as error:
        raise TrainingError(f"The exported model cannot be used: {error} Please report this.") from None
    differences = np.abs(probabilities - exported).max(1)
    outliers = int((differences > TOLERANCE).sum())
    top = np.sort(probabilities, 1)
    tie = top[:, -1] - top[:, -2] < OUTLIER_TOLERANCE
    mismatches = int(((probabilities.argmax(1) != exported.argmax(1)) & ~tie).sum())
    is_close = differences.max() <= OUTLIER_TOLERANCE and outliers <= max(1, MAX_OUTLIERS * len(images))
    if not is_close or mismatches:  # a NaN is not close
        raise TrainingError(
            f"The exported model differs from the trained network: {mismatches} other predictions, and probabilities "
            f"by up to {differences.max():.1e}, by more than {TOLERANCE:g} in {outliers} of {len(images)} images. The "
            "weights are kept; please report this."
        )


def require_exportable(network: NormalizedModel, recipe: Recipe) -> None:
    """Raise a SettingError when a custom network cannot be exported to ONNX, or has operators that are not run."""
    try:
        content = _export(copy.deepcopy(network).cpu(), recipe).SerializeToString()
        onnx_safety.require_safe(read_graph(content))
    except UnsafeGraph as error:
        raise SettingError(f"The network {recipe.model.name!r} is not run as ONNX: {error}. Use others.") from None
    except Exception as error:  # noqa: BLE001 - a custom network may raise anything
        raise SettingError(
            f"The network {recipe.model.name!r} cannot be written as ONNX ({type(error).__name__}). Use operations "
            "that torch.onnx.export supports."
        ) from None


def _export(network: NormalizedModel, recipe: Recipe) -> onnx.ModelProto:
    shape = (2, recipe.data.image_size, recipe.data.image_size) + ((3,) if recipe.data.channels == 3 else ())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            nn.Sequential(OrderedDict(network=network, softmax=nn.Softmax(1))).eval(),
            (torch.zeros(shape, dtype=torch.uint8),),
            input_names=["image"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            dynamo=True,
            verbose=False,
        )
    model: onnx.ModelProto = program.model_proto  # type: ignore[union-attr]  # None only without dynamo
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")  # the exporter's stack traces, with paths of this machine
    return model
