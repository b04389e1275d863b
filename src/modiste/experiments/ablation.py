"""Ablation: train a recipe with each of its tricks taken out, or in, alone, with the same seeds and images."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from modiste.data import sources
from modiste.errors import InputError, SettingError
from modiste.experiments import executor, trials
from modiste.experiments.executor import Progress
from modiste.experiments.resources import THIS_MACHINE, Resources
from modiste.experiments.trials import Outcome, Trial
from modiste.experiments.tricks import Row
from modiste.metrics import intervals, significance
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.runs import results

UNCHANGED, FLIP_TTA = "unchanged", "with flip TTA"
"""Rows of every ablation; the second is of the trainings of the first, where they were on mirrored images."""

HELD_OUT = {"data.val_fraction": 0.2}
"""For a recipe that holds nothing out."""

FIXED = {"seed", "data.source"}
FIXED_FOR_VALIDATION = {"data.val_fraction", "data.fold", "data.max_train_images"}
"""Settings that decide which images a row is evaluated on."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """A recipe and what is changed in it.

    Args:
        recipe: the unchanged recipe.
        rows: a change each.
        seeds: how many; each row is trained with seed 0 to seeds - 1.
        split: of the evaluation: validation, or test.
        folder: of the runs.
        resources: where the trainings run.
    """

    recipe: Recipe
    rows: tuple[Row, ...]
    seeds: int
    split: str
    folder: Path
    resources: Resources = THIS_MACHINE

    def trials(self) -> list[Trial]:
        """Return the trials of the unchanged recipe, then those of all rows, seed by seed.

        So a recipe that cannot be trained is noticed first, and an ablation that is stopped has comparable runs.
        """
        unchanged = [self._trial(Row(UNCHANGED, {}), seed) for seed in range(self.seeds)]
        return unchanged + [self._trial(row, seed) for seed in range(self.seeds) for row in self.rows]

    def names(self) -> list[str]:
        """Return the name of the row of each trial."""
        return [UNCHANGED] * self.seeds + [row.name for row in self.rows] * self.seeds

    def _trial(self, row: Row, seed: int) -> Trial:
        recipe = settings.with_settings(self.recipe, {**row.settings, "seed": seed})
        return Trial(recipe, self.folder / to_slug(row.name) / f"seed-{seed}", self.split)


def to_slug(name: str) -> str:
    """Return the name of a row as that of a folder: `without dropout` is `without-dropout`."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.")


def plan(
    recipe: Recipe, rows: Sequence[Row], seeds: int, split: str, folder: Path, resources: Resources = THIS_MACHINE
) -> Ablation:
    """Return the ablation of a recipe; one that holds nothing out holds out a fifth, if validation is evaluated.

    Raises:
        InputError: the data has no test split.
        SettingError: there is no row, two have the same name, or the settings of one are not allowed.
    """
    source = sources.open_source(recipe.data)
    if split == "test" and not source.has_split("test"):
        raise InputError(f"{recipe.data.source} has no test split to evaluate on. Use --split validation.")
    if split == "validation" and not recipe.data.folds and not source.has_split("validation"):
        recipe = settings.with_settings(recipe, HELD_OUT)
    if not rows:
        raise SettingError(f"{recipe.name} has no trick to take out. Name a change with --row KEY=VALUE.")
    slugs = [to_slug(row.name) for row in (Row(UNCHANGED, {}), *rows)]
    if twice := [name for name in slugs if slugs.count(name) > 1 or not name]:
        raise SettingError(f"Two rows are named {twice[0]!r}. Give each a name of its own: --row NAME=KEY=VALUE.")
    fixed = FIXED | (FIXED_FOR_VALIDATION if split == "validation" else set())
    if changed := [key for row in rows for key in row.settings if key in fixed]:
        advice = "Change it in all rows with --set" if changed[0] in FIXED else "Use --split test"
        raise SettingError(f"A row with another {changed[0]} is evaluated on other images. {advice}.")
    ablation = Ablation(recipe, tuple(rows), seeds, split, folder, resources)
    ablation.trials()  # raises for a setting that is not allowed
    return ablation


def run(ablation: Ablation, log: Callable[[str], None]) -> dict[str, list[Outcome]]:
    """Train and evaluate what is not finished yet; return the outcomes by row, in the order of the seeds.

    Raises:
        ModisteError: another process runs the same ablation, the unchanged recipe fails with every seed, or a signal
            stopped the trainings; the same call resumes.
    """
    ends: dict[Path, Outcome] = {}
    with executor.open_executor(ablation.folder, ablation.resources, log) as pool:
        planned = trials.with_one_precision(ablation.trials())
        trials.require_resumable(planned)
        progress = Progress(len(planned), log)
        for part in (planned[: ablation.seeds], planned[ablation.seeds :]):
            ends |= {outcome.trial.path: outcome for outcome in executor.run_trials(part, pool, progress)}
            errors = [outcome.error for outcome in ends.values() if outcome.error]
            if errors and len(errors) == len(ends):
                raise errors[0]
    by_row: dict[str, list[Outcome]] = {}
    for name, trial in zip(ablation.names(), planned, strict=True):
        by_row.setdefault(name, []).append(ends[trial.path])
    return by_row


def write(path: Path, name: str, command: str, ablation: Ablation, outcomes: dict[str, list[Outcome]]) -> None:
    """Write the results file: a record of each training, and of each row its difference to the unchanged recipe."""
    rows, runs = compare_rows(ablation, outcomes)
    results.write(
        path,
        recipe=name,
        command=command,
        runs=runs,
        split=ablation.split,
        precision=sorted({record["precision"] for record in runs}),
        base=settings.to_settings(replace(ablation.recipe, seed=0)),
        tricks=rows,
    )


def compare_rows(
    ablation: Ablation, outcomes: dict[str, list[Outcome]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a summary of each row, as `summarize`, with its settings and failures, and a record of each training.

    `p_holm` is the p-value of a row after Holm's correction for all rows.
    """
    records = {row: _records(row, ends) for row, ends in outcomes.items()}
    changes = {row.name: _to_texts(row.settings) for row in ablation.rows}
    unchanged, *others = [
        {**summarize(row, records[row], records[UNCHANGED]), "settings": changes.get(row, []), **_failed(ends)}
        for row, ends in outcomes.items()
    ]
    rows = [*_flip_tta_row(records[UNCHANGED]), *others]
    corrected = significance.correct_holm([row.get("p_value") for row in rows])
    rows = [{**row, "p_holm": p_holm} for row, p_holm in zip(rows, corrected, strict=True)]
    return [unchanged, *rows], [record for each in records.values() for record in each]


def summarize(row: str, records: Sequence[dict[str, Any]], baseline: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return mean and intervals of a row, and the paired difference to the baseline over the seeds that both have."""
    if not records:
        return {"recipe": row, "n": 0}
    other = {record["seed"]: record for record in baseline}
    pairs = [(record["accuracy"], other[record["seed"]]["accuracy"]) for record in records if record["seed"] in other]
    seconds, seconds_before = (fmean(record["seconds"] for record in each) for each in (records, baseline))
    return {
        "recipe": row,
        "n": len(records),
        "seconds": seconds,
        "epochs": fmean(record["epochs"] for record in records),
        **intervals.summarize(
            [record["accuracy"] for record in records], records[0]["images"], results.has_groups(records)
        ),
        **significance.summarize_pairs(pairs),
        "seconds_ratio": seconds / seconds_before if seconds_before else None,
    }


def _flip_tta_row(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    accuracies = [record["accuracy_flip_tta"] for record in records]
    if None in accuracies:
        return []
    averaged = [{**record, "accuracy": value} for record, value in zip(records, accuracies, strict=True)]
    return [{**summarize(FLIP_TTA, averaged, records), "settings": ["model.flip_tta=true"]}]


def _records(row: str, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [{**trials.read_record(each.trial), "recipe": row} for each in outcomes if not each.error]


def _failed(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    failed = [trials.failure_record(outcome) for outcome in outcomes if outcome.error]
    return {"failed": failed} if failed else {}


def _to_texts(change: dict[str, Any]) -> list[str]:
    return [f"{key}={settings.format_value(value)}" for key, value in change.items()]
