"""The optimizers SGD, AdamW and Muon."""

from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer as TorchOptimizer

from modiste.models import networks
from modiste.recipes import recipe
from modiste.recipes.config import DataConfig, ModelConfig
from modiste.training.optimizer import Optimizer, create_optimizer, orthogonalize


def create_network() -> nn.Sequential:
    """A convolution, a batch norm and a linear layer."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))


def images(seed: int) -> Tensor:
    """Four images of 3 x 3 pixels."""
    return torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(seed))


def take_steps(
    network: nn.Module, optimizer: Optimizer, lr: float, reference_network: nn.Module, reference: TorchOptimizer
) -> None:
    """Take three steps with an optimizer, and the same ones with PyTorch's."""
    for step in range(3):
        for each in (network, reference_network):
            each.zero_grad()
            each(images(step)).square().sum().backward()
        optimizer.step(lr)
        reference.step()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_steps_are_nearly_orthogonal(precision: torch.dtype) -> None:
    """Singular values from 0.1 to 10 become about 1, for wide and for tall matrices."""
    torch.manual_seed(0)
    for shape in ((16, 144), (144, 16)):
        u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
        step = orthogonalize(u @ torch.diag(torch.logspace(-1, 1, 16)) @ v, precision)
        singular_values = torch.linalg.svdvals(step.float())
        assert 0.6 < singular_values.min() <= singular_values.max() < 1.3


@pytest.mark.parametrize(("momentum", "nesterov", "decay"), [(0.8, True, 0.1), (0.9, False, 0.0), (0.0, False, 0.1)])
def test_sgd_equals_that_of_pytorch(momentum: float, nesterov: bool, decay: float) -> None:
    """Three steps are bit-identical to those of torch.optim.SGD."""
    network, reference_network = create_network(), create_network()
    options = recipe.OptimizerConfig(momentum=momentum, nesterov=nesterov, weight_decay=decay)
    optimizer = create_optimizer(options, network)
    reference = torch.optim.SGD(
        reference_network.parameters(), lr=0.3, momentum=momentum, nesterov=nesterov, weight_decay=decay, fused=True
    )
    take_steps(network, optimizer, 0.3, reference_network, reference)
    pairs = zip(network.parameters(), reference_network.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_adamw_equals_that_of_pytorch() -> None:
    """Three steps are bit-identical to those of torch.optim.AdamW without weight decay of batch norm and biases."""
    network, reference_network = create_network(), create_network()
    options = recipe.OptimizerConfig(name="adamw", momentum=0.8, weight_decay=0.1, head_lr_mult=2.0)
    optimizer = create_optimizer(options, network)
    parameters = [*reference_network.parameters()]
    groups = [
        {"params": [p for p in parameters if p.dim() == 4]},
        {"params": [p for p in parameters if p.dim() == 2], "lr": 0.04},
        {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=0.02, betas=(0.8, 0.999), weight_decay=0.1, fused=True)
    take_steps(network, optimizer, 0.02, reference_network, reference)
    assert all(map(torch.equal, network.parameters(), parameters))


def test_layer_decay_lowers_the_rate_of_earlier_layers() -> None:
    """By a factor for each layer with filters before the last, of which batch norm and biases are a part."""
    network = create_network()
    options = recipe.OptimizerConfig(layer_decay=0.5, head_lr_mult=3.0)
    assert create_optimizer(options, network).lr_mults == [0.5, 0.5, 0.5, 3.0, 1.0]


def test_layer_decay_counts_the_trained_stages_of_a_pretrained_network() -> None:
    """The head and the convolution before it have the rate itself; frozen stages do not count."""
    options = ModelConfig(name="efficientnet_lite1", weights="imagenet", freeze_stages=5)
    body = networks.build(options, 3, DataConfig(image_size=32, channels=3))
    optimizer = create_optimizer(recipe.OptimizerConfig(layer_decay=0.5), body)
    names = {parameter: name for name, parameter in body.named_parameters()}
    pairs = zip(optimizer.parameters, optimizer.lr_mults, strict=True)
    rates = {(".".join(names[parameter].split(".")[:2]), lr_mult) for parameter, lr_mult in pairs}
    stages = {("features.7", 0.25), ("features.8", 0.5), ("features.9", 1.0), ("features.10", 1.0)}
    assert rates == stages | {("head.linear", 1.0)}


@pytest.mark.parametrize("name", ["muon", "sgd"])
def test_each_kind_of_parameter_has_its_learning_rate(name: Literal["muon", "sgd"]) -> None:
    """The linear layer, norms and biases use their multipliers; filters use the base rate under SGD."""
    network = create_network()
    before = [parameter.detach().clone() for parameter in network.parameters()]
    options = recipe.OptimizerConfig(name=name, head_lr_mult=0.1, norm_bias_lr_mult=0.5, momentum=0.5)
    network(images(0)).square().sum().backward()
    create_optimizer(options, network).step(0.2)
    for old, parameter in list(zip(before, network.parameters(), strict=True))[name == "muon" :]:
        multiplier = {4: 1.0, 2: 0.1, 1: 0.5}[parameter.dim()]
        torch.testing.assert_close(parameter.detach(), old - 0.2 * multiplier * 1.5 * parameter.grad)


def test_muon_normalizes_filters_and_moves_them_by_the_rate() -> None:
    """The weights of n filters are scaled to norm sqrt(n), and the singular values of a step are about lr."""
    network = create_network()
    filters = network[0].weight
    filters.grad = torch.randn(filters.shape, generator=torch.Generator().manual_seed(0))
    scaled = filters.detach() * 8**0.5 / filters.detach().norm()
    create_optimizer(recipe.OptimizerConfig(name="muon", momentum=0.8), network).step(0.1)
    moved = torch.linalg.svdvals((filters.detach() - scaled).reshape(8, -1))
    assert 0.06 < moved.min() <= moved.max() < 0.13


def test_zero_grad_removes_the_gradients() -> None:
    """A step after it changes no parameter."""
    network = create_network()
    network(images(0)).square().sum().backward()
    optimizer = create_optimizer(recipe.OptimizerConfig(), network)
    optimizer.zero_grad()
    before = [parameter.detach().clone() for parameter in network.parameters()]
    optimizer.step(1.0)
    assert all(map(torch.equal, before, network.parameters()))
