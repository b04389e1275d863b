"""The optimizer: SGD for all parameters, or Muon for the filters of convolutions and SGD for the rest.

Muon is of Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"
(kellerjordan.github.io/posts/muon); the coefficients, and the filters kept at one norm, are from there and from
cifar10-airbench. PyTorch's SGD is called as a function: to make one of its optimizer objects imports its compiler,
which takes more than a second.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from modiste.recipes import recipe

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
"""Of Newton-Schulz: singular values come to between 0.7 and 1.2, which is near enough to 1."""

FILTERS, MATRICES = 4, 2
"""Dimensions of the weights of a convolution, [out, in, h, w], and of a linear layer, [out, in]."""


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Moves the parameters of a network.

    Args:
        options: the recipe's optimizer section.
        parameters: all that is trained.
        velocities: the momentum of each, in the same order and the same layout in memory: the fused update walks both
            side by side, and in another layout it would silently pair the wrong numbers.
        precision: of Muon's matrix products; parameters and momentum stay fp32.
    """

    options: recipe.OptimizerConfig
    parameters: list[nn.Parameter]
    velocities: list[Tensor]
    precision: torch.dtype = torch.float32

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move every parameter that has a gradient; `rate` is that of filters, the others have a multiple of it."""
        moved = [(p, p.grad, v) for p, v in zip(self.parameters, self.velocities, strict=True) if p.grad is not None]
        filters = [each for each in moved if each[0].dim() == FILTERS]
        matrices = [each for each in moved if each[0].dim() == MATRICES]
        others = [each for each in moved if each[0].dim() not in (FILTERS, MATRICES)]
        if self.options.name == "muon":
            for parameter, gradient, velocity in filters:
                self._turn(parameter, gradient, velocity, rate)
        else:
            self._sgd(filters, rate)
        self._sgd(matrices, rate * self.options.head_lr_mult)
        self._sgd(others, rate * self.options.norm_bias_lr_mult)

    def _sgd(self, moved: list[tuple[nn.Parameter, Tensor, Tensor]], rate: float) -> None:
        if not moved:
            return
        parameters, gradients, velocities = map(list, zip(*moved, strict=True))
        sgd(
            parameters,
            gradients,
            velocities,
            fused=True,  # one pass over the 16.8 M parameters of the CNN instead of four
            weight_decay=self.options.weight_decay,
            momentum=self.options.momentum,
            lr=rate,
            dampening=0,
            nesterov=self.options.nesterov,
            maximize=False,
        )

    def _turn(self, filters: Tensor, gradient: Tensor, velocity: Tensor, rate: float) -> None:
        """Move a bank of filters by an orthogonal step; its norm, which says nothing before a batch norm, is fixed."""
        velocity.mul_(self.options.momentum).add_(gradient)
        ahead = gradient.add(velocity, alpha=self.options.momentum)
        count = len(filters)
        filters.mul_(count**0.5 / filters.norm())
        turn = orthogonal(ahead.reshape(count, -1), self.precision)
        filters.add_(turn.reshape(filters.shape), alpha=-rate)


def optimizer(options: recipe.OptimizerConfig, network: nn.Module, precision: torch.dtype = torch.float32) -> Optimizer:
    """Make the optimizer of a network, at rest."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return Optimizer(options, parameters, [torch.zeros_like(parameter) for parameter in parameters], precision)


def orthogonal(matrix: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """Return about U V^T of a matrix U S V^T, by Newton-Schulz iterations of degree five in that precision."""
    first, third, fifth = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    found: Tensor = ((matrix.T if tall else matrix) / (matrix.norm() + 1e-7)).to(precision)
    for _ in range(ITERATIONS):
        square = found @ found.T
        found = torch.addmm(found, torch.addmm(square, square, square, beta=third, alpha=fifth), found, beta=first)
    return found.T if tall else found
