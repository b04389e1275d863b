"""The optimizer: SGD, AdamW or one of the user's own for all parameters, or Muon for filters and SGD for the rest.

Muon and its coefficients are by Jordan et al. 2024, kellerjordan.github.io/posts/muon, the fixed norm of the filters is
from cifar10-airbench. PyTorch's optimizer objects import its compiler, in more than a second; its functions do not.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from modiste.recipes.config import OptimizerConfig

NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5  # bring the singular values to between 0.7 and 1.2, which is near enough to 1
ADAMW_BETA2, ADAMW_EPS = 0.999, 1e-8  # PyTorch's defaults
CONVOLUTION_DIMS, LINEAR_DIMS = 4, 2  # of weights [out, in, h, w] and [out, in]


class Optimizer(Protocol):
    """Updates the parameters of a network."""

    def zero_grad(self) -> None:
        """Remove all gradients."""

    def step(self, lr: float) -> None:
        """Update every parameter that has a gradient, at a learning rate of `lr` times its multiple."""

    def state_tensors(self) -> dict[str, Tensor]:
        """Return all that changes, for a checkpoint."""

    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Load what `state_tensors` returned; raises KeyError, ValueError or RuntimeError for other tensors."""


@dataclass(frozen=True, slots=True)
class BuiltInOptimizer:
    """Updates the parameters of a network.

    Args:
        options: the recipe's optimizer section.
        parameters: all that are trained.
        lr_mults: learning rate of each parameter, as a multiple of that of a step.
        buffers: of each parameter its momentum; with adamw also the mean of its squared gradients and the number of its
            steps. They have its layout in memory: the fused updates read both side by side, and would silently pair the
            wrong numbers in another.
        precision: of Muon's matrix products; parameters and buffers stay fp32.
    """

    options: OptimizerConfig
    parameters: list[nn.Parameter]
    lr_mults: list[float]
    buffers: list[tuple[Tensor, ...]]
    precision: torch.dtype = torch.float32

    def zero_grad(self) -> None:
        """Remove all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update every parameter that has a gradient, at `lr` times its multiple."""
        groups: dict[tuple[float, float], list[tuple[Tensor, ...]]] = defaultdict(list)
        for parameter, lr_mult, buffers in zip(self.parameters, self.lr_mults, self.buffers, strict=True):
            if parameter.grad is None:
                continue
            if self.options.name == "muon" and parameter.dim() == CONVOLUTION_DIMS:
                self._muon(parameter, parameter.grad, buffers[0], lr * lr_mult)
            else:
                groups[lr_mult, self._weight_decay(parameter)].append((parameter, parameter.grad, *buffers))
        for (lr_mult, weight_decay), updates in groups.items():
            update = self._adamw if self.options.name == "adamw" else self._sgd
            update(updates, lr * lr_mult, weight_decay)

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the buffers, by their index."""
        return {str(index): buffer for index, buffer in enumerate(chain(*self.buffers))}

    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Copy into the buffers what `state_tensors` returned, which keeps the buffers' own layout in memory."""
        for name, buffer in self.state_tensors().items():
            buffer.copy_(tensors[name])

    def _weight_decay(self, parameter: Tensor) -> float:
        return 0.0 if self.options.name == "adamw" and is_vector(parameter) else self.options.weight_decay

    def _sgd(self, updates: list[tuple[Tensor, ...]], lr: float, weight_decay: float) -> None:
        parameters, gradients, momentum_buffers = map(list, zip(*updates, strict=True))
        sgd(
            parameters,
            gradients,
            momentum_buffers,
            fused=True,  # one pass over the 16.8 M parameters of the CNN instead of four
            weight_decay=weight_decay,
            momentum=self.options.momentum,
            lr=lr,
            dampening=0,
            nesterov=self.options.nesterov,
            maximize=False,
        )

    def _adamw(self, updates: list[tuple[Tensor, ...]], lr: float, weight_decay: float) -> None:
        parameters, gradients, means, mean_squares, steps = map(list, zip(*updates, strict=True))
        adamw(
            parameters,
            gradients,
            means,
            mean_squares,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=self.options.momentum,
            beta2=ADAMW_BETA2,
            lr=lr,
            weight_decay=weight_decay,
            eps=ADAMW_EPS,
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


def create_optimizer(
    options: OptimizerConfig, network: nn.Module, precision: torch.dtype = torch.float32
) -> BuiltInOptimizer:
    """Return a built-in optimizer of a network, with all buffers at 0."""
    parameters = trained_parameters(network)
    buffers = [_buffers(options, parameter) for parameter in parameters]
    return BuiltInOptimizer(options, parameters, lr_multiples(options, network), buffers, precision)


def trained_parameters(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of a network that are not frozen."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def lr_multiples(options: OptimizerConfig, network: nn.Module) -> list[float]:
    """Return the learning rate of each trained parameter, as a multiple of that of a step."""
    parameters, depths = trained_parameters(network), _depths(network)
    deepest = max(depths.values(), default=0)
    decays = (options.layer_decay ** (deepest - depths.get(parameter, deepest)) for parameter in parameters)
    return [decay * _kind_lr_mult(options, parameter) for decay, parameter in zip(decays, parameters, strict=True)]


def is_vector(parameter: Tensor) -> bool:
    """Return whether a parameter is of batch norm or a bias, or otherwise no matrix and no filters."""
    return parameter.dim() not in (CONVOLUTION_DIMS, LINEAR_DIMS)


def _kind_lr_mult(options: OptimizerConfig, parameter: Tensor) -> float:
    """Return the multiple of a parameter by its kind; vectors are biases and batch norm."""
    mults = {CONVOLUTION_DIMS: 1.0, LINEAR_DIMS: options.head_lr_mult}
    return mults.get(parameter.dim(), options.norm_bias_lr_mult)


def _depths(network: nn.Module) -> dict[nn.Parameter, int]:
    """Count the layers or stages from the input to each trained parameter; batch norm counts with its convolution."""
    body = getattr(network, "body", network)
    depth, depths = 0, dict[nn.Parameter, int]()
    for layer in getattr(body, "features", body).children():
        trained = [parameter for parameter in layer.parameters() if parameter.requires_grad]
        depth += any(parameter.dim() > 1 for parameter in trained)
        depths |= dict.fromkeys(trained, depth)
    return depths


def _buffers(options: OptimizerConfig, parameter: Tensor) -> tuple[Tensor, ...]:
    if options.name != "adamw":
        return (torch.zeros_like(parameter),)
    return (torch.zeros_like(parameter), torch.zeros_like(parameter), torch.zeros((), device=parameter.device))


def orthogonalize(matrix: Tensor, precision: torch.dtype) -> Tensor:
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
