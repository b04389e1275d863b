"""The exact shape of what each operator of an ONNX graph gives: numbers, without running the graph.

Operators that are not listed here are not run: loops and branches, custom ones, and all that no classifier of images
needs. Values that decide shapes (of Shape, Gather, Concat, ...) are computed, too; they are few integers.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from modiste.inference.onnx_graph import (
    BOOL,
    FLOAT,
    INT64,
    MAX_VALUES,
    RAW_TYPES,
    STRING,
    UINT8,
    Node,
    Tensor,
    UnsafeGraph,
)

Inputs = Sequence[Tensor | None]
Rule = Callable[[Node, Inputs], Tensor]
Integers = NDArray[np.int64]

NUMBERS = frozenset({*range(FLOAT, STRING), *range(BOOL, 14), 16})
"""Data types of at most 8 bytes, into which numbers are cast."""

MAX_VALUE = 2**31
"""Of a computed integer; so none overflows, whatever its type."""

UNCHANGED = (
    "Abs", "BatchNormalization", "Celu", "Ceil", "Clip", "Cos", "CumSum", "DequantizeLinear", "Dropout", "Elu",
    "Erf", "Exp", "Floor", "Gelu", "GroupNormalization", "HardSigmoid", "HardSwish", "Hardmax",
    "InstanceNormalization", "IsInf", "IsNaN", "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax",
    "LpNormalization", "MeanVarianceNormalization", "Mish", "Neg", "Not", "QuantizeLinear",
    "RMSNormalization", "Reciprocal", "Relu", "Round", "ScatterElements", "ScatterND", "Selu", "Sigmoid", "Sign",
    "Sin", "Softmax", "Softplus", "Softsign", "Sqrt", "Swish", "Tanh", "ThresholdedRelu", "Trilu",
)  # fmt: skip
BROADCAST = (
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod",
    "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor",
)  # fmt: skip
REDUCE = (
    "ArgMax", "ArgMin", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
)  # fmt: skip


def _divide(first: Integers, second: Integers) -> Integers:
    """Divide integers as ONNX does: towards 0."""
    if not second.all():
        raise UnsafeGraph("it divides a shape by 0")
    return np.asarray(np.sign(first) * np.sign(second) * (np.abs(first) // np.abs(second)), np.int64)


def _where(condition: Integers, first: Integers, second: Integers) -> Integers:
    return np.asarray(np.where(condition != 0, first, second), np.int64)


ARITHMETIC: dict[str, Callable[..., Integers]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
    "Min": np.minimum,
    "Max": np.maximum,
    "Equal": lambda first, second: (first == second).astype(np.int64),
    "Where": _where,
}


def make_tensor(shape: Sequence[int], values: Integers | None = None) -> Tensor:
    """Return a tensor of a shape; with its values if these are few and small."""
    shape = tuple(int(side) for side in shape)
    if min(shape, default=0) < 0:
        raise UnsafeGraph("it has a tensor of a negative size")
    is_read = values is not None and values.size <= MAX_VALUES
    if values is None or not is_read or (values.size and np.abs(values).max() >= MAX_VALUE):
        return Tensor(shape)
    return Tensor(shape, values.reshape(shape))


def required(inputs: Inputs, index: int) -> Tensor:
    """Return an input that an operator must have."""
    tensor = inputs[index] if index < len(inputs) else None
    if tensor is None:
        raise UnsafeGraph("an operator lacks an input")
    return tensor


def integers(node: Node, inputs: Inputs, index: int, name: str = "") -> list[int] | None:
    """Return a list of integers that an operator takes as an input, or did as an attribute; None where it has neither.

    Raises:
        UnsafeGraph: they depend on the pixels.
    """
    tensor = inputs[index] if 0 <= index < len(inputs) else None
    if tensor is None:
        return node.numbers(name) if name else None
    if tensor.values is None or len(tensor.shape) > 1:
        raise UnsafeGraph(f"a shape in {node.op} cannot be computed before it is run")
    return [int(value) for value in tensor.values.reshape(-1)]


def normalize_axis(axis: int, rank: int) -> int:
    """Return an axis as counted from the first, of those of a tensor with so many."""
    if not -rank <= axis < max(rank, 1):
        raise UnsafeGraph("an axis does not exist")
    return axis % rank if rank else 0


def _unchanged(node: Node, inputs: Inputs) -> Tensor:
    return Tensor(required(inputs, 0).shape)


def _identity(node: Node, inputs: Inputs) -> Tensor:
    tensor = required(inputs, 0)
    kind, values = INT64 if node.op == "Identity" else node.integer("to", FLOAT), tensor.values
    if kind not in NUMBERS:
        raise UnsafeGraph("Cast gives something else than numbers")
    if values is None or kind == FLOAT or kind not in RAW_TYPES:
        return Tensor(tensor.shape)
    if kind == BOOL:
        values = (values != 0).astype(np.int64)
    is_unknown = kind == UINT8 and ((values < 0) | (values > 255)).any()
    return make_tensor(tensor.shape, None if is_unknown else values)


def _broadcast(node: Node, inputs: Inputs) -> Tensor:
    tensors = [required(inputs, index) for index in range(len(inputs))]
    shape = np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    values = [tensor.values for tensor in tensors if tensor.values is not None]
    if node.op in ARITHMETIC and len(values) == len(tensors) == (3 if node.op == "Where" else 2):
        return make_tensor(shape, ARITHMETIC[node.op](*values) if math.prod(shape) <= MAX_VALUES else None)
    return make_tensor(shape)


def _reduce(node: Node, inputs: Inputs) -> Tensor:
    tensor = required(inputs, 0)
    rank = len(tensor.shape)
    is_arg = node.op.startswith("Arg")
    axes = [node.integer("axis", 0)] if is_arg else integers(node, inputs, 1, "axes")
    if not axes:
        axes = [] if node.integer("noop_with_empty_axes", 0) else list(range(rank))
    reduced = {normalize_axis(axis, rank) for axis in axes}
    if node.integer("keepdims", 1):
        shape = [1 if axis in reduced else side for axis, side in enumerate(tensor.shape)]
    else:
        shape = [side for axis, side in enumerate(tensor.shape) if axis not in reduced]
    if node.op == "ReduceProd" and tensor.values is not None and len(reduced) == rank:
        product = math.prod(int(value) for value in tensor.values.reshape(-1))
        return make_tensor(shape, np.full(shape, product, np.int64)) if abs(product) < MAX_VALUE else make_tensor(shape)
    return make_tensor(shape)


def _gemm(node: Node, inputs: Inputs) -> Tensor:
    first, second = required(inputs, 0).shape, required(inputs, 1).shape
    if len(first) != 2 or len(second) != 2:
        raise UnsafeGraph("Gemm takes matrices")
    rows = first[1] if node.integer("transA", 0) else first[0]
    return make_tensor([rows, second[0] if node.integer("transB", 0) else second[1]])


def _matmul(node: Node, inputs: Inputs) -> Tensor:
    first, second = required(inputs, 0).shape, required(inputs, 1).shape
    if not first or not second:
        raise UnsafeGraph("MatMul takes matrices")
    batch = np.broadcast_shapes(first[:-2], second[:-2])
    return make_tensor([*batch, *first[-2:-1], *(second[-1:] if len(second) > 1 else ())])


def _window(node: Node, inputs: Inputs) -> Tensor:
    """Return the shape of a convolution or of a pooling."""
    shape = required(inputs, 0).shape
    if node.op == "Conv":
        weights = required(inputs, 1).shape
        channels, kernel = weights[0], list(weights[2:])
        kernel = node.numbers("kernel_shape") or kernel
    else:
        channels, kernel = shape[1], node.numbers("kernel_shape") or []
    rank = len(shape) - 2
    strides, dilations = node.numbers("strides") or [1] * rank, node.numbers("dilations") or [1] * rank
    is_ceil = node.integer("ceil_mode", 0)
    pads, mode = node.numbers("pads") or [0] * (2 * rank), node.text("auto_pad", "NOTSET")
    parameters = (*kernel, *strides, *dilations, *pads)
    if rank < 1 or {len(kernel), len(strides), len(dilations), len(pads) / 2} != {rank} or min(parameters) < 0:
        raise UnsafeGraph(f"{node.op} has a window of another rank, or a negative one")
    if 0 in (*kernel, *strides, *dilations):
        raise UnsafeGraph(f"{node.op} has an empty window")
    sides = []
    for axis, side in enumerate(shape[2:]):
        extent = dilations[axis] * (kernel[axis] - 1) + 1
        padded = side + (pads[axis] + pads[rank + axis] if mode == "NOTSET" else 0)
        steps = (padded - extent) / strides[axis]
        if mode.startswith("SAME"):
            sides.append(-(-side // strides[axis]))
            continue
        last = math.ceil(steps) if is_ceil else math.floor(steps)
        if is_ceil and last * strides[axis] >= padded - pads[rank + axis]:
            raise UnsafeGraph(f"{node.op} has a window beyond the image, which not every runtime leaves out")
        sides.append(last + 1)
    return make_tensor([shape[0], channels, *sides])


def _global_pool(node: Node, inputs: Inputs) -> Tensor:
    shape = required(inputs, 0).shape
    return make_tensor([*shape[:2], *[1] * (len(shape) - 2)])


RULES: dict[str, Rule] = {
    **dict.fromkeys(UNCHANGED, _unchanged),
    **dict.fromkeys(BROADCAST, _broadcast),
    **dict.fromkeys(REDUCE, _reduce),
    **dict.fromkeys(("Conv", "AveragePool", "MaxPool", "LpPool"), _window),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool),
    **dict.fromkeys(("Cast", "Identity"), _identity),
    "Gemm": _gemm,
    "MatMul": _matmul,
}
"""The operators that compute; `onnx_layouts` has those that move elements."""
