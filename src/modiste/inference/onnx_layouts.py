"""The shapes of operators that move, repeat or make elements, and the values of those that compute shapes.

Values are computed by NumPy as ONNX defines the operators; their tensors have at most `MAX_VALUES` elements.
"""

import math

import numpy as np
from numpy.typing import NDArray

from modiste.inference.onnx_graph import MAX_VALUES, Node, Tensor, UnsafeGraph
from modiste.inference.onnx_shapes import Inputs, Rule, integers, make_tensor, normalize_axis, required

LAST = 2**31 - 1
"""An end of a slice beyond this is the end of the axis."""


def _needed(node: Node, inputs: Inputs, index: int, name: str = "") -> list[int]:
    numbers = integers(node, inputs, index, name)
    if numbers is None:
        raise UnsafeGraph(f"{node.op} lacks its {name or 'numbers'}")
    return numbers


def _stand_in(tensor: Tensor) -> NDArray[np.int64]:
    """Return the values, or an array of the shape that takes no memory: NumPy's views of it have the right shapes."""
    values = tensor.values
    return np.broadcast_to(np.int64(0), tensor.shape) if values is None else values


def _view(tensor: Tensor, result: NDArray[np.int64]) -> Tensor:
    return make_tensor(result.shape, None if tensor.values is None else np.ascontiguousarray(result))


def _reshape(node: Node, inputs: Inputs) -> Tensor:
    tensor, target = required(inputs, 0), _needed(node, inputs, 1)
    keeps_zero = node.integer("allowzero", 0)
    shape = [
        tensor.shape[axis] if side == 0 and not keeps_zero and axis < len(tensor.shape) else side
        for axis, side in enumerate(target)
    ]
    if -1 in shape:
        others = math.prod(side for side in shape if side != -1)
        shape[shape.index(-1)] = tensor.size // others if others else 0
    if min(shape, default=0) < 0 or math.prod(shape) != tensor.size:
        raise UnsafeGraph("Reshape changes the number of elements")
    return make_tensor(shape, tensor.values)


def _flatten(node: Node, inputs: Inputs) -> Tensor:
    shape, axis = required(inputs, 0).shape, node.integer("axis", 1)
    axis = axis if axis == len(shape) else normalize_axis(axis, len(shape))
    return make_tensor([math.prod(shape[:axis]), math.prod(shape[axis:])])


def _transpose(node: Node, inputs: Inputs) -> Tensor:
    tensor = required(inputs, 0)
    return _view(tensor, _stand_in(tensor).transpose(node.numbers("perm")))


def _squeeze(node: Node, inputs: Inputs) -> Tensor:
    tensor, axes = required(inputs, 0), integers(node, inputs, 1, "axes")
    return _view(tensor, _stand_in(tensor).squeeze(tuple(axes) if axes else None))


def _unsqueeze(node: Node, inputs: Inputs) -> Tensor:
    tensor, axes = required(inputs, 0), _needed(node, inputs, 1, "axes")
    return _view(tensor, np.expand_dims(_stand_in(tensor), tuple(axes)))


def _expand(node: Node, inputs: Inputs) -> Tensor:
    tensor, target = required(inputs, 0), _needed(node, inputs, 1)
    if min(target, default=0) < 0:
        raise UnsafeGraph("Expand has a negative size")
    shape = np.broadcast_shapes(tensor.shape, tuple(target))
    values = tensor.values if math.prod(shape) <= MAX_VALUES else None
    return make_tensor(shape, None if values is None else np.broadcast_to(values, shape))


def _tile(node: Node, inputs: Inputs) -> Tensor:
    shape, repeats = required(inputs, 0).shape, _needed(node, inputs, 1)
    return make_tensor([side * count for side, count in zip(shape, repeats, strict=True)])


def _concat(node: Node, inputs: Inputs) -> Tensor:
    tensors = [required(inputs, index) for index in range(len(inputs))]
    shape = list(tensors[0].shape)
    axis = normalize_axis(node.integer("axis", 0), len(shape))
    others = {(*tensor.shape[:axis], *tensor.shape[axis + 1 :]) for tensor in tensors}
    if len(others) > 1 or not shape:
        raise UnsafeGraph("Concat has tensors that do not fit together")
    shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
    values = [part for tensor in tensors if (part := tensor.values) is not None]
    return make_tensor(shape, np.concatenate(values, axis) if len(values) == len(tensors) else None)


def _slice(node: Node, inputs: Inputs) -> Tensor:
    tensor = required(inputs, 0)
    starts, ends = _needed(node, inputs, 1, "starts"), _needed(node, inputs, 2, "ends")
    axes = integers(node, inputs, 3, "axes") or list(range(len(starts)))
    steps = integers(node, inputs, 4) or [1] * len(starts)
    selection = [slice(None)] * len(tensor.shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        is_to_first = step < 0 and end <= -LAST
        selection[normalize_axis(axis, len(tensor.shape))] = slice(start, None if is_to_first else end, step)
    return _view(tensor, _stand_in(tensor)[tuple(selection)])


def _gather(node: Node, inputs: Inputs) -> Tensor:
    tensor, indices = required(inputs, 0), required(inputs, 1)
    axis = normalize_axis(node.integer("axis", 0), len(tensor.shape))
    shape = (*tensor.shape[:axis], *indices.shape, *tensor.shape[axis + 1 :])
    values, positions = tensor.values, indices.values
    if values is None or positions is None or math.prod(shape) > MAX_VALUES:
        return make_tensor(shape)
    return make_tensor(shape, np.take(values, positions, axis))


def _gather_elements(node: Node, inputs: Inputs) -> Tensor:
    return make_tensor(required(inputs, 1).shape)


def _shape(node: Node, inputs: Inputs) -> Tensor:
    shape = required(inputs, 0).shape
    values = np.array(shape[node.integer("start", 0) : node.integer("end", LAST)], np.int64)
    return make_tensor(values.shape, values)


def _size(node: Node, inputs: Inputs) -> Tensor:
    return make_tensor((), np.array(required(inputs, 0).size, np.int64))


def _constant(node: Node, inputs: Inputs) -> Tensor:
    value = node.attributes.get("value")
    if isinstance(value, Tensor):
        return value
    if "value_int" in node.attributes:
        return make_tensor((), np.array(node.integer("value_int", 0), np.int64))
    if "value_ints" in node.attributes:
        numbers = np.array(node.numbers("value_ints"), np.int64)
        return make_tensor(numbers.shape, numbers)
    if "value_float" in node.attributes:
        return make_tensor(())
    raise UnsafeGraph("it has a constant of a kind that is not read")


def _constant_of_shape(node: Node, inputs: Inputs) -> Tensor:
    shape, value = _needed(node, inputs, 0), node.attributes.get("value")
    fill = value.values if isinstance(value, Tensor) and value.size == 1 else None
    is_small = min(shape, default=0) >= 0 and math.prod(shape) <= MAX_VALUES
    return make_tensor(shape, None if fill is None or not is_small else np.full(shape, fill.item(), np.int64))


def _range(node: Node, inputs: Inputs) -> Tensor:
    (start,), (limit,), (delta,) = (_needed(node, inputs, index) for index in range(3))
    numbers = range(start, limit, delta)
    return make_tensor([len(numbers)], np.array(numbers, np.int64) if len(numbers) <= MAX_VALUES else None)


def _pad(node: Node, inputs: Inputs) -> Tensor:
    shape, pads = required(inputs, 0).shape, _needed(node, inputs, 1, "pads")
    axes = integers(node, inputs, 3) or list(range(len(shape)))
    sides = list(shape)
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        sides[normalize_axis(axis, len(shape))] += before + after
    return make_tensor(sides)


def _resize(node: Node, inputs: Inputs) -> Tensor:
    shape, sizes = required(inputs, 0).shape, integers(node, inputs, 3)
    axes = node.numbers("axes") or list(range(len(shape)))
    factors = inputs[2].factors if len(inputs) > 2 and inputs[2] is not None else None
    sides = list(shape)
    if node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise UnsafeGraph("Resize keeps the aspect ratio, so that its size depends on the runtime")
    if sizes:
        for axis, side in zip(axes, sizes, strict=True):
            sides[normalize_axis(axis, len(shape))] = side
    elif factors is not None and factors.size and np.isfinite(factors).all() and factors.max() < LAST:
        for axis, factor in zip(axes, factors.reshape(-1), strict=True):
            sides[normalize_axis(axis, len(shape))] = int(np.float32(sides[axis]) * factor)
    else:
        raise UnsafeGraph("Resize has a size that cannot be computed before it is run")
    return make_tensor(sides)


def _split(node: Node, inputs: Inputs) -> Tensor:
    shape, parts = required(inputs, 0).shape, integers(node, inputs, 1, "split")
    axis, sides = normalize_axis(node.integer("axis", 0), len(shape)), list(shape)
    if len(set(parts or ())) > 1 or sides[axis] % len(node.outputs):
        raise UnsafeGraph("Split has parts of different sizes")
    sides[axis] = parts[0] if parts else sides[axis] // len(node.outputs)
    return make_tensor(sides)


def _top_k(node: Node, inputs: Inputs) -> Tensor:
    shape, (count,) = list(required(inputs, 0).shape), _needed(node, inputs, 1)
    shape[normalize_axis(node.integer("axis", -1), len(shape))] = count
    return make_tensor(shape)


def _blocks(node: Node, inputs: Inputs) -> Tensor:
    images, channels, height, width = required(inputs, 0).shape
    side = node.integer("blocksize", 1)
    if side < 1:
        raise UnsafeGraph("a block of pixels is empty")
    if node.op == "DepthToSpace":
        return make_tensor([images, channels // side**2, height * side, width * side])
    return make_tensor([images, channels * side**2, height // side, width // side])


LAYOUT_RULES: dict[str, Rule] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Expand": _expand,
    "Tile": _tile,
    "Concat": _concat,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Shape": _shape,
    "Size": _size,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "Pad": _pad,
    "Resize": _resize,
    "Split": _split,
    "TopK": _top_k,
    "DepthToSpace": _blocks,
    "SpaceToDepth": _blocks,
}
