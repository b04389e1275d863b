"""Runs and results files in one record, to be compared and reported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from modiste.metrics import intervals
from modiste.metrics.intervals import Interval
from modiste.metrics.scores import Scores
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.runs import metrics_file
from modiste.runs.folder import Run
from modiste.runs.metrics_file import EpochMetrics
from modiste.runs.run_info import RunInfo

NOT_OF_THE_METHOD = {"seed", "name", "description", "data.fold", "compute.precision", "compute.device",
                     "compute.threads"}  # fmt: skip
"""Settings in which two trainings of the same method may differ."""

SCORES = ("balanced_accuracy", "macro_f1", "brier", "ece")
"""Scores beside accuracy and loss, by their names in scores.json and results files."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of one training; accuracy (a fraction) and loss (in nats) are None until it is evaluated.

    The seconds of all epochs include those of its teachers. Precision is bf16 or fp32; empty where not recorded. More
    scores are those of `SCORES`, as far as they are there; results files of earlier versions have none. The losses
    are those of each epoch, in training and on the validation split; empty where not recorded, and without the split.
    The number of groups of images is 0 where these have none.
    """

    seed: int
    accuracy: float | None
    loss: float | None
    epochs: int
    parameters: int
    seconds: float
    precision: str = ""
    fold: int = 0
    more_scores: Mapping[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    train_losses: tuple[float, ...] = ()
    val_losses: tuple[float, ...] = ()
    groups: int = 0

    def score(self, name: str) -> float | None:
        """Return accuracy, loss or one of `SCORES`; None where it is not there."""
        return self.more_scores.get(name) if name in SCORES else getattr(self, name)


@dataclass(frozen=True, slots=True)
class MethodResult:
    """The results of a method's trainings: of one run, or of all that a results file has.

    Args:
        recipe: of the trainings, except seed and fold; settings that a results file lacks have their defaults.
        split: that the trainings were evaluated on; empty when they were not.
        images: number of images of the split; of folds their sum.
        run_results: one per training, at least one.
        run: None for a results file, which has neither history nor scores.
        info: what the training of a run recorded; empty for a results file.
    """

    name: str
    recipe: Recipe
    split: str
    images: int
    run_results: tuple[RunResult, ...]
    hardware: str = ""
    run: Run | None = None
    history: tuple[EpochMetrics, ...] = ()
    scores: Scores | None = None
    info: RunInfo = field(default_factory=RunInfo)

    @property
    def n(self) -> int:
        """The number of trainings."""
        return len(self.run_results)

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The accuracy of each evaluated training."""
        return tuple(result.accuracy for result in self.run_results if result.accuracy is not None)

    @property
    def accuracy(self) -> float | None:
        """The mean accuracy; None without an evaluated training."""
        return fmean(self.accuracies) if self.accuracies else None

    @property
    def loss(self) -> float | None:
        """The mean cross-entropy; None likewise."""
        return self.mean("loss")

    def mean(self, score: str) -> float | None:
        """Return the mean of a score of its trainings, by the name in `RunResult`; None without any."""
        values = [value for result in self.run_results if (value := result.score(score)) is not None]
        return fmean(values) if values else None

    def by_seed(self, score: str = "accuracy") -> dict[tuple[int, int], float]:
        """Return a score of each evaluated training by its seed and fold."""
        scores = {(result.seed, result.fold): result.score(score) for result in self.run_results}
        return {key: value for key, value in scores.items() if value is not None}

    @property
    def unit(self) -> str:
        """What its trainings differ in: seeds, or folds."""
        return "folds" if len({result.fold for result in self.run_results}) > 1 else "seeds"

    @property
    def interval_images(self) -> Interval | None:
        """The 95 % interval of the mean accuracy over images; None where these have groups, but not with scores."""
        if self.scores or self.accuracy is None or self.has_groups:
            return self.scores.interval_images if self.scores else None
        return intervals.wilson_interval(round(self.accuracy * self.images), self.images)

    @property
    def has_groups(self) -> bool:
        """Whether the images that it was evaluated on come in groups."""
        return any(result.groups for result in self.run_results)

    @property
    def is_interval_approximate(self) -> bool:
        """Whether the interval over images is over too few groups to cover what it says."""
        return self.scores is not None and self.scores.is_interval_approximate

    @property
    def interval_seeds(self) -> Interval | None:
        """The 95 % interval of the mean accuracy over seeds; None for one."""
        return intervals.t_interval(self.accuracies, intervals.ACCURACY_BOUNDS)

    @property
    def epochs(self) -> float:
        """The mean number of epochs."""
        return fmean(result.epochs for result in self.run_results)

    @property
    def seconds(self) -> float:
        """The mean wall clock."""
        return fmean(result.seconds for result in self.run_results)

    @property
    def parameters(self) -> int:
        """The number of trained parameters."""
        return self.run_results[0].parameters

    @property
    def precisions(self) -> list[str]:
        """The precisions that the trainings recorded, sorted; more than one if they differ."""
        return sorted({result.precision for result in self.run_results if result.precision})

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, whose weights are the model's; 0 without a history."""
        return metrics_file.best_epoch(self.history, self.recipe.early_stopping)

    @property
    def chosen_on_split(self) -> bool:
        """Whether the epoch was chosen on the split that the accuracy is of, which makes it optimistic."""
        return self.split == "validation" and self.recipe.early_stopping.patience > 0

    @property
    def network(self) -> str:
        """The name of the network."""
        return self.recipe.model.name

    @property
    def uses_fashion_mnist(self) -> bool:
        """Whether its data are the official files of Fashion-MNIST."""
        return (self.info.dataset or self.recipe.data.source or "fashion-mnist") == "fashion-mnist"

    @property
    def dataset(self) -> str:
        """The name of the data, for a reader."""
        return "Fashion-MNIST" if self.uses_fashion_mnist else Path(self.info.dataset or self.recipe.data.source).name

    @property
    def on_fashion_mnist(self) -> bool:
        """Whether the accuracy is that on the official test split."""
        return self.split == "test" and self.uses_fashion_mnist

    @property
    def name_with_data(self) -> str:
        """The name, with that of the data where these are not Fashion-MNIST."""
        return self.name if self.uses_fashion_mnist else f"{self.name} ({self.dataset})"

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        keys = ("name", "dataset", "split", "images", "n", "accuracy", "interval_images", "interval_seeds", "loss",
                "epochs", "parameters", "seconds", "hardware", "precisions", "chosen_on_split")  # fmt: skip
        return {key: getattr(self, key) for key in keys} | {score: self.mean(score) for score in SCORES}


def setting_differences(one: MethodResult, other: MethodResult) -> dict[str, tuple[Any, Any]]:
    """Return the settings in which two methods differ, with both values."""
    values, other_values = settings.to_settings(one.recipe), settings.to_settings(other.recipe)
    keys = [key for key in values if values[key] != other_values[key] and key not in NOT_OF_THE_METHOD]
    return {key: (values[key], other_values[key]) for key in keys}


def has_same_precision(one: MethodResult, other: MethodResult) -> bool:
    """Return whether two methods were trained in the same precision, as far as it is recorded."""
    return not (one.precisions and other.precisions) or one.precisions == other.precisions
