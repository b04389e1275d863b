"""The material of a report: the runs that were given, and the results files beside them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from modiste.errors import InputError
from modiste.labels import FASHION_MNIST
from modiste.recipes import named
from modiste.recipes.recipe import Recipe
from modiste.reporting import results_table
from modiste.reporting.results_table import MethodResult
from modiste.runs import results

COURSE_REPORT: dict[str, tuple[float, float]] = {"cnn": (0.3281, 0.9275), "resnet18": (0.3552, 0.9152)}
"""Test loss and accuracy that the course report gives, by network."""


@dataclass(frozen=True, slots=True)
class ReportData:
    """What a report is made from.

    Args:
        given: runs and results files, in the order they were named.
        filed: results files by name.
    """

    given: tuple[MethodResult, ...]
    filed: dict[str, MethodResult]

    def shown(self) -> list[MethodResult]:
        """The first run of each method: the ones whose curves and matrices are drawn."""
        first: list[MethodResult] = []
        for entry in self.given:
            if entry.run and all(results_table.setting_differences(entry, other) for other in first):
                first.append(entry)
        return first

    def everything(self) -> list[MethodResult]:
        """All that was given, then the results files that were not; one that is called as a run is says what it is."""
        given = {entry.name for entry in self.given if not entry.run}
        runs = {entry.name for entry in self.given if entry.run}
        others = [entry for name, entry in self.filed.items() if name not in given]
        return [*self.given, *(replace(e, name=f"{e.name} (results)") if e.name in runs else e for e in others)]

    def measured(self, name: str) -> MethodResult | None:
        """The best measurement of a method on the official test split: its results file, else its runs, else None."""
        for entry in (self.filed.get(name), *(entry for entry in self.given if entry.name == name and not entry.run)):
            if entry and entry.on_fashion_mnist:
                return entry
        recipe = RECIPES.get(name)
        if recipe is None:
            return None
        wanted = MethodResult(name, recipe, "", 0, ())
        return results_table.pool_runs(
            name, [e for e in self.given if e.on_fashion_mnist and not results_table.setting_differences(e, wanted)]
        )


def open_report_data(paths: Sequence[Path], folder: Path | None = None) -> ReportData:
    """Open runs and results.

    Args:
        paths: run folders and results files.
        folder: of results files; left out: those that this version of the package publishes.

    Raises:
        InputError: one of the paths is neither, a run is of other data, or the folder does not exist.
    """
    if folder is not None and not folder.is_dir():
        raise InputError(
            f"{folder} is no folder. Give the folder that holds the results files, or leave --results out."
        )
    found = results.read_published() if folder is None else {path.stem: results.read(path) for path in _files(folder)}
    trained = {name: content for name, content in found.items() if _has_trainings(content)}
    filed = {
        name: results_table.parse_results(name, content, f"results/{name}.json") for name, content in trained.items()
    }
    given = tuple(results_table.read_methods(paths))
    for entry in given:
        _require_fashion(entry)
    return ReportData(given, filed)


def _require_fashion(entry: MethodResult) -> None:
    """Refuse runs of other labels: beside the course report's figures theirs would mean nothing."""
    if entry.scores and tuple(label.name for label in entry.scores.per_class) != FASHION_MNIST:
        raise InputError(
            f"{entry.name} has other labels than Fashion-MNIST, which the report is about. "
            "Put such runs side by side with `modiste compare`."
        )


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def _has_trainings(content: dict[str, object]) -> bool:
    """Whether these are trainings; results of other kinds have other records."""
    runs = content["runs"]
    split = content.get("split", "test")
    needed = {"seed", "accuracy", "loss", "epochs", "parameters", "seconds"}
    if not isinstance(runs, list) or not runs or not isinstance(content.get("settings"), dict):
        return False
    return all(isinstance(run, dict) and needed <= run.keys() for run in runs)


def _with_erasing(recipe: Recipe) -> Recipe:
    return replace(recipe, augmentation=replace(recipe.augmentation, random_crop_padding=4, random_erasing_prob=0.5))


RECIPES: dict[str, Recipe] = {
    **{name: recipe() for name, recipe in named.NAMED.items()},
    "classic-cnn-erasing": _with_erasing(named.classic_cnn()),
}
"""The methods that the report's claims are about, by the name of their results file."""
