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
from modiste.inference.outliers import COUNT, OutlierDetector

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


def live(name: str, *sides: int) -> list[NodeProto]:
    """Return operators that make a tensor of a shape from the classes, so that it is not made with the session."""
    sizes = numpy_helper.from_array(shape(*sides))
    return [
        helper.make_node("ReduceMax", ["logits"], [f"{name}-value"], keepdims=0),
        helper.make_node("Constant", [], [f"{name}-shape"], value=sizes),
        helper.make_node("Expand", [f"{name}-value", f"{name}-shape"], [name]),
    ]


def in_another_order(parts: int, size: int) -> bytes:
    """Return a model whose tensors are used one after the other as listed, and all at once as the runtime runs it."""
    nodes: list[NodeProto] = []
    for part in (f"x{index}" for index in range(parts)):
        reduced = [helper.make_node(f"Reduce{kind}", [part], [f"{part}{kind}"], keepdims=0) for kind in ("Max", "Min")]
        nodes += [*live(part, size), *reduced]
    sums = [helper.make_node("Sum", [f"x{index}{kind}" for index in range(parts)], [kind]) for kind in ("Max", "Min")]
    return bomb(*nodes, *sums, node("Add", "Max", "Min"))


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
    "channels in blocks": lambda: bomb(
        *live("x", 1, 1, 2500, 2500), node("Conv", "x", "w", pads=[1] * 4), w=np.ones((1, 1, 3, 3), np.float32)
    ),
    "windows of a convolution": lambda: bomb(
        *live("x", 1, 3, 600, 600), node("Conv", "x", "w", pads=[10] * 4), w=np.ones((1, 3, 21, 21), np.float32)
    ),
    "windows of four dimensions": lambda: bomb(
        *live("x", 1, 3, 14, 14, 14, 14),
        node("Conv", "x", "w", pads=[3] * 8),
        w=np.ones((1, 3, 7, 7, 7, 7), np.float32),
    ),
    "resized along one axis": lambda: bomb(
        *live("x", 1, 1, 100_000, 2),
        node("Resize", "x", "", "", "s", antialias=1, mode="linear"),
        s=shape(1, 1, 2, 100_000),
    ),
    "all at once in another order": lambda: in_another_order(parts=12, size=2**24),
    "constants that are made with the session": lambda: bomb(
        *(helper.make_node("ConstantOfShape", ["s"], [f"c{index}"]) for index in range(12)),
        *(helper.make_node("ReduceMax", [f"c{index}"], [f"r{index}"], keepdims=0) for index in range(12)),
        node("Sum", *(f"r{index}" for index in range(12))),
        s=shape(2**24),
    ),
    "a tensor that is read many times": lambda: bomb(
        *live("x", 5000, 5000),
        *(helper.make_node("ReduceMax", ["x"], [f"r{index}"], axes=[index % 2], keepdims=0) for index in range(5000)),
        node("Sum", *(f"r{index}" for index in range(5000))),
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
    "LRN": lambda: bomb(node("LRN", "logits", size=40_001)),
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


LARGEST: dict[str, Callable[[], bytes]] = {
    "another order": lambda: in_another_order(parts=3, size=2**24),
    "channels in blocks": lambda: bomb(
        *live("x", 1, 1, 1000, 1000), node("Conv", "x", "w", pads=[1] * 4), w=np.ones((1, 1, 3, 3), np.float32)
    ),
    "integers of 64 bits": lambda: bomb(
        *live("x", 2**23),
        helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64),
        helper.make_node("Greater", ["i", "zero"], ["is"]),
        helper.make_node("Where", ["is", "i", "zero"], ["j"]),
        node("Cast", "j", to=TensorProto.FLOAT),
        zero=np.int64(0),
    ),
    "values and positions": lambda: bomb(
        *live("x", 2**23), helper.make_node("TopK", ["x", "k"], ["bomb", "positions"]), k=shape(2**23)
    ),
}
"""Graphs that are about as large as is allowed."""


@pytest.mark.parametrize("kind", LARGEST)
def test_fault_38_what_is_run_takes_at_most_a_gigabyte(kind: str) -> None:
    """In the order in which the runtime runs it, with the copies that its operators make."""
    model = model_file.load(LARGEST[kind](), threads=1)
    assert peak_growth(lambda: model.probabilities(np.zeros((1, 28, 28), np.uint8))) < 1024 * MEGABYTE


def test_fault_38_texts_are_not_computed() -> None:
    """Each takes many times the memory and time of a number."""
    texts = helper.make_node("Cast", ["logits"], ["texts"], to=TensorProto.STRING)
    with pytest.raises(InputError, match="Cast gives something else than numbers"):
        model_file.load(bomb(texts, node("Cast", "texts", to=TensorProto.FLOAT)))


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


def with_outliers(classes: int, means: int) -> bytes:
    """Return a model of so many classes with statistics of so many."""
    detector = OutlierDetector(np.zeros((means, COUNT)), np.zeros((means, COUNT, COUNT)), 1.0, 0.9)
    return tiny_model(tuple(f"class {index}" for index in range(classes)), metadata=detector.to_metadata())


@pytest.mark.parametrize("means", [1, 3, 20_000])
def test_fault_38_statistics_of_outliers_are_those_of_the_classes(means: int) -> None:
    """Otherwise a file decides how much each image takes; of far too many, the text is not even read."""
    content = with_outliers(2, means)

    def load() -> None:
        with pytest.raises(InputError, match="invalid metadata"):
            model_file.load(content, threads=1)

    load()
    assert peak_growth(load) < 5 * len(content) + 20 * MEGABYTE


def test_fault_38_statistics_of_many_classes_take_little_memory() -> None:
    """Of one class at a time."""
    model = model_file.load(with_outliers(1000, 1000), threads=1)
    assert model.outliers
    images = np.zeros((1024, 28, 28), np.uint8)
    assert peak_growth(lambda: model.outliers and model.outliers.is_outlier(images)) < 100 * MEGABYTE


def test_fault_38_long_metadata_is_refused() -> None:
    """A list of short texts takes many times as much memory as its JSON."""
    with pytest.raises(InputError, match="invalid metadata"):
        model_file.load(tiny_model(metadata={"class_names": json.dumps([str(index) for index in range(10**6)])}))
