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
    external_data: dict[str, str] | None = None,
) -> bytes:
    """A linear model; a higher mean brightness gives later classes.

    Args:
        labels: class names.
        size: pixels a side.
        channels: 1 or 3.
        weights: float32 [size * size * channels, classes]; None for the mean brightness.
        metadata: values that replace the default ones; None removes a key.
        external_data: keys and values of external data that replace the weights.
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
        [numpy_helper.from_array(np.float32(127.5), "middle"), _weights(weights, external_data)],
    )
    for node in graph.node:
        node.name = node.op_type  # the quantizer calls them by name
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    defaults = {
        "format": "modiste-2",
        "class_names": json.dumps(labels),
        "image_size": str(size),
        "channels": str(channels),
    }
    merged = defaults | {"recipe": "{}"} | (metadata or {})
    helper.set_model_props(model, {key: value for key, value in merged.items() if value is not None})
    return bytes(model.SerializeToString())


def _weights(weights: np.ndarray, external_data: dict[str, str] | None) -> TensorProto:
    tensor: TensorProto = numpy_helper.from_array(weights.astype(np.float32), "weights")
    if external_data is not None:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in external_data.items():
            tensor.external_data.add(key=key, value=value)
    return tensor
