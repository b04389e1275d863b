"""Tuning: search settings of a recipe on one validation fold, then measure the gain on the other folds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna

from modiste.data import sources
from modiste.errors import InputError
from modiste.experiments import executor, search_space, study, trials
from modiste.experiments.ablation import HELD_OUT, UNCHANGED
from modiste.experiments.executor import Progress
from modiste.experiments.resources import THIS_MACHINE, Resources
from modiste.experiments.search import Search
from modiste.experiments.search_space import Space
from modiste.experiments.trials import Outcome, Trial
from modiste.metrics import significance
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe, Settings
from modiste.reporting.formatting import format_count
from modiste.runs import files, results

TUNED = "tuned"

DEFAULT_TRIALS = 30


@dataclass(frozen=True, slots=True)
class Tuning:
    """A search.

    Args:
        recipe: what to tune; its validation fold is the one that choices are made on.
        space: the settings and their values.
        folder: of the runs, the journal and the best recipe.
        max_trials: number of trials; None: as many as the time allows.
        max_seconds: no trial starts after this time; None: any time.
        epochs: of a trial; 0: those of the recipe.
        gain_folds: maximum number of other folds to measure the gain on.
        resources: where the trainings run.
        precision: of all trainings, in place of auto; empty before it is chosen.
    """

    recipe: Recipe
    space: Space
    folder: Path
    max_trials: int | None = DEFAULT_TRIALS
    max_seconds: float | None = None
    epochs: int = 0
    gain_folds: int = 4
    resources: Resources = THIS_MACHINE
    precision: str = ""

    @property
    def held_out(self) -> Recipe:
        """The recipe, with a fifth of the images held out if it holds out none."""
        return self.recipe if self.recipe.data.folds else settings.with_settings(self.recipe, HELD_OUT)

    def trial(self, index: int, values: Settings) -> Trial:
        """Return a trial of the search; raises SettingError for values that are not allowed beside one another."""
        epochs = {"schedule.epochs": self.epochs} if self.epochs else {}
        recipe = settings.with_settings(self.held_out, {**epochs, **values})
        return Trial(self._with_precision(recipe), self.folder / f"trial-{index:03}")

    def gain_trials(self, best: Recipe) -> list[Trial]:
        """Return the trainings of the recipe and of the best one on folds that no choice was made on."""
        data = self.held_out.data
        folds = [fold for fold in range(data.folds) if fold != data.fold][: self.gain_folds]
        return [
            Trial(
                self._with_precision(replace(recipe, data=replace(data, fold=fold))),
                self.folder / name / f"fold-{fold}",
                "validation",
            )
            for name, recipe in ((UNCHANGED, self.recipe), (TUNED, best))
            for fold in folds
        ]

    def _with_precision(self, recipe: Recipe) -> Recipe:
        is_fixed = not self.precision or recipe.compute.precision != "auto"
        return recipe if is_fixed else settings.with_settings(recipe, {"compute.precision": self.precision})


@dataclass(frozen=True, slots=True)
class Result:
    """What a search gave.

    Args:
        trials: a record of each that ended.
        best: the number of the best one.
        recipe: the best recipe.
        importances: of the settings, highest first; empty with few trials.
        gain: outcomes of `Tuning.gain_trials`; empty if the recipe itself was best.
    """

    trials: list[dict[str, Any]]
    best: int
    recipe: Recipe
    importances: dict[str, float]
    gain: list[Outcome]


def require_possible(tuning: Tuning) -> None:
    """Raise an InputError for data whose own validation split leaves no other fold for the gain."""
    if sources.open_source(tuning.recipe.data).has_split("validation"):
        raise InputError(
            f"{tuning.recipe.data.source} has a validation split of its own, so there is no other fold to measure the "
            "gain on. Move its images to the training split."
        )


def run(tuning: Tuning, log: Callable[[str], None]) -> Result:
    """Search until the budget is spent, write the best recipe to the folder, and measure its gain.

    Raises:
        ModisteError: another process runs the same search, no trial succeeded, or a signal stopped it; the same call
            resumes.
    """
    with executor.open_executor(tuning.folder, tuning.resources, log) as pool:
        searched = _open_study(tuning)
        tuning = _with_one_precision(tuning)
        epochs = tuning.trial(0, {}).epochs
        Search(tuning.trial, tuning.space, searched, pool, epochs, tuning.max_trials, tuning.max_seconds, log).run()
        records = study.to_records(searched)
        best = study.best_record(records)
        recipe = _best_recipe(tuning, best, len(records))
        files.write_text(tuning.folder / "recipe.json", settings.to_json(recipe))
        planned = tuning.gain_trials(recipe) if recipe != tuning.recipe else []
        trials.require_resumable(planned)
        ends = {each.trial.path: each for each in executor.run_trials(planned, pool, Progress(len(planned), log))}
    return Result(records, best["trial"], recipe, study.importances(searched), [ends[trial.path] for trial in planned])


def _open_study(tuning: Tuning) -> optuna.Study:
    trial = tuning.trial(0, {}).recipe
    description = {"recipe": settings.to_json(trial), "ranges": search_space.describe(tuning.space)}
    first_values = search_space.current_values(tuning.recipe, tuning.space)
    return study.open_study(tuning.folder, description, first_values, trial.schedule.epochs)


def _with_one_precision(tuning: Tuning) -> Tuning:
    (first,) = trials.with_one_precision([tuning.trial(0, {})])
    return replace(tuning, precision=first.recipe.compute.precision)


def _best_recipe(tuning: Tuning, best: dict[str, Any], count: int) -> Recipe:
    """Return the recipe with the values of the best trial; the recipe itself if these are its own."""
    if search_space.are_current(tuning.recipe, best["settings"]):
        return tuning.recipe
    tuned = settings.with_settings(tuning.recipe, best["settings"])
    fold, values = tuning.held_out.data.fold, ", ".join(best["settings"])
    best_of = f"the best of {format_count(count, 'trial')}"
    description = f"{tuning.recipe.name} with {best_of}, chosen on validation fold {fold}: {values}."
    return replace(tuned, name=f"{tuning.recipe.name}-{TUNED}", description=description)


def write(path: Path, name: str, command: str, tuning: Tuning, result: Result) -> None:
    """Write the results file: a record of each training on the other folds, the gain, and all trials of the search."""
    records = [
        {**trials.read_record(each.trial), "recipe": each.trial.path.parent.name}
        for each in result.gain
        if not each.error
    ]
    failed = [trials.failure_record(outcome) for outcome in result.gain if outcome.error]
    results.write(
        path,
        recipe=name,
        command=command,
        runs=records,
        split="validation",
        fold=tuning.held_out.data.fold,
        base=settings.to_settings(tuning.recipe),
        ranges=search_space.describe(tuning.space),
        best=result.best,
        tuned=settings.to_settings(result.recipe),
        gain=summarize_gain(records),
        importances=result.importances,
        trials=result.trials,
        **({"failed": failed} if failed else {}),
    )


def summarize_gain(records: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the paired difference of the tuned recipe to the unchanged one over the folds that both have, or None.

    The trainings of two folds share most of their images, so the interval is approximate.
    """
    by_name = {
        name: {record["fold"]: record["accuracy"] for record in records if record["recipe"] == name}
        for name in (UNCHANGED, TUNED)
    }
    folds = sorted(by_name[UNCHANGED].keys() & by_name[TUNED].keys())
    if not folds:
        return None
    unchanged, tuned = ([by_name[name][fold] for fold in folds] for name in (UNCHANGED, TUNED))
    means = {"unchanged": fmean(unchanged), "tuned": fmean(tuned)}
    return {"folds": folds, **means, **significance.summarize_pairs(list(zip(tuned, unchanged, strict=True)), "folds")}
