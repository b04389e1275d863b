"""Checks before ONNX Runtime opens a model file: all its tensors are inside, and what it computes is bounded.

An ONNX tensor may refer to another file or to an address in memory, and ONNX Runtime follows some of these references.
`has_external_data` visits every place in the protocol buffer that can hold a tensor (onnx.proto3), and decodes none.
A few hundred bytes of ONNX may also allocate any amount of memory, or never end: see `require_safe`.
"""

import math

from modiste.inference import onnx_layouts, onnx_memory, onnx_shapes
from modiste.inference.onnx_graph import Graph, Node, Tensor, UnsafeGraph
from modiste.inference.prediction import printable
from modiste.inference.protobuf import iterate_fields

EXTERNAL_FIELDS = (13, 14)
"""TensorProto.external_data and TensorProto.data_location."""

CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "tensor": {},
}
"""Message type and field number -> type of the nested message."""

MAX_DEPTH = 50
MAX_FIELDS = 2_000_000

RULES = onnx_shapes.RULES | onnx_layouts.LAYOUT_RULES
DOMAINS = ("", "ai.onnx")
ALIKE_OUTPUTS = ("Dropout", "MaxPool", "Split", "TopK")
"""Operators of several outputs, which have one shape."""

MIN_OPSET, MAX_OPSET = 13, 26
"""What the rules hold for."""

MAX_BATCH = 512
MAX_BATCH_VALUES = 224 * 224 * 3
"""Input values per batch: one photo at a time is 25 % faster than seven, because its activations stay in the cache."""

MAX_SIDE = 1024
"""Pixels a side of the images; recipes go up to half of that."""

MAX_INPUT_RANK, MAX_RANK, MAX_NODES = 4, 8, 20_000

MAX_ELEMENTS, MAX_ALIVE = 2**25, 2**27
"""Of a tensor, and of all that are needed at a time: 256 MiB and 1 GiB at 8 bytes each, the most of any type."""

MAX_COST = 2**41
"""Multiplications of a batch: a minute on one core."""


def has_external_data(content: bytes) -> bool:
    """Return whether a tensor of an ONNX model refers to data outside the file.

    Raises:
        ValueError: the content is not a protocol buffer.
    """
    stack = [("model", memoryview(content), 0)]
    field_count = 0
    while stack:
        message, data, depth = stack.pop()
        for field, value in iterate_fields(data):
            field_count += 1
            if field_count > MAX_FIELDS or depth > MAX_DEPTH:
                raise ValueError("too many fields, or nested too deep")
            if message == "tensor" and field in EXTERNAL_FIELDS and value != 0:
                return True
            child = CHILDREN[message].get(field)
            if child is not None and isinstance(value, memoryview):
                stack.append((child, value, depth + 1))
    return False


def require_safe(graph: Graph, images: int = 0) -> None:
    """Raise an UnsafeGraph, before ONNX Runtime gets so many images, unless what it computes for them is bounded.

    All operators must be listed in `onnx_shapes` or `onnx_layouts`: without loops, branches and custom operators. The
    shape of each tensor is computed, as are memory and time, and must be within the limits. It may depend on the number
    of images in any way, so each number is checked; 0 is that of a whole batch.
    """
    if not MIN_OPSET <= graph.opset <= MAX_OPSET or len(graph.nodes) > MAX_NODES:
        raise UnsafeGraph(f"it has opset {graph.opset} and {len(graph.nodes):,} operators")
    tensors = {name: _input(shape, images) for name, shape in graph.inputs.items()} | graph.initializers
    constants, sizes, workspaces, cost = set(graph.initializers), dict[str, int](), list[int](), 0
    for node in graph.nodes:
        inputs = [_find(tensors, name) for name in node.inputs]
        output = _infer(node, inputs)
        outputs = [name for name in node.outputs if name]
        if len(outputs) > 1 and node.op not in ALIKE_OUTPUTS:
            raise UnsafeGraph(f"{node.op} has several outputs")
        if not tensors.keys().isdisjoint(outputs) or len(set(outputs)) < len(outputs):
            raise UnsafeGraph("two operators have an output of the same name")
        tensors |= dict.fromkeys(outputs, output)
        cost += onnx_memory.cost(node, inputs, output)
        size = onnx_memory.allocated(output)
        if size > MAX_ELEMENTS or cost > MAX_COST or len(output.shape) > MAX_RANK:
            raise UnsafeGraph(f"{node.op} computes {output.size:,} numbers, which takes too much memory or time")
        sizes |= dict.fromkeys(outputs, size)
        copies = 2 * (size + sum(sizes.get(name, 0) for name in node.inputs))
        workspaces.append(copies + onnx_memory.window_elements(node, inputs, output))
        if constants.issuperset(filter(None, node.inputs)):
            constants.update(outputs)  # folded when the session is created, and held from then on
    peak = onnx_memory.Peak(graph, constants).elements(sizes, workspaces)
    peak += sum(tensors[name].size for name in graph.inputs)
    if peak > MAX_ALIVE:
        raise UnsafeGraph(f"it has {peak:,} numbers at a time, which takes too much memory")


def batch_size(image_shape: tuple[int, ...]) -> int:
    """Return how many images of this shape a model gets at a time."""
    return max(1, min(MAX_BATCH, MAX_BATCH_VALUES // max(1, math.prod(image_shape))))


def _input(shape: tuple[int, ...], images: int) -> Tensor:
    """Return an input of so many images, 0: a batch; another dimension without a size is refused later."""
    sides = [max(1, side) for side in shape]
    if len(sides) > MAX_INPUT_RANK or max(sides[1:], default=0) > MAX_SIDE:
        raise UnsafeGraph(f"it takes images of {list(shape[1:])}, more than {MAX_SIDE} pixels a side")
    if sides and shape[0] <= 0:
        sides[0] = images or batch_size(tuple(sides[1:]))
    return Tensor(tuple(sides))


def _find(tensors: dict[str, Tensor], name: str) -> Tensor | None:
    if name and name not in tensors:
        raise UnsafeGraph("its operators are not in their order")
    return tensors.get(name)


def _infer(node: Node, inputs: list[Tensor | None]) -> Tensor:
    rule = RULES.get(node.op) if node.domain in DOMAINS else None
    if rule is None:
        raise UnsafeGraph(f"it has the operator {printable(f'{node.domain} {node.op}'.strip()[:60])}")
    try:
        return rule(node, inputs)
    except UnsafeGraph:
        raise
    except (ValueError, IndexError, TypeError, OverflowError, MemoryError):
        raise UnsafeGraph(f"the shapes at {node.op} do not fit together") from None
