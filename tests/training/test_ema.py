"""The moving average of a network."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from helpers.command import TINY
from modiste.models.normalized import NormalizedModel
from modiste.recipes import settings
from modiste.recipes.named import sprint
from modiste.training.build import Training, build_training
from modiste.training.ema import ModelEma


def network(weight: float) -> NormalizedModel:
    """A batch norm and a linear layer, all of whose numbers are the same."""
    body = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))
    for value in [*body.parameters(), *(b for b in body.buffers() if b.is_floating_point())]:
        value.data.fill_(weight)
    return NormalizedModel(body, torch.zeros(1), torch.ones(1))


@pytest.mark.parametrize("decay", [0.3, 0.99])
def test_it_is_the_exponential_moving_average_with_warmup(decay: float) -> None:
    """Bit for bit: of n steps, each keeps min(decay, n / (n + 9)); counters are copied; the network is unchanged."""
    model = network(1.0)
    ema, expected = ModelEma(model, decay), copy.deepcopy(model.state_dict())
    for step in range(1, 30):
        with torch.no_grad():
            for value in model.state_dict().values():
                value.add_(torch.rand(value.shape).to(value.dtype) + step % 2)
        before = copy.deepcopy(model.state_dict())
        ema.update_parameters(model)
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name])
            weight = 1 - min(decay, step / (step + 9))
            expected[name] = expected[name].lerp(value, weight) if value.is_floating_point() else value.clone()
    assert all(torch.equal(value, expected[name]) for name, value in ema.module.state_dict().items())


def training(idx: Path, decay: float) -> Training:
    """A tiny training with nothing held out."""
    small = dict(map(settings.parse_setting, (setting.removeprefix("--set=") for setting in TINY)))
    small |= {"data.source": str(idx), "optimizer.ema_decay": decay, "schedule.epochs": 1}
    return build_training(settings.with_settings(sprint(), small))


def test_the_average_is_evaluated(idx: Path) -> None:
    """It takes the place of the network, and every step updates it; without it the network is evaluated."""
    with_it, without = training(idx, 0.9), training(idx, 0.0)
    assert with_it.state.evaluated_model is with_it.state.ema.module is with_it.step.ema.module
    assert without.state.evaluated_model is without.state.network
    _, images, labels = next(with_it.batches(0, with_it.batches.order(0, with_it.state.losses)))
    before = [value.clone() for value in with_it.state.evaluated_model.parameters()]
    with_it.step(images, labels, 0.1, 0, 0)
    pairs = zip(before, with_it.state.evaluated_model.parameters(), strict=True)
    assert any(not torch.equal(old, new) for old, new in pairs)
    assert not any(value.requires_grad for value in with_it.state.evaluated_model.parameters())
