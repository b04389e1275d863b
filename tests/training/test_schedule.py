"""Learning rate schedules and early stopping."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from modiste.errors import SettingError
from modiste.recipes import settings
from modiste.recipes.config import EarlyStoppingConfig
from modiste.recipes.named import classic_cnn, sprint
from modiste.runs.metrics_file import EpochMetrics, best_epoch
from modiste.training.schedule import Schedule, cosine, count_plateaus, create_schedule, one_cycle


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


def test_cosine_equals_that_of_pytorch_after_the_warm_up() -> None:
    """Linear to the maximum, then half a cosine to 0."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=80)
    for step in range(81):
        assert cosine(0.2 + step / 100, 0.2) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        reference.step()
    assert [cosine(done, 0.2) for done in (0.0, 0.1, 1.0)] == pytest.approx([0, 0.5, 0])
    assert cosine(0.0, 0.0) == 1


def test_a_schedule_of_the_users_own_gets_the_fraction_that_is_done() -> None:
    """And the metrics of the finished epochs; it returns a multiple of the learning rate."""
    changes = {"schedule.name": "helpers.factories:polynomial", "schedule.options.power": 2, "schedule.epochs": 4}
    recipe = settings.with_settings(classic_cnn(), changes)
    schedule = create_schedule(recipe)
    assert schedule.learning_rate(rows([0.1, 0.1]), 0.0) == pytest.approx(0.25 * recipe.optimizer.lr)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fails", r"ValueError: of no use.*factories\.py, line \d+\). A schedule's factory"),
        ("fails_when_called", r"factories\.py, line \d+"),
        ("returns_text", "returns 'text' where 0% are done"),
    ],
)
def test_a_schedule_that_cannot_be_used_is_a_setting_error(name: str, message: str) -> None:
    """Before anything is trained."""
    with pytest.raises(SettingError, match=message):
        create_schedule(settings.with_settings(sprint(), {"schedule.name": f"helpers.factories:{name}"}))


def test_the_patience_of_a_continued_run_is_counted_anew() -> None:
    """A run that was stopped early can be trained on."""
    recipe = settings.with_settings(classic_cnn(), {"early_stopping.patience": 2, "early_stopping.monitor": "val_loss"})
    history = rows([0.1, 0.2, 0.3])
    assert Schedule(recipe).finished(history)
    continued = Schedule(recipe, continued_epochs=3)
    assert not continued.finished(history)
    assert not continued.finished(rows([0.1, 0.2, 0.3, 0.4]))
    assert continued.finished(rows([0.1, 0.2, 0.3, 0.4, 0.5]))


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
