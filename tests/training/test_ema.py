"""The moving average of a network."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from helpers.command import TINY, parse
from modiste.models.normalized import NormalizedModel
from modiste.recipes import settings
from modiste.recipes.named import sprint
from modiste.training.build import Training, build_training
from modiste.training.ema import ModelEma


def network(weight: float) -> NormalizedModel:
    """A batch norm and a linear layer; all parameters and buffers have the same value."""
    body = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))
    for value in [*body.parameters(), *(b for b in body.buffers() if b.is_floating_point())]:
        value.data.fill_(weight)
    return NormalizedModel(body, torch.zeros(1), torch.ones(1))


@pytest.mark.parametrize("decay", [0.3, 0.99])
def test_the_average_is_exponential_with_warmup(decay: float) -> None:
    """The decay of step n is min(decay, n / (n + 9)); integer buffers are copied; the network is unchanged."""
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


def test_the_evaluated_model_has_a_share_of_the_initial_weights() -> None:
    """Three parts of 2.0 and one of the initial 1.0; the average itself is not changed, nor are integers."""
    model = network(1.0)
    ema = ModelEma(model, decay=0.5, initial_weight=0.25)
    for name, value in ema.module.state_dict().items():
        value.fill_(7 if name.endswith("tracked") else 2.0)
    for name, value in ema.evaluated_model.body.state_dict().items():
        expected = 7.0 if name.endswith("tracked") else 1.75
        torch.testing.assert_close(value.double(), torch.full_like(value, expected, dtype=torch.float64))
    assert ema.module.state_dict()["body.1.weight"].eq(2).all()
    assert ModelEma(model, decay=0.5).evaluated_model.state_dict()["body.1.weight"].eq(1).all()


def training(idx: Path, decay: float) -> Training:
    """A tiny training without validation images."""
    small = parse(*TINY) | {"data.source": str(idx), "optimizer.ema_decay": decay, "schedule.epochs": 1}
    return build_training(settings.with_settings(sprint(), small))


def test_the_average_is_evaluated(idx: Path) -> None:
    """Every step updates it; without an average the network itself is evaluated."""
    with_ema, without = training(idx, 0.9), training(idx, 0.0)
    assert with_ema.state.evaluated_model is with_ema.state.ema.module is with_ema.step.ema.module
    assert without.state.evaluated_model is without.state.network
    _, images, labels = next(with_ema.batches(0, with_ema.batches.order(0, with_ema.state.losses)))
    before = [value.clone() for value in with_ema.state.evaluated_model.parameters()]
    with_ema.step(images, labels, 0.1, 0, 0)
    pairs = zip(before, with_ema.state.evaluated_model.parameters(), strict=True)
    assert any(not torch.equal(old, new) for old, new in pairs)
    assert not any(value.requires_grad for value in with_ema.state.evaluated_model.parameters())
