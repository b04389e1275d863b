"""The shapes and the values of shapes that are computed before a model is run are those of the runtime."""

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from helpers.memory import MEGABYTE, peak_growth
from helpers.models import tiny_model
from modiste.errors import InputError
from modiste.inference import model_file, onnx_safety
from modiste.inference.onnx_graph import Tensor, UnsafeGraph, read_graph

node = helper.make_node
Case = tuple[list[NodeProto], dict[str, np.ndarray]]


def floats(*shape: int) -> np.ndarray:
    """Return a tensor of a shape."""
    return np.zeros(shape, np.float32)


def integers(*values: int) -> np.ndarray:
    """Return a tensor of values."""
    return np.array(values, np.int64)


def resized(factor: float, **attributes: object) -> Case:
    """Return a Resize of 10 x 30 pixels."""
    return [node("Resize", ["x", "", "f"], ["out"], **attributes)], {
        "x": floats(1, 1, 10, 30),
        "f": np.array([1, 1, factor, factor], np.float32),
    }


def pooled(kind: str, side: int, **attributes: object) -> Case:
    """Return a pooling with `ceil_mode`."""
    return [node(kind, ["x"], ["out"], ceil_mode=1, **attributes)], {"x": floats(1, 1, side, side)}


ALIKE: dict[str, Case] = {
    "a cast to booleans": (
        [node("Cast", ["x"], ["b"], to=TensorProto.BOOL), node("Cast", ["b"], ["out"], to=TensorProto.INT64)],
        {"x": integers(200, 0)},
    ),
    "a squeeze without axes": ([node("Squeeze", ["x"], ["out"])], {"x": floats(1, 5, 1)}),
    "a squeeze of no axes": ([node("Squeeze", ["x", "a"], ["out"])], {"x": floats(1, 5, 1), "a": integers()}),
    "a factor that does not divide": resized(1.19),
    "a factor near an integer": resized(2.9999),
    "a product of some axes": (
        [node("ReduceProd", ["x", "a"], ["out"], keepdims=0)],
        {"x": integers(3, 7).reshape(2, 1), "a": integers(1)},
    ),
    "a product of all axes": ([node("ReduceProd", ["x"], ["out"], keepdims=0)], {"x": integers(3, 7)}),
    "a slope that is larger": ([node("PRelu", ["x", "s"], ["out"])], {"x": floats(3, 1), "s": floats(3, 2)}),
    "a pooling of an odd side": pooled("MaxPool", 9, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "a pooling of an even side": pooled("AveragePool", 8, kernel_shape=[3, 3], strides=[2, 2]),
    "a slice backwards": (
        [node("Slice", ["x", "s", "e", "a", "t"], ["out"])],
        {"x": integers(*range(9)), "s": integers(-1), "e": integers(-100), "a": integers(0), "t": integers(-2)},
    ),
    "a division towards 0": ([node("Div", ["x", "y"], ["out"])], {"x": integers(-7, 7), "y": integers(2, -2)}),
}

REFUSED: dict[str, Case] = {
    "a kept aspect ratio": (
        [node("Resize", ["x", "", "", "s"], ["out"], mode="nearest", keep_aspect_ratio_policy="not_smaller")],
        {"x": floats(1, 1, 10, 1), "s": integers(1, 1, 10, 100)},
    ),
    "a window beyond the image": pooled("MaxPool", 9, kernel_shape=[2, 2], strides=[3, 3]),
    "parts of two sizes": ([node("Split", ["x"], ["out", "y"], num_outputs=2)], {"x": floats(5, 2)}),
    "outputs of two shapes": (
        [node("LayerNormalization", ["x", "s"], ["y", "out"])],
        {"x": floats(5, 2), "s": floats(2)},
    ),
}


def model_of(case: Case) -> bytes:
    """Return a model of these nodes and constants."""
    nodes, constants = case
    graph = helper.make_graph(
        nodes,
        "case",
        [],
        [helper.make_empty_tensor_value_info("out")],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    )


def inferred(content: bytes) -> Tensor:
    """Return the shape of the output `out` by our rules."""
    graph = read_graph(content)
    tensors = dict(graph.initializers)
    for each in graph.nodes:
        tensors[each.outputs[0]] = onnx_safety.RULES[each.op](each, [tensors.get(name) for name in each.inputs])
    return tensors["out"]


@pytest.mark.parametrize("name", ALIKE)
def test_a_shape_is_that_of_the_runtime(name: str) -> None:
    """And its values, where they are known (fault 38)."""
    content = model_of(ALIKE[name])
    onnx_safety.require_safe(read_graph(content))
    (expected,) = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(["out"], {})
    tensor = inferred(content)
    assert tensor.shape == expected.shape
    assert tensor.values is None or (tensor.values == expected).all()


@pytest.mark.parametrize("name", REFUSED)
def test_a_shape_that_is_not_exact_is_refused(name: str) -> None:
    """A bound is not enough: a difference of shapes may be larger than that of their bounds (fault 38)."""
    with pytest.raises(UnsafeGraph):
        onnx_safety.require_safe(read_graph(model_of(REFUSED[name])))


@pytest.mark.parametrize(("kind", "value"), [(TensorProto.BOOL, 5), (TensorProto.UINT8, 300)])
def test_a_value_beyond_its_type_is_refused(kind: int, value: int) -> None:
    """The runtime would read another one (fault 38)."""
    graph = helper.make_graph([], "case", [], [], [TensorProto(name="x", dims=[1], data_type=kind, int32_data=[value])])
    with pytest.raises(UnsafeGraph, match="beyond its type"):
        read_graph(helper.make_model(graph).SerializeToString())


def test_each_number_of_images_is_checked() -> None:
    """What is small for a whole batch may be large for one image (fault 38)."""
    model = ModelProto.FromString(tiny_model())
    softmax = model.graph.node.pop()
    softmax.input[0] = "sum"
    nodes = [
        node("Shape", ["image"], ["n"], end=1),
        node("Sub", ["limit", "n"], ["rest"]),
        node("Concat", ["rest"] * 4, ["sides"], axis=0),
        node("ConstantOfShape", ["sides"], ["large"]),
        node("ReduceMax", ["large"], ["most"], keepdims=0),
        node("Add", ["logits", "most"], ["sum"]),
    ]
    model.graph.node.extend([*nodes, softmax])
    model.graph.initializer.append(numpy_helper.from_array(integers(193), "limit"))
    loaded = model_file.load(model.SerializeToString(), threads=1)
    assert loaded.probabilities(np.zeros((192, 28, 28), np.uint8)).shape == (192, 2)

    def predict() -> None:
        with pytest.raises(InputError, match="failed on 100 images"):
            loaded.probabilities(np.zeros((100, 28, 28), np.uint8))

    assert peak_growth(predict) < 20 * MEGABYTE
