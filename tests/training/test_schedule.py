"""Learning rate schedules and early stopping."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from modiste.recipes import settings
from modiste.recipes.config import EarlyStoppingConfig
from modiste.recipes.named import classic_cnn, sprint
from modiste.runs.metrics_file import EpochMetrics, best_epoch
from modiste.training.schedule import Schedule, count_plateaus, one_cycle


def rows(losses: list[float], accuracies: list[float] | None = None) -> list[EpochMetrics]:
    """A history with these validation losses and accuracies."""
    accuracies = accuracies or [0.5] * len(losses)
    return [
        EpochMetrics(i + 1, 1.0, 0.5, *pair, 0.01, 1.0) for i, pair in enumerate(zip(losses, accuracies, strict=True))
    ]


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_reduce_on_plateau_equals_that_of_pytorch(patience: int, seed: int) -> None:
    """On random losses the rate falls at the same epochs as with ReduceLROnPlateau."""
    losses = (1 / np.arange(1, 31) + np.random.default_rng(seed).normal(0, 0.05, 30)).clip(0.01).tolist()
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience)
    for epoch, loss in enumerate(losses):
        reference.step(loss)
        assert 0.5 ** count_plateaus(losses[: epoch + 1], patience) == pytest.approx(
            optimizer.param_groups[0]["lr"], abs=2e-8
        )


def test_one_cycle_rises_and_falls() -> None:
    """The rate is 0 at both ends and highest at the end of the warm-up."""
    assert [one_cycle(done, 0.2) for done in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert one_cycle(0.0, 0.0) == 1


def test_the_one_cycle_rate_changes_within_an_epoch() -> None:
    """It is computed for each step."""
    schedule = Schedule(sprint())
    assert schedule.learning_rate([], 0.1) < schedule.learning_rate([], 0.2)


def test_the_one_cycle_rate_of_a_step_is_above_0() -> None:
    """Also for a single step; with `skip_easy_fraction` the later epochs are shorter."""
    schedule = Schedule(settings.with_settings(sprint(), {"schedule.epochs": 1}))
    assert schedule.learning_rate([], 0.5) > 0
    recipe = settings.with_settings(
        sprint(), {"schedule.epochs": 3, "schedule.skip_easy_fraction": 0.75, "schedule.warmup_fraction": 0}
    )
    rates = [Schedule(recipe).learning_rate(rows([0.1] * epochs), 0) / recipe.optimizer.lr for epochs in range(3)]
    assert rates == pytest.approx([1, 1 - 1 / 1.5, 1 - 1.25 / 1.5])


def test_training_stops_after_patience_epochs() -> None:
    """It ends when that many epochs brought no lower loss; the best epoch is the one with the lowest loss."""
    recipe = replace(classic_cnn(), early_stopping=EarlyStoppingConfig(patience=2))
    losses = [0.5, 0.4, 0.41, 0.42]
    assert not Schedule(recipe).finished(rows(losses[:3]))
    assert Schedule(recipe).finished(rows(losses))
    assert best_epoch(rows(losses), recipe.early_stopping) == 2
    assert [Schedule(recipe).is_best(rows(losses[:n])) for n in (1, 2, 3)] == [True, True, False]


def test_accuracy_can_be_monitored() -> None:
    """With `val_accuracy` the best epoch is the most accurate one, whatever its loss."""
    history = rows([0.3, 0.4, 0.5], [0.8, 0.9, 0.85])
    assert best_epoch(history, EarlyStoppingConfig(monitor="val_accuracy", patience=5)) == 2
    assert best_epoch(history, EarlyStoppingConfig(monitor="val_loss", patience=5)) == 1


def test_with_patience_0_the_last_epoch_is_used() -> None:
    """Nothing stops early and no epoch is chosen."""
    assert best_epoch(rows([0.1, 0.5]), EarlyStoppingConfig(patience=0)) == 2
