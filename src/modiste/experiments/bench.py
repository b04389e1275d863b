"""Train one recipe with several seeds or folds, and compute means and intervals of the accuracy."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from modiste.data import sources
from modiste.errors import InputError
from modiste.experiments import executor, trials
from modiste.experiments.executor import Progress
from modiste.experiments.resources import THIS_MACHINE, Resources
from modiste.experiments.trials import Trial
from modiste.metrics import intervals
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.runs import results


@dataclass(frozen=True, slots=True)
class Bench:
    """Trainings that are compared.

    Args:
        recipes: one for each training; they differ in their seed or fold only.
        split: of the evaluation: test for seeds, validation for folds, which leaves the test split unopened.
        folder: of the runs.
        resources: where the trainings run.
        keep_weights: keep weights and checkpoints, which are large.
    """

    recipes: tuple[Recipe, ...]
    split: str
    folder: Path
    resources: Resources = THIS_MACHINE
    keep_weights: bool = False

    def trials(self) -> list[Trial]:
        """Return a trial for each recipe."""
        return [
            Trial(recipe, self.folder / self._run_name(recipe), self.split, self.keep_weights)
            for recipe in self.recipes
        ]

    def _run_name(self, recipe: Recipe) -> str:
        return f"seed-{recipe.seed}" if self.split == "test" else f"fold-{recipe.data.fold}"


@dataclass(frozen=True, slots=True)
class Records:
    """What the trainings gave: a record for each that succeeded, and for each that failed, in their order."""

    finished: list[dict[str, Any]]
    failed: list[dict[str, Any]]


def vary_seed(recipe: Recipe, count: int) -> tuple[Recipe, ...]:
    """Return the recipe with each seed from 0 to count - 1."""
    return tuple(replace(recipe, seed=seed) for seed in range(count))


def vary_fold(recipe: Recipe) -> tuple[Recipe, ...]:
    """Return the recipe with each of its folds held out; raises InputError if it holds nothing out."""
    if not recipe.data.folds:
        raise InputError(f"{recipe.name} has no folds. Hold out some: --set data.val_fraction=0.2 --name NAME.")
    return tuple(replace(recipe, data=replace(recipe.data, fold=fold)) for fold in range(recipe.data.folds))


def run(bench: Bench, log: Callable[[str], None]) -> Records:
    """Train and evaluate every recipe that is not finished yet.

    `log` receives a line when a training ends.

    Raises:
        ModisteError: the data lacks the split, another process runs the same bench, no training succeeded, or a signal
            stopped them; the same call resumes.
    """
    _require_split(bench)
    with executor.open_executor(bench.folder, bench.resources, log) as pool:
        planned = trials.with_one_precision(bench.trials())
        trials.require_resumable(planned)
        outcomes = {each.trial.path: each for each in executor.run_trials(planned, pool, Progress(len(planned), log))}
    failed = [outcomes[trial.path] for trial in planned if outcomes[trial.path].error]
    if len(failed) == len(planned) and failed[0].error:
        raise failed[0].error
    finished = [trials.read_record(trial) for trial in planned if not outcomes[trial.path].error]
    return Records(finished, [trials.failure_record(outcome) for outcome in failed])


def write(path: Path, name: str, command: str, bench: Bench, records: Records) -> None:
    """Write the results file: the records, common settings, mean, standard deviation and intervals of the accuracy."""
    accuracies = [record["accuracy"] for record in records.finished]
    flip_tta = [record["accuracy_flip_tta"] for record in records.finished]
    first, *others = map(settings.to_settings, bench.recipes)
    common = {key: value for key, value in first.items() if all(other[key] == value for other in others)}
    results.write(
        path,
        recipe=name,
        command=command,
        runs=records.finished,
        settings=common,
        split=bench.split,
        precision=sorted({record["precision"] for record in records.finished}),
        **intervals.summarize(
            accuracies, results.count_images(records.finished, bench.split), results.has_groups(records.finished)
        ),
        mean_flip_tta=None if None in flip_tta else fmean(flip_tta),
        mean_loss=fmean(record["loss"] for record in records.finished),
        **({"failed": records.failed} if records.failed else {}),
    )


def _require_split(bench: Bench) -> None:
    """Raise an InputError before hours of training, if the data cannot be evaluated on the split of the bench."""
    data = bench.recipes[0].data
    has_test, has_validation = map(sources.open_source(data).has_split, ("test", "validation"))
    if bench.split == "test" and not has_test:
        advice = "Add one." if has_validation else "Add one, or use --folds."
        raise InputError(f"{data.source} has no test split to evaluate on. {advice}")
    if bench.split == "validation" and has_validation and data.use_val_split:
        advice = "Leave out --folds." if has_test else "Add a test split and leave out --folds."
        raise InputError(f"{data.source} has a validation split of its own, which every fold would share. {advice}")
