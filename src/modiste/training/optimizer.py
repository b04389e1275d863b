"""The optimizer: SGD for all parameters, or Muon for the filters of convolutions and SGD for the rest.

Muon and its coefficients are by Jordan et al. 2024, kellerjordan.github.io/posts/muon, the fixed norm of the filters is
from cifar10-airbench. PyTorch's optimizer objects import its compiler, in more than a second; its function does not.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from modiste.recipes.recipe import OptimizerConfig

NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5  # bring the singular values to between 0.7 and 1.2, which is near enough to 1
CONVOLUTION_DIMS, LINEAR_DIMS = 4, 2  # of weights [out, in, h, w] and [out, in]


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Updates the parameters of a network.

    Args:
        options: the recipe's optimizer section.
        parameters: all that are trained.
        momentum_buffers: of each parameter, in the same layout in memory: the fused update reads both side by side, and
            would silently pair the wrong numbers in another.
        precision: of Muon's matrix products; parameters and momentum stay fp32.
    """

    options: OptimizerConfig
    parameters: list[nn.Parameter]
    momentum_buffers: list[Tensor]
    precision: torch.dtype = torch.float32

    def zero_grad(self) -> None:
        """Remove all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update every parameter that has a gradient.

        `lr` is the learning rate of convolutions. Linear layers have `head_lr_mult` times it; all others, which are
        biases and batch norm, `norm_bias_lr_mult` times it.
        """
        triples = zip(self.parameters, self.momentum_buffers, strict=True)
        updates = [(p, p.grad, buffer) for p, buffer in triples if p.grad is not None]
        convolutions = [update for update in updates if update[0].dim() == CONVOLUTION_DIMS]
        linear = [update for update in updates if update[0].dim() == LINEAR_DIMS]
        norms_and_biases = [update for update in updates if update[0].dim() not in (CONVOLUTION_DIMS, LINEAR_DIMS)]
        if self.options.name == "muon":
            for filters, gradient, buffer in convolutions:
                self._muon(filters, gradient, buffer, lr)
        else:
            self._sgd(convolutions, lr)
        self._sgd(linear, lr * self.options.head_lr_mult)
        self._sgd(norms_and_biases, lr * self.options.norm_bias_lr_mult)

    def _sgd(self, updates: list[tuple[nn.Parameter, Tensor, Tensor]], lr: float) -> None:
        if not updates:
            return
        parameters, gradients, momentum_buffers = map(list, zip(*updates, strict=True))
        sgd(
            parameters,
            gradients,
            momentum_buffers,
            fused=True,  # one pass over the 16.8 M parameters of the CNN instead of four
            weight_decay=self.options.weight_decay,
            momentum=self.options.momentum,
            lr=lr,
            dampening=0,
            nesterov=self.options.nesterov,
            maximize=False,
        )

    def _muon(self, filters: Tensor, gradient: Tensor, buffer: Tensor, lr: float) -> None:
        """Update filters [out, in, h, w] by an orthogonal step, at a fixed norm: batch norm undoes any norm."""
        buffer.mul_(self.options.momentum).add_(gradient)
        nesterov = gradient.add(buffer, alpha=self.options.momentum)
        count = len(filters)
        filters.mul_(count**0.5 / filters.norm())
        update = orthogonalize(nesterov.reshape(count, -1), self.precision)
        filters.add_(update.reshape(filters.shape), alpha=-lr)


def create_optimizer(options: OptimizerConfig, network: nn.Module, precision: torch.dtype = torch.float32) -> Optimizer:
    """Return the optimizer of a network, with all momentum at 0."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return Optimizer(options, parameters, [torch.zeros_like(parameter) for parameter in parameters], precision)


def orthogonalize(matrix: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """Return the nearest orthogonal matrix, roughly: U V^T for U S V^T, by Newton-Schulz iterations of degree five.

    Products and result have the precision.
    """
    first, third, fifth = NEWTON_SCHULZ_COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = ((matrix.T if tall else matrix) / (matrix.norm() + 1e-7)).to(precision)
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=third, alpha=fifth), x, beta=first)
    return x.T if tall else x
