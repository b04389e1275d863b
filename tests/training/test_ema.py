"""The average of a network over its last steps."""

from pathlib import Path

import torch

from helpers.command import TINY
from modiste.models.normalized import NormalizedModel
from modiste.recipes import settings
from modiste.recipes.named import sprint
from modiste.training.ema import ModelEma
from modiste.training.run import Training, prepare


def network(weight: float) -> NormalizedModel:
    """A batch norm and a linear layer, all of whose numbers are the same."""
    body = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1))
    for value in [*body.parameters(), *(b for b in body.buffers() if b.is_floating_point())]:
        value.data.fill_(weight)
    return NormalizedModel(body, torch.zeros(1), torch.ones(1))


def test_it_follows_weights_and_statistics() -> None:
    """The first steps keep less than the later ones; counters are taken as they are; the network is left alone."""
    average, followed = ModelEma(network(1.0), 0.5), network(0.0)
    followed.body[0].num_batches_tracked += 7
    average.follow(followed)
    first, last = 1 / 10, 0.5
    assert torch.allclose(average.network.body[1].weight, torch.full((1, 2), first))
    assert torch.allclose(average.network.body[0].running_var, torch.full((2,), first))
    assert average.network.body[0].num_batches_tracked == 7
    average.steps += 1000
    average.follow(followed)
    assert torch.allclose(average.network.body[1].weight, torch.full((1, 2), first * last))
    assert not followed.body[1].weight.any()
    assert (average.network.mean, average.network.std) == (0, 1)


def trained(idx: Path, average: float) -> Training:
    """A tiny training with a constant rate, nothing held out, judged by its kept weights."""
    small = dict(map(settings.parse_setting, (setting.removeprefix("--set=") for setting in TINY)))
    small |= {"data.source": str(idx), "optimizer.ema_decay": average, "schedule.epochs": 1}
    return prepare(settings.with_settings(sprint(), small))


def test_the_average_is_what_counts(idx: Path) -> None:
    """It is judged and kept in the place of the network; without it the network is."""
    with_it, without = trained(idx, 0.9), trained(idx, 0.0)
    assert with_it.state.evaluated_model is with_it.state.average.network is with_it.step.average.network
    assert without.state.evaluated_model is without.state.network
    _, images, labels = next(with_it.batches(0, with_it.batches.order(0, with_it.state.losses)))
    before = [value.clone() for value in with_it.state.evaluated_model.parameters()]
    with_it.step(images, labels, 0.1, 0, 0)
    moved = [not torch.equal(a, b) for a, b in zip(before, with_it.state.evaluated_model.parameters(), strict=True)]
    assert any(moved)
    assert not any(value.requires_grad for value in with_it.state.evaluated_model.parameters())
