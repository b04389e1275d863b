"""Learning rate, early stopping and the best epoch: pure functions of the history, which a checkpoint has."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modiste.errors import SettingError
from modiste.recipes import factories
from modiste.recipes.ranges import is_factory
from modiste.recipes.recipe import Recipe
from modiste.runs.metrics_file import EpochMetrics, best_epoch

MIN_RELATIVE_IMPROVEMENT = 1e-4  # by which a loss must fall to count as lower; as in PyTorch's ReduceLROnPlateau

CONTRACT = (
    "A schedule's factory takes epochs and schedule.options by keyword and returns a function of the fraction of the "
    "training that is done and the metrics of the finished epochs, which returns a multiple of optimizer.lr."
)

Multiple = Callable[[float, list[EpochMetrics]], float]
"""From the fraction of the training that is done, and the finished epochs, to a multiple of the learning rate."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Schedule and early stopping of a recipe. `history` is the metrics of the finished epochs.

    Args:
        recipe: with its schedule and early stopping.
        own: the user's own schedule, where the recipe names one.
        continued_epochs: of the run that this one continues; patience is counted from there.
    """

    recipe: Recipe
    own: Multiple | None = None
    continued_epochs: int = 0

    def learning_rate(self, history: list[EpochMetrics], epoch_fraction: float) -> float:
        """Return the learning rate of a step; `epoch_fraction` is the share of its epoch done in its middle."""
        schedule, lr = self.recipe.schedule, self.recipe.optimizer.lr
        if schedule.name == "constant":
            return lr
        if schedule.name == "reduce_on_plateau":
            losses = [metrics.val_loss for metrics in history if metrics.val_loss is not None]
            return lr * float(schedule.factor ** count_plateaus(losses, schedule.patience))
        fraction = self._training_fraction(len(history), epoch_fraction)
        if self.own:
            return lr * self._own_multiple(self.own, fraction, history)
        shape = one_cycle if schedule.name == "one_cycle" else cosine
        return lr * shape(fraction, schedule.warmup_fraction)

    def _own_multiple(self, own: Multiple, fraction: float, history: list[EpochMetrics]) -> float:
        multiple: Any = own(fraction, [*history])
        if not isinstance(multiple, int | float) or not 0 <= multiple < math.inf:
            raise SettingError(
                f"schedule.name is {self.recipe.schedule.name!r}, whose function returns {multiple!r} where "
                f"{fraction:.0%} are done, but it must return a number of at least 0."
            )
        return float(multiple)

    def _training_fraction(self, epochs: int, epoch_fraction: float) -> float:
        """Return the share of all steps: after the first epoch, each is shorter by the easy images it leaves out."""
        length = 1 - self.recipe.schedule.skip_easy_fraction
        total = 1 + length * (self.recipe.schedule.epochs - 1)
        return (1 + length * (epochs - 1 + epoch_fraction) if epochs else epoch_fraction) / total

    def finished(self, history: list[EpochMetrics]) -> bool:
        """Return whether this was the last epoch, or early stopping has run out of patience."""
        patience = self.recipe.early_stopping.patience
        best = max(best_epoch(history, self.recipe.early_stopping), self.continued_epochs)
        epochs_since_best = len(history) - best
        return len(history) >= self.recipe.schedule.epochs or (patience > 0 and epochs_since_best >= patience)

    def is_best(self, history: list[EpochMetrics]) -> bool:
        """Return whether the last epoch is the best so far."""
        return best_epoch(history, self.recipe.early_stopping) == len(history)


def create_schedule(recipe: Recipe, continued_epochs: int = 0) -> Schedule:
    """Return the schedule of a recipe; raise a SettingError if it is of the user's own and fails."""
    name, options, epochs = recipe.schedule.name, recipe.schedule.options, recipe.schedule.epochs
    if not is_factory(name):
        return Schedule(recipe, None, continued_epochs)
    factory = factories.find("schedule.name", name)
    with factories.explained("schedule.name", name, CONTRACT, factory):
        schedule = Schedule(recipe, factory(epochs=epochs, **options), continued_epochs)
        schedule.learning_rate([], 0.0)  # fails now, not after the data was read and a run was made
    return schedule


def count_plateaus(losses: list[float], patience: int) -> int:
    """Count how often the losses did not fall for more than `patience` epochs, as PyTorch's ReduceLROnPlateau does."""
    count, bad_epochs, best = 0, 0, float("inf")
    for loss in losses:
        if loss < best * (1 - MIN_RELATIVE_IMPROVEMENT):
            best, bad_epochs = loss, 0
        else:
            bad_epochs += 1
        if bad_epochs > patience:
            count, bad_epochs = count + 1, 0
    return count


def one_cycle(fraction: float, warmup_fraction: float) -> float:
    """Return the share of the peak learning rate: linear from 0 to 1 in the warm-up, then linear to 0 (Smith 2018).

    `fraction` of the training is done, from 0 to 1; the warm-up is its first `warmup_fraction`.
    """
    return fraction / warmup_fraction if fraction < warmup_fraction else (1 - fraction) / (1 - warmup_fraction)


def cosine(fraction: float, warmup_fraction: float) -> float:
    """Return the share of the peak learning rate: linear from 0 to 1 in the warm-up, then half a cosine to 0.

    By Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts; `fraction` of the training is done, from 0 to 1.
    """
    if fraction < warmup_fraction:
        return fraction / warmup_fraction
    return (1 + math.cos(math.pi * (fraction - warmup_fraction) / (1 - warmup_fraction))) / 2
