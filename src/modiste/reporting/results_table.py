"""Runs and results files in one record, to be compared and reported."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from modiste.errors import InputError, SettingError
from modiste.inference.prediction import printable
from modiste.metrics import intervals
from modiste.metrics.intervals import Interval
from modiste.metrics.scores import SPLITS, Scores, read_scores
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.runs import folder, metrics_file, parsing, results, run_info
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


def read_methods(paths: Sequence[Path]) -> list[MethodResult]:
    """Read runs and results files, each once, in their order; an InputError names a damaged one.

    Equal names get as many parent folders as tell them apart; a results file keeps its name beside a run.
    """
    paths = unique_paths(paths)
    return with_unique_names(list(map(read_method, paths)), paths)


def unique_paths(paths: Iterable[Path]) -> list[Path]:
    """Return the paths without those of the same file or folder as an earlier one."""
    return list({path.resolve(): path for path in paths}.values())


def with_unique_names(methods: Sequence[MethodResult], paths: Sequence[Path]) -> list[MethodResult]:
    """Name each method by the end of its path that tells it apart; a results file keeps its name beside a run."""
    places = [Path(str(path.resolve()).removesuffix(".json")) for path in paths]
    files = [place for method, place in zip(methods, places, strict=True) if not method.run]
    return [
        replace(method, name=printable(_shortest_unique_end(place, places if method.run else files)))
        for method, place in zip(methods, places, strict=True)
    ]


def read_method(path: Path) -> MethodResult:
    """Read a run folder or a results file, by its suffix; raises InputError if it is neither."""
    return read_results(path) if path.suffix == ".json" else read_run(path)


def read_run(path: Path) -> MethodResult:
    """Read a run folder with its test scores, else its validation scores, else without scores."""
    run = folder.open_run(path)
    recipe, history, info = run.recipe(), tuple(metrics_file.read(run.metrics)), run_info.read(run)
    by_split = read_scores(run.scores)
    split = next((split for split in SPLITS if split in by_split), "")
    scores = Scores.from_dict(by_split[split], str(run.scores)) if split else None
    accuracy, loss, images = (scores.accuracy, scores.loss, scores.n) if scores else (None, None, 0)
    seconds = metrics_file.total_seconds(history) + info.teacher_seconds
    best_epoch = metrics_file.best_epoch(history, recipe.early_stopping)
    result = RunResult(
        recipe.seed, accuracy, loss, len(history), info.parameters, seconds, info.precision, recipe.data.fold,
        more_scores(scores), best_epoch, *metrics_file.losses(history),
        groups=(scores and scores.n_groups) or 0,
    )  # fmt: skip
    return MethodResult(run.name, recipe, split, images, (result,), info.hardware, run, history, scores, info)


def more_scores(scores: Scores | None) -> dict[str, float]:
    """Return those of `SCORES` that are there."""
    return {name: value for name in SCORES if (value := getattr(scores, name, None)) is not None}


def read_results(path: Path) -> MethodResult:
    """Read a results file; raises InputError when it is missing or has no trainings."""
    return parse_results(path.stem, results.read(path), str(path))


def parse_results(name: str, content: dict[str, Any], origin: str) -> MethodResult:
    """Parse the content of the results file `origin`, which an InputError names."""
    split, records, shared_settings = content.get("split", "test"), content["runs"], content.get("settings")
    if split not in SPLITS or not isinstance(records, list) or not records:
        raise InputError(f"{origin} has no trainings evaluated on test or validation. Give a file of `modiste bench`.")
    if not isinstance(shared_settings, dict):
        raise InputError(f"{origin} has no settings that all its trainings share. Give a file of `modiste bench`.")
    run_results = tuple(_parse_record(record, origin, place) for place, record in enumerate(records, 1))
    seeds = [(result.seed, result.fold) for result in run_results]
    if twice := [seed for seed in seeds if seeds.count(seed) > 1]:
        seed, fold = twice[0]
        raise InputError(f"{origin} has seed {seed} of fold {fold} twice. {results.REPEAT}")
    try:
        recipe = settings.with_settings(Recipe(), shared_settings)
    except SettingError as error:
        raise InputError(f"{origin} has settings that no recipe has: {error}") from None
    images = results.count_images(records, split)
    return MethodResult(name, recipe, split, images, run_results, str(content["hardware"]))


def _parse_record(record: Any, origin: str, place: int) -> RunResult:
    """Parse a record of a results file; an InputError has its place, from 1, and what is wrong with it."""
    with parsing.as_input_error(f"{origin}: training {place} cannot be read. {results.REPEAT}"):
        try:
            return parse_run_result(record)
        except results.BadNumber as error:
            raise InputError(f"{origin}: training {place} {error}. {results.REPEAT}") from None


def setting_differences(one: MethodResult, other: MethodResult) -> dict[str, tuple[Any, Any]]:
    """Return the settings in which two methods differ, with both values."""
    values, other_values = settings.to_settings(one.recipe), settings.to_settings(other.recipe)
    keys = [key for key in values if values[key] != other_values[key] and key not in NOT_OF_THE_METHOD]
    return {key: (values[key], other_values[key]) for key in keys}


def pool_runs(name: str, methods: Iterable[MethodResult]) -> MethodResult | None:
    """Combine single runs evaluated on test that have the method of the first one, each seed once; None without any."""
    tested = [method for method in methods if method.split == "test" and method.n == 1]
    if not tested:
        return None
    first = tested[0]
    by_seed = {each.run_results[0].seed: each.run_results[0] for each in tested if not setting_differences(first, each)}
    run_results = tuple(by_seed[seed] for seed in sorted(by_seed))
    return replace(first, name=name, run_results=run_results, run=None, history=(), scores=None)


def _shortest_unique_end(path: Path, paths: Sequence[Path]) -> str:
    """Return the shortest end of a path that none of the other paths ends in."""
    others = [other.parts for other in paths if other != path]
    for length in range(1, len(path.parts)):
        if all(other[-length:] != path.parts[-length:] for other in others):
            return "/".join(path.parts[-length:])
    return str(path)


def parse_run_result(record: dict[str, Any]) -> RunResult:
    """Parse a record of a results file; raises results.BadNumber, or another ValueError or TypeError."""
    accuracy, loss = results.read_number(record, "accuracy", highest=1), results.read_number(record, "loss")
    seed, epochs, parameters = (int(results.read_number(record, key)) for key in ("seed", "epochs", "parameters"))
    results.read_number(record, "images", lowest=1)
    results.read_number(record, "seconds")
    scores = {score: results.read_number(record, score) for score in SCORES if record.get(score) is not None}
    origin = str(record.get("precision", "")), int(record.get("fold", 0))
    train_losses, val_losses = (tuple(map(float, record.get(key, ()))) for key in ("train_losses", "val_losses"))
    return RunResult(
        seed, accuracy, loss, epochs, parameters, results.total_seconds(record), *origin, scores,
        int(record.get("best_epoch", 0)), train_losses, val_losses, int(record.get("groups", 0)),
    )  # fmt: skip
