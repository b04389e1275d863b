"""Optimizers of the user's own, by PyTorch's interface."""

from typing import Any

import pytest
import torch
from torch import nn

from modiste.errors import SettingError
from modiste.recipes.config import OptimizerConfig
from modiste.training.own_optimizer import OwnOptimizer, create_optimizer


def create_network() -> nn.Sequential:
    """A convolution in channels-last layout, a batch norm and a linear layer."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))
    return network.to(memory_format=torch.channels_last)


def create(name: str, network: nn.Module, **changes: Any) -> OwnOptimizer:
    """The optimizer of a factory."""
    return create_optimizer(OptimizerConfig(name=name, **changes), network, torch.float32)


def take_steps(network: nn.Module, optimizer: OwnOptimizer, steps: range) -> list[float]:
    """Take steps, and return the weights after them."""
    for step in steps:
        optimizer.zero_grad()
        images = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(step))
        network(images).square().sum().backward()
        optimizer.step(0.01 / (step + 1))
    return [value for parameter in network.parameters() for value in parameter.flatten().tolist()]


def test_groups_have_the_settings_of_the_recipe() -> None:
    """Learning rate by kind of layer, and no weight decay for vectors; without one it is left to the factory."""
    changes = {"lr": 0.1, "head_lr_mult": 2.0, "norm_bias_lr_mult": 3.0, "weight_decay": 0.5}
    optimizer = create("torch.optim:RMSprop", create_network(), options={"alpha": 0.8}, **changes)
    groups = optimizer.optimizer.param_groups
    assert [group["lr"] for group in groups] == pytest.approx([0.1, 0.3, 0.2])
    assert [(group["weight_decay"], group["alpha"]) for group in groups] == [(0.5, 0.8), (0.0, 0.8), (0.5, 0.8)]
    optimizer.step(1.0)
    assert [group["lr"] for group in groups] == [1.0, 3.0, 2.0]
    plain = create("torch.optim:RMSprop", create_network(), options={"weight_decay": 0.25})
    assert [group["weight_decay"] for group in plain.optimizer.param_groups] == [0.25] * 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("torch.optim:RMSprop", {"momentum": 0.9}),
        ("torch.optim:AdamW", {"fused": True, "amsgrad": True}),
        ("torch.optim:Adam", {"foreach": True}),
        ("torch.optim:Rprop", {}),
        ("helpers.factories:Counting", {}),
    ],
)
def test_its_state_is_restored_to_the_same_bits(name: str, options: dict[str, Any]) -> None:
    """Tensors, numbers and tuples, also of a network whose filters have another layout in memory."""
    network = create_network()
    optimizer = create(name, network, options=options)
    take_steps(network, optimizer, range(3))
    tensors = {key: value.clone().contiguous() for key, value in optimizer.state_tensors().items()}
    other = create_network()
    other.load_state_dict(network.state_dict())
    restored = create(name, other, options=options)
    restored.load_state_tensors(tensors)
    assert take_steps(other, restored, range(3, 6)) == take_steps(network, optimizer, range(3, 6))


def test_the_trial_changes_nothing() -> None:
    """The optimizer is tried on a copy of the network."""
    network = create_network()
    before = [parameter.clone() for parameter in network.parameters()]
    optimizer = create("torch.optim:AdamW", network)
    assert all(map(torch.equal, network.parameters(), before))
    assert not optimizer.optimizer.state_dict()["state"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("helpers.factories:fails", r"ValueError: of no use.*factories\.py, line \d+\). An optimizer's factory"),
        ("helpers.factories:returns_text", "returns a function"),
        ("helpers.factories:NoState", "which fails: TypeError: Object of type object is not JSON"),
        ("torch.optim:LBFGS", "which fails: ValueError: LBFGS"),
        ("torch.optim:Nadia", "has no attribute 'Nadia'"),
    ],
)
def test_an_optimizer_that_cannot_be_used_is_a_setting_error(name: str, message: str) -> None:
    """Before anything is trained."""
    with pytest.raises(SettingError, match=message):
        create(name, create_network())
