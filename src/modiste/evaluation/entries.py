"""What is put side by side: a run, or the runs behind a results file, in one record."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from modiste.errors import InputError
from modiste.evaluation import intervals, scores
from modiste.evaluation.intervals import Interval
from modiste.evaluation.scores import Scores
from modiste.recipes import settings
from modiste.recipes.recipe import Settings
from modiste.runs import files, folder, metrics, results
from modiste.runs.folder import Run
from modiste.runs.metrics import Row

TEST_IMAGES = 10_000
"""Of Fashion-MNIST, for results files that do not say how many images they were judged on."""

INCIDENTAL = ("seed", "name", "about", "data.fold", "compute.precision", "compute.device", "compute.threads")
"""Settings in which two trainings of the same method may differ."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one training came to.

    Args:
        seed: of the training.
        accuracy: fraction right on the entry's split; None when nobody has judged it.
        loss: cross-entropy likewise.
        epochs: trained, not kept.
        parameters: numbers that training changes.
        seconds: wall clock of all epochs.
    """

    seed: int
    accuracy: float | None
    loss: float | None
    epochs: int
    parameters: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A method with what its trainings came to.

    Args:
        name: of the run or the results file.
        settings: dotted keys that its trainings share.
        split: that they were judged on; empty when nobody has judged them.
        images: in that split.
        outcomes: one a training, at least one.
        hardware: that they ran on.
        run: the run folder, where it is one.
        history: its epochs.
        scores: of the run on that split.
    """

    name: str
    settings: Settings
    split: str
    images: int
    outcomes: tuple[Outcome, ...]
    hardware: str = ""
    run: Run | None = None
    history: tuple[Row, ...] = ()
    scores: Scores | None = None

    @property
    def n(self) -> int:
        """How many trainings."""
        return len(self.outcomes)

    @property
    def accuracies(self) -> tuple[float, ...]:
        """One a judged training, as fractions."""
        return tuple(outcome.accuracy for outcome in self.outcomes if outcome.accuracy is not None)

    @property
    def accuracy(self) -> float | None:
        """Mean over the trainings; None when nobody has judged them."""
        return fmean(self.accuracies) if self.accuracies else None

    @property
    def loss(self) -> float | None:
        """Mean cross-entropy likewise."""
        losses = [outcome.loss for outcome in self.outcomes if outcome.loss is not None]
        return fmean(losses) if losses else None

    @property
    def interval_images(self) -> Interval | None:
        """95 % interval of the mean accuracy over images."""
        return intervals.wilson(round(fmean(self.accuracies) * self.images), self.images) if self.accuracies else None

    @property
    def interval_seeds(self) -> Interval | None:
        """95 % interval of the mean accuracy over seeds; None for one."""
        return intervals.student(self.accuracies)

    @property
    def epochs(self) -> float:
        """Mean of the epochs trained."""
        return fmean(outcome.epochs for outcome in self.outcomes)

    @property
    def seconds(self) -> float:
        """Mean of the wall clock."""
        return fmean(outcome.seconds for outcome in self.outcomes)

    @property
    def parameters(self) -> int:
        """Of its network."""
        return self.outcomes[0].parameters

    @property
    def kept(self) -> int:
        """The epoch whose weights count, from 1; 0 without a history."""
        return metrics.best_epoch(list(self.history), self.run.recipe().stopping) if self.run else 0

    @property
    def network(self) -> str:
        """Name of its network."""
        return str(self.settings.get("network.name", ""))

    @property
    def on_fashion_mnist(self) -> bool:
        """Whether it was judged on the official test split."""
        return self.split == "test" and self.settings.get("data.source", "") == ""

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON has them."""
        keys = ("name", "split", "images", "n", "accuracy", "interval_images", "interval_seeds", "loss", "epochs",
                "parameters", "seconds", "hardware")  # fmt: skip
        return {key: getattr(self, key) for key in keys}


def open_all(paths: Sequence[Path]) -> list[Entry]:
    """Open runs and results files, in their order, each under a name of its own.

    Raises:
        InputError: one of them is neither, or is damaged.
    """
    entries = [of_results(path) if path.suffix == ".json" else of_run(path) for path in paths]
    counts = Counter(entry.name for entry in entries)
    named = zip(entries, paths, strict=True)
    return [entry if counts[entry.name] == 1 else replace(entry, name=str(path)) for entry, path in named]


def of_run(path: Path) -> Entry:
    """Open a run folder; its test scores count, else its validation scores, else it is not judged.

    Raises:
        InputError: there is no run, it is not finished, or its files are damaged.
    """
    run = folder.open_run(path)
    recipe, history = run.recipe(), metrics.read(run.metrics)
    judged = scores.read_all(run.scores)
    split = next((split for split in ("test", "validation") if split in judged), "")
    found = scores.from_dict(judged[split], str(run.scores)) if split else None
    facts = files.read_json(run.environment) if run.environment.exists() else {}
    outcome = Outcome(
        recipe.seed,
        found.accuracy if found else None,
        found.loss if found else None,
        len(history),
        int(facts.get("parameters", 0)),
        sum(row.seconds for row in history),
    )
    return Entry(
        run.name,
        settings.to_settings(recipe),
        split,
        found.n if found else 0,
        (outcome,),
        str(facts.get("hardware", "")),
        run,
        tuple(history),
        found,
    )


def of_results(path: Path) -> Entry:
    """Open a results file; raises InputError when it is missing or holds no trainings."""
    return from_results(path.stem, results.read(path), str(path))


def from_results(name: str, content: dict[str, Any], origin: str) -> Entry:
    """Make an entry of a results file's content; raises InputError when it holds no trainings."""
    split = str(content.get("split", "test"))
    try:
        outcomes = tuple(_outcome(record, split) for record in content["runs"])
        images = int(content["runs"][0].get(f"{split}_images", TEST_IMAGES))
    except (KeyError, IndexError, TypeError, AttributeError):
        raise InputError(
            f"{origin} holds no trainings judged on {split}. Give one that `modiste bench` wrote."
        ) from None
    return Entry(name, dict(content.get("settings", {})), split, images, outcomes, str(content["hardware"]))


def method(entry: Entry) -> Settings:
    """The settings that make the method: all but what may differ between its trainings."""
    return {key: value for key, value in entry.settings.items() if key not in INCIDENTAL}


def differences(one: Entry, other: Entry) -> dict[str, tuple[Any, Any]]:
    """The settings in which two methods differ, with both values; a list from JSON equals the tuple it was."""
    here, there = method(one), method(other)
    keys = [key for key in here if key in there]
    return {key: (here[key], there[key]) for key in keys if _plain(here[key]) != _plain(there[key])}


def pooled(name: str, entries: Iterable[Entry]) -> Entry | None:
    """Make one entry of several runs of one method, each seed once; None when none of them is judged on test."""
    judged = {entry.outcomes[0].seed: entry for entry in entries if entry.split == "test" and entry.n == 1}
    if not judged:
        return None
    first = next(iter(judged.values()))
    outcomes = tuple(entry.outcomes[0] for _, entry in sorted(judged.items()))
    return Entry(name, first.settings, first.split, first.images, outcomes, first.hardware)


def _outcome(record: dict[str, Any], split: str) -> Outcome:
    return Outcome(
        int(record["seed"]),
        float(record[f"{split}_accuracy"]),
        float(record[f"{split}_loss"]),
        int(record["epochs"]),
        int(record["parameters"]),
        float(record["seconds"]),
    )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
