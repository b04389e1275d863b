"""Model files that would take the memory, the time or the names of whoever opens them (faults 25 and 38)."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from helpers.memory import MEGABYTE, peak_growth
from helpers.models import tiny_model
from modiste.errors import InputError
from modiste.inference import model_file, onnx_safety, session

GIGA = 10**9


def bomb(*nodes: NodeProto, **tensors: np.ndarray) -> bytes:
    """Return a valid model whose classes depend on more nodes: the output `bomb` of the last of these is added."""
    model = ModelProto.FromString(tiny_model())
    softmax = model.graph.node.pop()
    reduce = helper.make_node("ReduceMax", ["bomb"], ["most"], keepdims=0)
    add = helper.make_node("Add", ["logits", "most"], ["sum"])
    softmax.input[0] = "sum"
    model.graph.node.extend([*nodes, reduce, add, softmax])
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in tensors.items())
    return bytes(model.SerializeToString())


def node(op: str, *inputs: str, **attributes: object) -> NodeProto:
    """Return an operator whose output is the bomb."""
    return helper.make_node(op, list(inputs), ["bomb"], **attributes)


def shape(*sides: int) -> np.ndarray:
    """Return a shape as a tensor."""
    return np.array(sides, np.int64)


ONE = np.ones((1, 1, 1, 1), np.float32)

MEMORY: dict[str, Callable[[], bytes]] = {
    "ConstantOfShape": lambda: bomb(node("ConstantOfShape", "s"), s=shape(125, 100, GIGA // 1000)),
    "Expand": lambda: bomb(node("Expand", "x", "s"), x=ONE, s=shape(12, GIGA, 1, 1)),
    "Tile": lambda: bomb(node("Tile", "x", "s"), x=ONE, s=shape(12, 1000, 1000, 1000)),
    "Range": lambda: bomb(node("Range", "a", "b", "c"), a=np.int64(0), b=np.int64(6 * GIGA), c=np.int64(1)),
    "Pad": lambda: bomb(node("Pad", "x", "p"), x=ONE, p=shape(*[50_000] * 8)),
    "Resize": lambda: bomb(node("Resize", "x", "", "f"), x=ONE, f=np.array([1, 1, 1e5, 1e5], np.float32)),
    "Conv": lambda: bomb(node("Conv", "x", "x", pads=[60_000] * 4), x=ONE),
    "broadcast": lambda: bomb(
        node("Mul", "x", "y"), x=np.ones((100_000, 1), np.float32), y=np.ones((1, 100_000), np.float32)
    ),
    "outer product": lambda: bomb(
        node("MatMul", "x", "y"), x=np.ones((100_000, 1), np.float32), y=np.ones((1, 100_000), np.float32)
    ),
    "of the batch": lambda: bomb(
        helper.make_node("Transpose", ["flat"], ["turned"]),
        helper.make_node("Expand", ["turned", "s"], ["large"]),
        node("MatMul", "large", "flat"),
        s=shape(4000, 1, 1),
    ),
    "many at once": lambda: bomb(
        *(helper.make_node("ConstantOfShape", ["s"], [f"c{index}"]) for index in range(40)),
        node("Concat", *(f"c{index}" for index in range(40)), axis=0),
        s=shape(16, 1_000_000),
    ),
    "a shape that the graph computes": lambda: bomb(
        helper.make_node("Shape", ["image"], ["a"]),
        helper.make_node("Mul", ["a", "k"], ["b"]),
        node("ConstantOfShape", "b"),
        k=shape(20, 20, 20),
    ),
    "a shape that depends on the pixels": lambda: bomb(
        helper.make_node("Cast", ["logits"], ["a"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["a", "s"], ["b"]),
        node("ConstantOfShape", "b"),
        s=shape(-1),
    ),
    "a shape of several steps": lambda: bomb(
        helper.make_node("Mul", ["k", "k"], ["b"]),
        helper.make_node("Concat", ["b", "b", "b"], ["c"], axis=0),
        node("ConstantOfShape", "c"),
        k=shape(200),
    ),
}


def body() -> object:
    """Return the graph within a loop or a branch."""
    info = helper.make_tensor_value_info
    inputs = [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("v", TensorProto.FLOAT, [1])]
    return helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["v"], ["w"])],
        "body",
        inputs,
        [info("d", TensorProto.BOOL, []), info("w", TensorProto.FLOAT, [1])],
    )


def with_function() -> bytes:
    """Return a model with a function of its own."""
    model = ModelProto.FromString(tiny_model())
    inner = helper.make_node("Identity", ["x"], ["y"])
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "f", ["x"], ["y"], [inner], opset))
    return bytes(model.SerializeToString())


OPERATORS: dict[str, Callable[[], bytes]] = {
    "Loop": lambda: bomb(
        node("Loop", "n", "t", "x", body=body()), n=np.int64(2**62), t=np.bool_(True), x=np.ones(1, np.float32)
    ),
    "If": lambda: bomb(node("If", "t", then_branch=body(), else_branch=body()), t=np.bool_(True)),
    "Scan": lambda: bomb(node("Scan", "x", "x", body=body(), num_scan_inputs=1), x=np.ones(1, np.float32)),
    "NonZero": lambda: bomb(node("NonZero", "logits")),
    "custom": lambda: bomb(node("Inverse", "logits", domain="com.microsoft")),
    "function": with_function,
}


@pytest.mark.parametrize("kind", MEMORY)
def test_fault_38_a_graph_that_takes_much_memory_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a session is made, and without its memory."""
    content = MEMORY[kind]()
    assert len(content) < MEGABYTE
    monkeypatch.setattr(session.onnxruntime, "InferenceSession", None)  # it would be called in vain

    def load() -> None:
        with pytest.raises(InputError, match=r"is not run: .*(too much memory|cannot be computed|negative size)"):
            model_file.load(content)

    load()
    assert peak_growth(load) < 20 * MEGABYTE


@pytest.mark.parametrize("kind", OPERATORS)
def test_fault_38_loops_branches_and_custom_operators_are_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a session is made."""
    monkeypatch.setattr(session.onnxruntime, "InferenceSession", None)
    with pytest.raises(InputError, match=r"is not run: it has (the operator|functions)|a graph within it"):
        model_file.load(OPERATORS[kind]())


def test_fault_38_a_matrix_product_that_never_ends_is_refused() -> None:
    """Its memory is small, its time is not."""
    steps = [helper.make_node("MatMul", [f"m{step}", "x"], [f"m{step + 1}"]) for step in range(5_000)]
    content = bomb(
        helper.make_node("Expand", ["one", "s"], ["x"]),
        helper.make_node("Identity", ["x"], ["m0"]),
        *steps,
        node("Identity", "m5000"),
        one=np.ones((1, 1), np.float32),
        s=shape(1000, 1000),
    )
    with pytest.raises(InputError, match="too much memory or time"):
        model_file.load(content)


def test_fault_38_images_of_any_size_are_refused() -> None:
    """A model decides how large an image it is given."""
    with pytest.raises(InputError, match="more than 1024 pixels"):
        model_file.load(tiny_model(size=2000, weights=np.zeros((1, 2), np.float32)))


def test_fault_38_a_tensor_has_as_many_elements_as_values() -> None:
    """A declared size alone takes no memory."""
    model = ModelProto.FromString(tiny_model())
    model.graph.initializer[1].dims[0] = 50 * GIGA
    with pytest.raises(InputError, match="more elements than the file has values for"):
        model_file.load(model.SerializeToString())


@pytest.mark.parametrize("name", ["\ud800", "a\nb", "a\u202eb", "a\u2066b", "a\x1b[31mb"])
def test_fault_38_texts_of_the_metadata_are_escaped(name: str) -> None:
    """A class name is one line of valid Unicode, which no terminal and no page shows in another order."""
    model = model_file.load(tiny_model(labels=("a", name)))
    (prediction,) = model.predict([np.full((28, 28), 255, np.uint8)], top=2)
    assert {label for label, _ in prediction.top} == {"a", model.class_names[1]}
    assert model.class_names[1].isprintable()
    json.dumps(model.class_names, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("names", [["a", "a"], ["a\n", "a\x00"], ["a", ""], ["a", "x" * 1000]])
def test_fault_38_class_names_are_distinct_and_short(names: list[str]) -> None:
    """As they are keys of metrics and columns of files."""
    with pytest.raises(InputError, match="invalid metadata"):
        model_file.load(tiny_model(labels=("a", "b"), metadata={"class_names": json.dumps(names)}))


def test_fault_38_what_is_checked_is_what_is_run() -> None:
    """A batch has as many images as the check assumes."""
    shapes = ((28, 28), (96, 96, 3), (224, 224, 3), (1024, 1024, 3))
    assert [onnx_safety.batch_size(each) for each in shapes] == [192, 5, 1, 1]
