"""The learning rate, when to stop, and which epoch was best: pure functions of the epochs so far.

Nothing here has a state, so nothing of it must be saved: a resumed training reads the same history and comes to the
same answers.
"""

from dataclasses import dataclass

from modiste.recipes.recipe import Recipe
from modiste.runs.metrics_file import EpochMetrics, best_epoch

IMPROVEMENT = 1e-4  # as PyTorch's ReduceLROnPlateau: a loss is lower when it is lower by this share


@dataclass(frozen=True, slots=True)
class Schedule:
    """The schedule and stopping of a recipe; `history` is the rows of the finished epochs."""

    recipe: Recipe

    def learning_rate(self, history: list[EpochMetrics], within: float) -> float:
        """Return the rate for a step; `within` is the share of its epoch that is done in the middle of it."""
        schedule, peak = self.recipe.schedule, self.recipe.optimizer.lr
        match schedule.name:
            case "reduce_on_plateau":
                losses = [row.val_loss for row in history if row.val_loss is not None]
                return peak * float(schedule.factor ** plateaus(losses, schedule.patience))
            case "one_cycle":
                return peak * triangle(self._done(len(history), within), schedule.warmup_fraction)
        return peak

    def _done(self, epochs: int, within: float) -> float:
        """Share of all steps: the first epoch takes every image, each other one what `drop` leaves."""
        left = 1 - self.recipe.schedule.skip_easy_fraction
        whole = 1 + left * (self.recipe.schedule.epochs - 1)
        return (1 + left * (epochs - 1 + within) if epochs else within) / whole

    def finished(self, history: list[EpochMetrics]) -> bool:
        """Say whether the last epoch is done, or patience is at its end."""
        patience = self.recipe.early_stopping.patience
        waited = len(history) - best_epoch(history, self.recipe.early_stopping)
        return len(history) >= self.recipe.schedule.epochs or (patience > 0 and waited >= patience)

    def is_best(self, history: list[EpochMetrics]) -> bool:
        """Say whether the weights of the epoch that was just finished are the ones to keep so far."""
        return best_epoch(history, self.recipe.early_stopping) == len(history)


def plateaus(losses: list[float], patience: int) -> int:
    """Count how often the losses stalled for more than `patience` epochs, as PyTorch's ReduceLROnPlateau counts."""
    count, waited, best = 0, 0, float("inf")
    for loss in losses:
        if loss < best * (1 - IMPROVEMENT):
            best, waited = loss, 0
        else:
            waited += 1
        if waited > patience:
            count, waited = count + 1, 0
    return count


def triangle(done: float, warmup: float) -> float:
    """Rise linearly from 0 to 1 over the share `warmup` of the training, then fall linearly to 0."""
    return done / warmup if done < warmup else (1 - done) / (1 - warmup)
