"""Read the graph of an ONNX file (onnx.proto3) without the package onnx, as far as the check of a model needs it.

Fields that occur several times are read as the protocol prescribes: the last number or text counts, messages are
merged, lists are continued. What ONNX allows but no classifier of images needs is refused.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modiste.inference.protobuf import Fields, as_signed, read_fields

FLOAT, UINT8, INT32, INT64, STRING, BOOL = 1, 2, 6, 7, 8, 9
"""TensorProto.DataType."""

RAW_TYPES = {FLOAT: "<f4", UINT8: "u1", INT32: "<i4", INT64: "<i8", BOOL: "u1"}

MAX_VALUES = 4096
"""Elements of a tensor whose values are read: enough for every shape."""

MAX_VALUES_PER_BYTE = 4
"""The smallest data type has 2 bits."""

ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_STRING, ATTRIBUTE_TENSOR = 1, 2, 3, 4
ATTRIBUTE_FLOATS, ATTRIBUTE_INTS, ATTRIBUTE_STRINGS = 6, 7, 8
"""AttributeProto.AttributeType; the others hold graphs and sparse tensors."""


class UnsafeGraph(ValueError):
    """A graph that is not run; the message says why."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """The shape of a tensor, and what is known of it if it is small: `values` of integers, `factors` of floats."""

    shape: tuple[int, ...]
    values: NDArray[np.int64] | None = None
    factors: NDArray[np.float32] | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Node:
    """An operator with its attributes: numbers, lists of integers, texts and tensors; others are None."""

    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, int | list[int] | str | Tensor | None]

    def integer(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise UnsafeGraph(f"{name} of {self.op} is not an integer")
        return value

    def numbers(self, name: str) -> list[int] | None:
        """Return a list of integers, or None where the attribute is missing."""
        value = self.attributes.get(name)
        if value is not None and not isinstance(value, list):
            raise UnsafeGraph(f"{name} of {self.op} is not a list of integers")
        return value

    def text(self, name: str, default: str) -> str:
        """Return a text."""
        return str(self.attributes.get(name, default))


@dataclass(frozen=True, slots=True)
class Graph:
    """The nodes in their order, the tensors in the file, and the shapes of the inputs; 0 is a dimension without one."""

    nodes: list[Node]
    initializers: dict[str, Tensor]
    inputs: dict[str, tuple[int, ...]]
    outputs: list[str]
    opset: int


def read_graph(content: bytes) -> Graph:
    """Read the graph of a model file.

    Raises:
        UnsafeGraph: it has functions, graphs within nodes, training steps, sparse tensors or texts as tensors, or a
            tensor with more elements than bytes.
        ValueError: the content is not a protocol buffer.
    """
    model = read_fields(memoryview(content))
    if model.has(20) or model.has(25):
        raise UnsafeGraph("it has functions or training steps")
    graph = model.message(7)
    if graph.has(15):
        raise UnsafeGraph("it has sparse tensors")
    opsets = {opset.text(1): opset.integer(2) for opset in model.messages(8)}
    initializers: dict[str, Tensor] = {}
    for message in graph.messages(5):
        name = message.text(8)
        if name in initializers:
            raise UnsafeGraph(f"it has two tensors of the name {name!r}")
        initializers[name] = _read_tensor(message)
    inputs = {each.text(1): _read_input_shape(each) for each in graph.messages(11)}
    return Graph(
        [_read_node(node) for node in graph.messages(1)],
        initializers,
        {name: shape for name, shape in inputs.items() if name not in initializers},
        [each.text(1) for each in graph.messages(12)],
        opsets.get("", opsets.get("ai.onnx", 0)),
    )


def _read_input_shape(message: Fields) -> tuple[int, ...]:
    """Return the dimensions of a ValueInfoProto of a tensor; 0 for one that has a name or nothing."""
    dimensions = message.message(2).message(1).message(2).messages(1)
    return tuple(as_signed(dimension.integer(1)) for dimension in dimensions)


def _read_node(message: Fields) -> Node:
    if message.text(8):
        raise UnsafeGraph("it has functions")
    attributes: dict[str, int | list[int] | str | Tensor | None] = {}
    for attribute in message.messages(5):
        name = attribute.text(1)
        if name in attributes:
            raise UnsafeGraph(f"a node has two attributes {name!r}")
        attributes[name] = _read_attribute(attribute)
    return Node(message.text(4), message.text(7), message.texts(1), message.texts(2), attributes)


def _read_attribute(message: Fields) -> int | list[int] | str | Tensor | None:
    kind = message.integer(20)
    if kind == ATTRIBUTE_INT:
        return as_signed(message.integer(3))
    if kind == ATTRIBUTE_INTS:
        return message.integers(8)
    if kind == ATTRIBUTE_STRING:
        return message.text(4)
    if kind == ATTRIBUTE_TENSOR:
        return _read_tensor(message.message(5))
    if kind in (ATTRIBUTE_FLOAT, ATTRIBUTE_FLOATS, ATTRIBUTE_STRINGS):
        return None
    raise UnsafeGraph("a node has a graph within it, or an attribute of an unknown type")


def _read_tensor(message: Fields) -> Tensor:
    shape, kind, raw = tuple(message.integers(1)), message.integer(2), message.bytes(9)
    if kind == STRING:
        raise UnsafeGraph("it has a tensor of texts")
    if min(shape, default=0) < 0 or math.prod(shape) > MAX_VALUES_PER_BYTE * message.length:
        raise UnsafeGraph("a tensor has more elements than the file has values for")
    if math.prod(shape) > MAX_VALUES or kind not in RAW_TYPES:
        return Tensor(shape)
    typed = message.bytes(4) if kind == FLOAT else message.bytes(7 if kind == INT64 else 5)
    if raw and typed:
        raise UnsafeGraph("a tensor has its values twice")
    if raw or kind == FLOAT:
        values = np.frombuffer(raw or typed, RAW_TYPES[kind])
    else:
        values = np.array(message.integers(7 if kind == INT64 else 5), np.int64)
    if len(values) != math.prod(shape):
        raise UnsafeGraph("a tensor has another number of elements than values")
    if kind != FLOAT and ((values != values.astype(RAW_TYPES[kind])) | ((kind == BOOL) & (values > 1))).any():
        raise UnsafeGraph("a tensor has a value beyond its type")
    if kind == FLOAT:
        return Tensor(shape, factors=values.astype(np.float32).reshape(shape))
    return Tensor(shape, values.astype(np.int64).reshape(shape))
