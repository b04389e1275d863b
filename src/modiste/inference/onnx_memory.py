"""What ONNX Runtime may need to run a graph: memory in whatever order it runs the operators, and time."""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from modiste.inference.onnx_graph import Graph, Node, Tensor

CHANNEL_BLOCK = 16
"""The runtime stores the channels of images of rank 4 in blocks of this many."""

SMALL = 2**10
"""Elements of a tensor that counts as never freed."""

ELEMENT_COST = 2**8
"""Multiplications of a matrix product that take as long as an operator needs for one element of a tensor."""

SLOW = {"Mod": 2**16, **dict.fromkeys(("LpPool", "Pow", "Resize", "TopK"), 2**11)}
"""The same for slower operators."""


def allocated(tensor: Tensor) -> int:
    """Return the elements that the runtime allocates for a tensor."""
    sides = list(tensor.shape)
    if len(sides) == 4:
        sides[1] = -(-sides[1] // CHANNEL_BLOCK) * CHANNEL_BLOCK
    return math.prod(sides)


def window_elements(node: Node, inputs: Sequence[Tensor | None], output: Tensor) -> int:
    """Return the elements that an operator needs beside copies of its inputs and outputs.

    They are the windows of a convolution of one image as a matrix, or what is resized along some axes.
    """
    if node.op == "Conv" and inputs[1]:
        return math.prod(inputs[1].shape[1:]) * math.prod(output.shape[2:])
    if node.op == "Resize" and inputs[0]:
        return math.prod(max(pair) for pair in zip(inputs[0].shape, output.shape, strict=True))
    return 0


def cost(node: Node, inputs: Sequence[Tensor | None], output: Tensor) -> int:
    """Return the time that an operator takes, in multiplications of a matrix product."""
    elements = sum(tensor.size for tensor in inputs if tensor) + output.size * len(node.outputs)
    if node.op == "Conv" and inputs[1]:
        windows = output.shape[0] * window_elements(node, inputs, output)
        return output.size * math.prod(inputs[1].shape[1:]) + ELEMENT_COST * (elements + windows)
    if node.op in ("MatMul", "Gemm") and inputs[0]:
        return output.size * max(inputs[0].shape) + ELEMENT_COST * elements
    if node.op.endswith("Pool"):
        elements += output.size * math.prod(node.numbers("kernel_shape") or [1])
    return SLOW.get(node.op, ELEMENT_COST) * elements


class Peak:
    """A bound of the elements that are allocated at a time, in whatever order the operators of a graph run.

    While an operator runs, a tensor may be allocated unless the operator that makes it needs the result of this one, or
    this one needs the results of all operators that use the tensor.

    Args:
        graph: its nodes are in an order in which they can run.
        constants: names of tensors that do not depend on the images; they are not freed.
    """

    def __init__(self, graph: Graph, constants: Collection[str]) -> None:
        self.nodes, self.held = graph.nodes, {*constants, *graph.outputs}
        self.makers = {name: index for index, node in enumerate(self.nodes) for name in node.outputs if name}
        self.ancestors = np.zeros((len(self.nodes), -(-len(self.nodes) // 8)), np.uint8)  # a bit for each operator
        for index, node in enumerate(self.nodes):
            for maker in {self.makers[name] for name in node.inputs if name in self.makers}:
                self.ancestors[index] |= self.ancestors[maker]
                self.ancestors[index, maker // 8] |= 128 >> maker % 8

    def elements(self, sizes: Mapping[str, int], workspaces: Sequence[int]) -> int:
        """Return the bound.

        Args:
            sizes: allocated elements of the outputs of all operators, by name.
            workspaces: elements that each operator needs beside its inputs and outputs.
        """
        names = [name for name, size in sizes.items() if size > SMALL]
        positions = {name: position for position, name in enumerate(names)}
        makers, counts = (np.array([table[name] for name in names], int) for table in (self.makers, sizes))
        uses = [(positions[name], i) for i, node in enumerate(self.nodes) for name in {*node.inputs} & positions.keys()]
        used, users = np.array(uses, int).reshape(-1, 2).T
        use_counts = np.bincount(used, minlength=len(names))
        is_held = np.array([name in self.held for name in names], bool)
        peak, folding = int(counts[is_held].sum()), 0
        for index in {*makers.tolist(), *(index for index, size in enumerate(workspaces) if size > SMALL)}:
            if self.held.issuperset(self.nodes[index].outputs):  # runs at any time, and its result is counted always
                folding = max(folding, workspaces[index])
                continue
            is_ancestor = np.unpackbits(self.ancestors[index])[users]
            is_freed = np.bincount(used, is_ancestor, len(names)) == use_counts
            is_later = self.ancestors[makers, index // 8] & (128 >> index % 8) > 0
            is_allocated = is_held | (makers == index) | ~(is_freed | is_later)
            peak = max(peak, int(counts[is_allocated].sum()) + workspaces[index])
        return peak + folding + sum(size for size in sizes.values() if size <= SMALL)
