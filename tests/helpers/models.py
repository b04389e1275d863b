"""Tiny ONNX models for tests, in the form that `modiste train` writes."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def tiny_model(
    labels: tuple[str, ...] = ("dark", "bright"),
    size: int = 28,
    channels: int = 1,
    weights: np.ndarray | None = None,
    metadata: Mapping[str, str | None] | None = None,
    outside: dict[str, str] | None = None,
) -> bytes:
    """A linear model: the mean brightness decides, more of it for later labels.

    Args:
        labels: names of the outputs.
        size: pixels a side.
        channels: 1 or 3.
        weights: float32 [size * size * channels, outputs], in place of those of brightness.
        metadata: keys in place of the usual ones; None leaves one out.
        outside: external data of the weights, in place of the weights.
    """
    values = size * size * channels
    if weights is None:
        weights = np.tile(np.linspace(-1, 1, len(labels), dtype=np.float32) / (100 * values), (values, 1))
    shape: list[Any] = ["n", size, size] + ([3] if channels == 3 else [])
    nodes = [
        helper.make_node("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["numbers", "middle"], ["centered"]),
        helper.make_node("Flatten", ["centered"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", weights.shape[1]])],
        [numpy_helper.from_array(np.float32(127.5), "middle"), _weights(weights, outside)],
    )
    for node in graph.node:
        node.name = node.op_type  # the quantizer calls them by name
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    usual = {
        "format": "modiste-2",
        "class_names": json.dumps(labels),
        "image_size": str(size),
        "channels": str(channels),
    }
    merged = usual | {"recipe": "{}"} | (metadata or {})
    helper.set_model_props(model, {key: value for key, value in merged.items() if value is not None})
    return bytes(model.SerializeToString())


def _weights(weights: np.ndarray, outside: dict[str, str] | None) -> TensorProto:
    tensor: TensorProto = numpy_helper.from_array(weights.astype(np.float32), "weights")
    if outside is not None:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in outside.items():
            tensor.external_data.add(key=key, value=value)
    return tensor
