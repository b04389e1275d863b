"""From a trained network to the one file that is judged and used: ONNX, with its preparation and its facts."""

import copy
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from modiste.errors import SettingError, TrainingError
from modiste.inference import model_file
from modiste.inference.calibration import Calibration
from modiste.models.normalized import NormalizedModel
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.runs import files

TOLERANCE = 1e-4


class Exported(nn.Module):
    """A network as its file has it."""

    def __init__(self, network: NormalizedModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return probabilities float32 [n, labels] for uint8 images."""
        return torch.softmax(self.network(image), dim=1)


def export(
    network: NormalizedModel,
    recipe: Recipe,
    class_names: tuple[str, ...],
    scores: dict[str, Any],
    calibration: Calibration,
    path: Path,
) -> None:
    """Write a network as ONNX: input `image`, uint8 with a free batch size; output `probabilities`.

    Args:
        network: uint8 images -> logits, on the CPU.
        recipe: written into the file, with labels and scores.
        class_names: what the outputs mean.
        scores: what is known of the model, as `{"validation": {...}}`.
        calibration: how its probabilities are to be taken.
        path: where; raises OutputError when it cannot be written.
    """
    model = _onnx(network, recipe)
    facts = {
        "format": model_file.FORMAT,
        "class_names": json.dumps(class_names),
        "image_size": str(recipe.data.image_size),
        "channels": str(recipe.data.channels),
        "recipe": settings.to_json(recipe),
        "scores": json.dumps(scores),
        **calibration.to_metadata(class_names),
    }
    onnx.helper.set_model_props(model, facts)
    files.write_bytes(path, model.SerializeToString())


def require_exportable(network: NormalizedModel, recipe: Recipe) -> None:
    """Raise a SettingError when a network of the user's own cannot become ONNX."""
    try:
        _onnx(copy.deepcopy(network).cpu(), recipe)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's code comes up with
        raise SettingError(
            f"The network {recipe.model.name!r} cannot be written as ONNX ({type(error).__name__}). Use operations "
            "that torch.onnx.export knows."
        ) from None


def check(path: Path, ours: NDArray[np.float32], images: NDArray[np.uint8]) -> None:
    """Refuse a model file that does not say what its network says.

    Args:
        path: the ONNX file.
        ours: float32 [n, labels], the probabilities of the network it was made from.
        images: uint8, what they are of.

    Raises:
        TrainingError: a probability differs by more than 1e-4, or a label where it is no tie.
    """
    theirs = model_file.load(path).probabilities(images)
    gap = float(np.abs(ours - theirs).max())
    top = np.sort(ours, 1)
    tie = top[:, -1] - top[:, -2] < TOLERANCE
    others = int(((ours.argmax(1) != theirs.argmax(1)) & ~tie).sum())
    if not gap <= TOLERANCE or others:  # this way round, a NaN is refused as well
        path.unlink()
        raise TrainingError(
            f"The exported model differs from the trained network ({others} other labels, probabilities by up to "
            f"{gap:.1e}; candidate_labels: 0 and {TOLERANCE:g}). The weights are kept; please report this."
        )


def _onnx(network: NormalizedModel, recipe: Recipe) -> onnx.ModelProto:
    shape = (2, recipe.data.image_size, recipe.data.image_size) + ((3,) if recipe.data.channels == 3 else ())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            Exported(network).eval(),
            (torch.zeros(shape, dtype=torch.uint8),),
            input_names=["image"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            dynamo=True,
            verbose=False,
        )
    return _without_traces(program.model_proto)  # type: ignore[union-attr]  # None only without dynamo


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what the exporter notes at each node and value: stack traces, with paths of the machine it ran on."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
    return model
