"""Learning rate and stopping as functions of the history."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from modiste.recipes import settings
from modiste.recipes.named import classic_cnn, sprint
from modiste.recipes.recipe import EarlyStoppingConfig
from modiste.runs.metrics_file import EpochMetrics, best_epoch
from modiste.training.schedule import Schedule, count_plateaus, one_cycle


def rows(losses: list[float], accuracies: list[float] | None = None) -> list[EpochMetrics]:
    """A history with these validation figures."""
    accuracies = accuracies or [0.5] * len(losses)
    return [
        EpochMetrics(i + 1, 1.0, 0.5, *pair, 0.01, 1.0) for i, pair in enumerate(zip(losses, accuracies, strict=True))
    ]


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_plateaus_are_those_of_pytorch(patience: int, seed: int) -> None:
    """On random losses the rate falls at the epochs at which PyTorch's ReduceLROnPlateau lets it fall."""
    losses = (1 / np.arange(1, 31) + np.random.default_rng(seed).normal(0, 0.05, 30)).clip(0.01).tolist()
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience)
    for epoch, loss in enumerate(losses):
        theirs.step(loss)
        assert 0.5 ** count_plateaus(losses[: epoch + 1], patience) == pytest.approx(
            optimizer.param_groups[0]["lr"], abs=2e-8
        )


def test_one_cycle_rises_and_falls() -> None:
    """The rate is 0 at both ends and at its peak where warm-up ends."""
    assert [one_cycle(done, 0.2) for done in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert one_cycle(0.0, 0.0) == 1


def test_the_rate_moves_within_an_epoch() -> None:
    """A triangle is followed step by step, not epoch by epoch."""
    schedule = Schedule(sprint())
    assert schedule.learning_rate([], 0.1) < schedule.learning_rate([], 0.2)


def test_no_step_of_one_cycle_has_rate_0() -> None:
    """No step is taken at rate 0, be it the only one; with `drop` the later epochs are the shorter ones."""
    schedule = Schedule(settings.with_settings(sprint(), {"schedule.epochs": 1}))
    assert schedule.learning_rate([], 0.5) > 0
    made = settings.with_settings(
        sprint(), {"schedule.epochs": 3, "schedule.skip_easy_fraction": 0.75, "schedule.warmup_fraction": 0}
    )
    rates = [Schedule(made).learning_rate(rows([0.1] * epochs), 0) / made.optimizer.lr for epochs in range(3)]
    assert rates == pytest.approx([1, 1 - 1 / 1.5, 1 - 1.25 / 1.5])


def test_early_stopping_waits_for_its_patience() -> None:
    """Training ends when so many epochs brought nothing lower, and the best epoch is the one that is kept."""
    recipe = replace(classic_cnn(), early_stopping=EarlyStoppingConfig(patience=2))
    losses = [0.5, 0.4, 0.41, 0.42]
    assert not Schedule(recipe).finished(rows(losses[:3]))
    assert Schedule(recipe).finished(rows(losses))
    assert best_epoch(rows(losses), recipe.early_stopping) == 2
    assert [Schedule(recipe).is_best(rows(losses[:n])) for n in (1, 2, 3)] == [True, True, False]


def test_accuracy_can_be_monitored() -> None:
    """`val_accuracy` keeps the most accurate epoch, whatever its loss."""
    history = rows([0.3, 0.4, 0.5], [0.8, 0.9, 0.85])
    assert best_epoch(history, EarlyStoppingConfig(monitor="val_accuracy", patience=5)) == 2
    assert best_epoch(history, EarlyStoppingConfig(monitor="val_loss", patience=5)) == 1


def test_without_patience_the_last_epoch_counts() -> None:
    """With patience 0 nothing stops early and nothing is chosen."""
    assert best_epoch(rows([0.1, 0.5]), EarlyStoppingConfig(patience=0)) == 2
