"""What is put side by side: a run, or the runs behind a results file, in one record."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from modiste.errors import InputError, SettingError
from modiste.inference.prediction import printable
from modiste.metrics import intervals, scores
from modiste.metrics.intervals import Interval
from modiste.metrics.scores import SPLITS, Scores
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe, Settings
from modiste.runs import folder, metrics_file, parsing, results, run_info
from modiste.runs.folder import Run
from modiste.runs.metrics_file import EpochMetrics

INCIDENTAL = ("seed", "name", "description", "data.fold", "compute.precision", "compute.device", "compute.threads")
"""Settings in which two trainings of the same method may differ."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What one training came to.

    Args:
        seed: of the training.
        accuracy: fraction right on the entry's split; None when nobody has judged it.
        loss: cross-entropy likewise.
        epochs: trained, not kept.
        parameters: numbers that training changes.
        seconds: wall clock of all epochs, those of its teachers among them.
        precision: bf16 or fp32; empty in old records.
    """

    seed: int
    accuracy: float | None
    loss: float | None
    epochs: int
    parameters: int
    seconds: float
    precision: str = ""


@dataclass(frozen=True, slots=True)
class MethodResult:
    """A method with what its trainings came to.

    Args:
        name: of the run or the results file.
        recipe: that its trainings share, but for seed and fold; what a results file is too old for has its default.
        split: that they were judged on; empty when nobody has judged them.
        images: that they were judged on; of folds all label_groups.
        run_results: one a training, at least one.
        hardware: that they ran on.
        run: the run folder, where it is one.
        history: its epochs.
        scores: of the run on that split.
        dataset: its name as the training recorded it; empty where only the recipe says.
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
    dataset: str = ""

    @property
    def n(self) -> int:
        """How many trainings."""
        return len(self.run_results)

    @property
    def accuracies(self) -> tuple[float, ...]:
        """One a judged training, as fractions."""
        return tuple(outcome.accuracy for outcome in self.run_results if outcome.accuracy is not None)

    @property
    def accuracy(self) -> float | None:
        """Mean over the trainings; None when nobody has judged them."""
        return fmean(self.accuracies) if self.accuracies else None

    @property
    def loss(self) -> float | None:
        """Mean cross-entropy likewise."""
        losses = [outcome.loss for outcome in self.run_results if outcome.loss is not None]
        return fmean(losses) if losses else None

    @property
    def interval_images(self) -> Interval | None:
        """95 % interval of the mean accuracy over images."""
        return (
            intervals.wilson_interval(round(fmean(self.accuracies) * self.images), self.images)
            if self.accuracies
            else None
        )

    @property
    def interval_seeds(self) -> Interval | None:
        """95 % interval of the mean accuracy over seeds; None for one."""
        return intervals.t_interval(self.accuracies)

    @property
    def epochs(self) -> float:
        """Mean of the epochs trained."""
        return fmean(outcome.epochs for outcome in self.run_results)

    @property
    def seconds(self) -> float:
        """Mean of the wall clock."""
        return fmean(outcome.seconds for outcome in self.run_results)

    @property
    def parameters(self) -> int:
        """Of its network."""
        return self.run_results[0].parameters

    @property
    def precisions(self) -> list[str]:
        """The precisions of its trainings, each once."""
        return sorted({outcome.precision for outcome in self.run_results} - {""})

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights count, from 1; 0 without a history."""
        return metrics_file.best_epoch(list(self.history), self.recipe.early_stopping) if self.history else 0

    @property
    def network(self) -> str:
        """Name of its network."""
        return self.recipe.model.name

    @property
    def uses_fashion_mnist(self) -> bool:
        """Whether its data are the official files of Fashion-MNIST."""
        return (self.dataset or self.recipe.data.source or "fashion-mnist") == "fashion-mnist"

    @property
    def on_fashion_mnist(self) -> bool:
        """Whether it was evaluated on the official test split."""
        return self.split == "test" and self.uses_fashion_mnist

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON has them."""
        keys = ("name", "split", "images", "n", "accuracy", "interval_images", "interval_seeds", "loss", "epochs",
                "parameters", "seconds", "hardware")  # fmt: skip
        return {key: getattr(self, key) for key in keys}


def read_methods(paths: Sequence[Path]) -> list[MethodResult]:
    """Open runs and results files, in their order, each under a name of its own.

    Where names are the same, the folders above are named as far as they tell the paths apart; a results file keeps its
    name beside a run.

    Raises:
        InputError: one of them is neither, or is damaged.
    """
    entries = [read_results(path) if path.suffix == ".json" else read_run(path) for path in paths]
    runs = [entry.run.path.resolve() for entry in entries if entry.run]
    results = [_place(path) for entry, path in zip(entries, paths, strict=True) if not entry.run]
    return [
        replace(entry, name=printable(_ending(_place(path), runs + results if entry.run else results)))
        for entry, path in zip(entries, paths, strict=True)
    ]


def read_run(path: Path) -> MethodResult:
    """Open a run folder; its test scores count, else its validation scores, else it is not judged.

    Raises:
        InputError: there is no run, it is not finished, or its files are damaged.
    """
    run = folder.open_run(path)
    recipe, history, known = run.recipe(), tuple(metrics_file.read(run.metrics)), run_info.read(run)
    split, found = _judged(run)
    accuracy, loss, images = (found.accuracy, found.loss, found.n) if found else (None, None, 0)
    seconds = metrics_file.total_seconds(history) + known.teacher_seconds
    outcome = RunResult(recipe.seed, accuracy, loss, len(history), known.parameters, seconds, known.precision)
    return MethodResult(run.name, recipe, split, images, (outcome,), known.hardware, run, history, found, known.dataset)


def read_results(path: Path) -> MethodResult:
    """Open a results file; raises InputError when it is missing or holds no trainings."""
    return parse_results(path.stem, results.read(path), str(path))


def parse_results(name: str, content: dict[str, Any], origin: str) -> MethodResult:
    """Make an entry of a results file's content; raises InputError when it holds no trainings."""
    split = str(content.get("split", "test"))
    with parsing.as_input_error(f"{origin} holds no trainings judged on {split}. Give one that `modiste bench` wrote."):
        run_results = tuple(_outcome(record, split) for record in content["runs"])
        images = results.count_images(content["runs"], split)
        if split not in SPLITS or images < 1:
            raise ValueError(split)
        shared = dict(content["settings"])
    try:
        recipe = settings.with_settings(Recipe(), shared)
    except SettingError as error:
        raise InputError(f"{origin} has settings that no recipe has: {error}") from None
    return MethodResult(name, recipe, split, images, run_results, str(content["hardware"]))


def method_settings(entry: MethodResult) -> Settings:
    """The settings that make the method: all but what may differ between its trainings."""
    return {key: value for key, value in settings.to_settings(entry.recipe).items() if key not in INCIDENTAL}


def setting_differences(one: MethodResult, other: MethodResult) -> dict[str, tuple[Any, Any]]:
    """The settings in which two methods differ, with both values."""
    here, there = method_settings(one), method_settings(other)
    return {key: (here[key], there[key]) for key in here if here[key] != there[key]}


def pool_runs(name: str, entries: Iterable[MethodResult]) -> MethodResult | None:
    """Make one entry of the runs of the first one's method, each seed once; None when none is judged on test."""
    judged = [entry for entry in entries if entry.split == "test" and entry.n == 1]
    if not judged:
        return None
    first = judged[0]
    by_seed = {entry.run_results[0].seed: entry for entry in judged if not setting_differences(first, entry)}
    run_results = tuple(entry.run_results[0] for _, entry in sorted(by_seed.items()))
    return MethodResult(
        name, first.recipe, first.split, first.images, run_results, first.hardware, dataset=first.dataset
    )


def _judged(run: Run) -> tuple[str, Scores | None]:
    """The split that a run's scores are told of, and these scores; nothing when nobody has judged it."""
    judged = scores.read_scores(run.scores)
    split = next((split for split in SPLITS if split in judged), "")
    return split, Scores.from_dict(judged[split], str(run.scores)) if split else None


def _place(path: Path) -> Path:
    """Where a run or a results file is, without the suffix."""
    place = path.resolve()
    return place.with_suffix("") if place.suffix == ".json" else place


def _ending(place: Path, places: Sequence[Path]) -> str:
    """The shortest end of a path that none of the other paths ends in."""
    lengths = range(1, len(place.parts))
    others = [other.parts for other in places if other != place]
    ends = [place.parts[-n:] for n in lengths if all(other[-n:] != place.parts[-n:] for other in others)]
    return "/".join(ends[0]) if ends else str(place)


def _outcome(record: dict[str, Any], split: str) -> RunResult:
    """Read a record of a results file; raises ValueError when its accuracy is no share, or its loss no number."""
    accuracy, loss = float(record["accuracy"]), float(record["loss"])
    if not 0 <= accuracy <= 1 or not math.isfinite(loss):
        raise ValueError(record)
    numbers = int(record["epochs"]), int(record["parameters"]), results.total_seconds(record)
    return RunResult(int(record["seed"]), accuracy, loss, *numbers, str(record.get("precision", "")))
