"""Muon: the filters of convolutions move by orthogonalised steps, everything else by plain SGD.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks" (kellerjordan.github.io/posts/muon); the
coefficients, and the filters kept at one norm, are from there and from cifar10-airbench.
"""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
"""Of Newton-Schulz: singular values come to between 0.7 and 1.2, which is near enough to 1."""


class Muon(torch.optim.Optimizer):
    """One optimizer for a whole network, so that a checkpoint has one state.

    Args:
        groups: of parameters; `orthogonal` says which are filters [out, in, h, w].
        momentum: Nesterov's, for all.
        weight_decay: L2 penalty on what is no filter; filters have a fixed norm.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], momentum: float, weight_decay: float) -> None:
        super().__init__(groups, {"lr": 0.0, "momentum": momentum, "weight_decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return None

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        if not group["orthogonal"]:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        state = self.state[parameter]
        velocity = state.setdefault("momentum_buffer", torch.zeros_like(parameter))
        velocity.mul_(group["momentum"]).add_(gradient)
        ahead = gradient.add(velocity, alpha=group["momentum"])
        if group["orthogonal"]:
            rows = len(parameter)
            parameter.mul_(rows**0.5 / parameter.norm())  # a filter's norm says nothing behind a batch norm
            ahead = orthogonal(ahead.reshape(rows, -1)).reshape(parameter.shape)
        parameter.add_(ahead, alpha=-group["lr"])


def groups(network: nn.Module, head: float, rest: float) -> list[dict[str, Any]]:
    """Sort the parameters of a network: filters, linear layers, and vectors (batch norm, biases).

    Args:
        network: whose parameters are trained.
        head: rate of the linear layers, as a multiple of that of the filters.
        rest: rate of the vectors, likewise.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    shares = {4: 1.0, 2: head, 1: rest}
    return [
        {"params": chosen, "orthogonal": dimensions == 4, "share": share}
        for dimensions, share in shares.items()
        if (chosen := [parameter for parameter in parameters if parameter.dim() == dimensions])
    ]


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about U V^T of a matrix U S V^T, by Newton-Schulz iterations of degree five."""
    first, third, fifth = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    found: Tensor = (matrix.T if tall else matrix) / (matrix.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = found @ found.T
        found = torch.addmm(found, torch.addmm(square, square, square, beta=third, alpha=fifth), found, beta=first)
    return found.T if tall else found
