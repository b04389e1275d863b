"""A model in 8-bit integers, by the runtime's own quantizer: a quarter of the size.

The quantizer needs the package onnx, so it is here and not beside the rest of the runtime.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static  # type: ignore[import-untyped]
from onnxruntime.quantization.shape_inference import quant_pre_process  # type: ignore[import-untyped]

BATCH = 32


def quantize(model: Path, images: NDArray[np.uint8], symmetric: bool = False) -> bytes:
    """Return the content of the model in 8-bit integers, its metadata with it.

    Args:
        model: an .onnx file that modiste wrote.
        images: uint8, as the model takes them; the ranges of the activations are those that these have.
        symmetric: activations are signed and weights have all 8 bits, for processors with 8-bit dot products; without,
            weights keep to 7 bits, as the runtime advises, so that nothing overflows in others.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared, made = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(model, prepared, skip_symbolic_shape=True)  # which cannot follow a free batch size
        nodes = onnx.load_model(prepared).graph.node
        quantize_static(
            prepared,
            made,
            _Images(images),
            per_channel=True,
            reduce_range=not symmetric,
            activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # in 256 steps, what is improbable would be impossible
            nodes_to_exclude=[node.name for node in nodes if node.op_type == "Softmax"],
        )
        return made.read_bytes()


def with_facts(model: bytes, facts: dict[str, str]) -> bytes:
    """Return a model file's content with some of its metadata changed."""
    changed = onnx.load_model_from_string(model)
    known = {each.key: each.value for each in changed.metadata_props}
    onnx.helper.set_model_props(changed, known | facts)
    return bytes(changed.SerializeToString())


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Hands the images out in batches, as the quantizer asks for them."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        starts = range(0, len(images), BATCH)
        self.batches: Iterator[NDArray[np.uint8]] = iter([images[start : start + BATCH] for start in starts])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self.batches, None)
        return None if batch is None else {"image": batch}
