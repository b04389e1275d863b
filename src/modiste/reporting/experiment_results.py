"""Results files of `modiste ablate` and `modiste tune`: a method for each row, and its difference to the first one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modiste.errors import InputError, SettingError
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.reporting import method_files
from modiste.reporting.difference_figure import DifferenceRow, to_difference_rows
from modiste.reporting.results_table import MethodResult
from modiste.runs import parsing, results


@dataclass(frozen=True, slots=True)
class Experiment:
    """An ablation or a search of settings.

    Args:
        name: of the results file.
        methods: the unchanged recipe, then each changed one, as far as their trainings succeeded.
        differences: of each row of an ablation to the unchanged recipe; empty for a search.
        trials: number of trials of a search; 0 for an ablation.
    """

    name: str
    methods: tuple[MethodResult, ...]
    differences: tuple[DifferenceRow, ...] = ()
    trials: int = 0

    @property
    def unchanged(self) -> MethodResult:
        """The recipe that was changed."""
        return self.methods[0]


def is_experiment(content: dict[str, Any]) -> bool:
    """Return whether a results file is one of `modiste ablate` or `modiste tune`."""
    return isinstance(content.get("base"), dict) and any(key in content for key in ("tricks", "tuned"))


def read_experiment(path: Path) -> Experiment:
    """Read a results file; raises InputError when it is missing or damaged."""
    return parse_experiment(path.stem, results.read(path), str(path))


def parse_experiment(name: str, content: dict[str, Any], origin: str) -> Experiment:
    """Parse the content of the results file `origin`, which an InputError names."""
    try:
        return _parse(name, content, origin)
    except SettingError as error:
        raise InputError(f"{origin} has settings that no recipe has: {error}") from None


def _parse(name: str, content: dict[str, Any], origin: str) -> Experiment:
    with parsing.as_input_error(f"{origin} is damaged. Repeat the command that wrote it."):
        base = settings.with_settings(Recipe(), content["base"])
        if "tuned" in content:
            recipes = {"unchanged": base, "tuned": settings.with_settings(Recipe(), content["tuned"])}
            rows, trials = [], len(content["trials"])
        else:
            first, *others = content["tricks"]
            recipes = {first["recipe"]: base} | {row["recipe"]: _change(base, row) for row in others}
            rows, trials = to_difference_rows(others), 0
        methods = [_parse_row(name, row, recipe, content) for row, recipe in recipes.items()]
    return Experiment(name, tuple(each for each in methods if each), tuple(rows), trials)


def _change(base: Recipe, row: dict[str, Any]) -> Recipe:
    return settings.with_settings(base, dict(map(settings.parse_setting, row["settings"])))


def _parse_row(name: str, row: str, recipe: Recipe, content: dict[str, Any]) -> MethodResult | None:
    """Return the trainings of a row; None where it has none, as they failed or are those of another row."""
    records = [record for record in content["runs"] if record["recipe"] == row]
    if not records:
        return None
    split = content["split"]
    run_results = tuple(map(method_files.parse_run_result, records))
    images = results.count_images(records, split)
    return MethodResult(f"{name}: {row}", recipe, split, images, run_results, str(content["hardware"]))
