"""Learning rate, early stopping and the best epoch: pure functions of the history, which a checkpoint has."""

from dataclasses import dataclass

from modiste.recipes.recipe import Recipe
from modiste.runs.metrics_file import EpochMetrics, best_epoch

MIN_RELATIVE_IMPROVEMENT = 1e-4  # by which a loss must fall to count as lower; as in PyTorch's ReduceLROnPlateau


@dataclass(frozen=True, slots=True)
class Schedule:
    """Schedule and early stopping of a recipe. `history` is the metrics of the finished epochs."""

    recipe: Recipe

    def learning_rate(self, history: list[EpochMetrics], epoch_fraction: float) -> float:
        """Return the learning rate of a step; `epoch_fraction` is the share of its epoch done in its middle."""
        schedule, lr = self.recipe.schedule, self.recipe.optimizer.lr
        match schedule.name:
            case "reduce_on_plateau":
                losses = [metrics.val_loss for metrics in history if metrics.val_loss is not None]
                return lr * float(schedule.factor ** count_plateaus(losses, schedule.patience))
            case "one_cycle":
                return lr * one_cycle(self._training_fraction(len(history), epoch_fraction), schedule.warmup_fraction)
        return lr

    def _training_fraction(self, epochs: int, epoch_fraction: float) -> float:
        """Return the share of all steps: after the first epoch, each is shorter by the easy images it leaves out."""
        length = 1 - self.recipe.schedule.skip_easy_fraction
        total = 1 + length * (self.recipe.schedule.epochs - 1)
        return (1 + length * (epochs - 1 + epoch_fraction) if epochs else epoch_fraction) / total

    def finished(self, history: list[EpochMetrics]) -> bool:
        """Return whether this was the last epoch, or early stopping has run out of patience."""
        patience = self.recipe.early_stopping.patience
        epochs_since_best = len(history) - best_epoch(history, self.recipe.early_stopping)
        return len(history) >= self.recipe.schedule.epochs or (patience > 0 and epochs_since_best >= patience)

    def is_best(self, history: list[EpochMetrics]) -> bool:
        """Return whether the last epoch is the best so far."""
        return best_epoch(history, self.recipe.early_stopping) == len(history)


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
