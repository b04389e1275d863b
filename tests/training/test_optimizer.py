"""SGD, and Muon for filters."""

from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from modiste.recipes import recipe
from modiste.training.optimizer import create_optimizer, orthogonalize


def network() -> nn.Sequential:
    """Filters, batch norm, a linear layer."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))


def images(seed: int) -> Tensor:
    """Four images of 3 x 3 pixels."""
    return torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_steps_are_nearly_orthogonal(precision: torch.dtype) -> None:
    """Singular values from 0.1 to 10 all come to about 1, for wide and for tall matrices."""
    torch.manual_seed(0)
    for shape in ((16, 144), (144, 16)):
        u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
        step = orthogonalize(u @ torch.diag(torch.logspace(-1, 1, 16)) @ v, precision)
        found = torch.linalg.svdvals(step.float())
        assert 0.6 < found.min() <= found.max() < 1.3


@pytest.mark.parametrize(("momentum", "nesterov", "decay"), [(0.8, True, 0.1), (0.9, False, 0.0), (0.0, False, 0.1)])
def test_sgd_is_pytorchs(momentum: float, nesterov: bool, decay: float) -> None:
    """Every parameter moves as under torch.optim.SGD, bit for bit."""
    ours, theirs = network(), network()
    options = recipe.OptimizerConfig(momentum=momentum, nesterov=nesterov, weight_decay=decay)
    mine = create_optimizer(options, ours)
    reference = torch.optim.SGD(
        theirs.parameters(), lr=0.3, momentum=momentum, nesterov=nesterov, weight_decay=decay, fused=True
    )
    for step in range(3):
        for made in (ours, theirs):
            made.zero_grad()
            made(images(step)).square().sum().backward()
        mine.step(0.3)
        reference.step()
    assert all(torch.equal(here, there) for here, there in zip(ours.parameters(), theirs.parameters(), strict=True))


@pytest.mark.parametrize("name", ["muon", "sgd"])
def test_each_kind_of_parameter_has_a_rate(name: Literal["muon", "sgd"]) -> None:
    """The linear layer and the vectors move by their multiples of the rate, and so do filters under plain SGD."""
    made = network()
    before = [parameter.detach().clone() for parameter in made.parameters()]
    options = recipe.OptimizerConfig(name=name, head_lr_mult=0.1, norm_bias_lr_mult=0.5, momentum=0.5)
    made(images(0)).square().sum().backward()
    create_optimizer(options, made).step(0.2)
    for old, parameter in list(zip(before, made.parameters(), strict=True))[name == "muon" :]:
        share = {4: 1.0, 2: 0.1, 1: 0.5}[parameter.dim()]
        torch.testing.assert_close(parameter.detach(), old - 0.2 * share * 1.5 * parameter.grad)


def test_filters_keep_their_norm_and_move_by_the_rate() -> None:
    """A bank of n filters has norm sqrt(n) before a step, and a step moves it by about lr in each direction."""
    made = network()
    filters = made[0].weight
    filters.grad = torch.randn(filters.shape, generator=torch.Generator().manual_seed(0))
    scaled = filters.detach() * 8**0.5 / filters.detach().norm()
    create_optimizer(recipe.OptimizerConfig(name="muon", momentum=0.8), made).step(0.1)
    moved = torch.linalg.svdvals((filters.detach() - scaled).reshape(8, -1))
    assert 0.06 < moved.min() <= moved.max() < 0.13


def test_gradients_are_forgotten() -> None:
    """After `zero_grad` a step moves nothing."""
    made = network()
    made(images(0)).square().sum().backward()
    mine = create_optimizer(recipe.OptimizerConfig(), made)
    mine.zero_grad()
    before = [parameter.detach().clone() for parameter in made.parameters()]
    mine.step(1.0)
    assert all(map(torch.equal, before, made.parameters()))
