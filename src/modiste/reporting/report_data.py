"""The results that a report shows: those that the user measured, and those that modiste publishes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modiste.errors import InputError
from modiste.recipes import named, settings
from modiste.recipes.recipe import Recipe
from modiste.reporting import experiment_results, method_files, pairwise, predictions, results_table
from modiste.reporting.experiment_results import Experiment, is_experiment
from modiste.reporting.pairwise import Pair
from modiste.reporting.results_table import MethodResult
from modiste.runs import results

COURSE_REPORT: dict[str, tuple[float, float]] = {"cnn": (0.3281, 0.9275), "resnet18": (0.3552, 0.9152)}
"""Test loss and accuracy of the course report, by network."""


@dataclass(frozen=True, slots=True)
class ReportData:
    """The results that a report is made from.

    Args:
        own: runs and results files of the user, in their order.
        published: results that come with modiste; no claim is checked against them.
        own_experiments: ablations and searches of the user.
        published_experiments: those that come with modiste.
    """

    own: tuple[MethodResult, ...]
    published: tuple[MethodResult, ...] = ()
    own_experiments: tuple[Experiment, ...] = ()
    published_experiments: tuple[Experiment, ...] = ()

    @property
    def runs(self) -> list[MethodResult]:
        """The first run of each method, which the report shows in detail."""
        first: list[MethodResult] = []
        for result in self.own:
            if result.run and all(results_table.setting_differences(result, other) for other in first):
                first.append(result)
        return first

    @property
    def pooled(self) -> list[MethodResult]:
        """The results of the user, with runs that differ in seed or fold alone as one."""
        return [method.result for method in pairwise.pool_methods(self.own)]

    def compare(self) -> list[Pair]:
        """Compare each pair of methods of the user; raises InputError where a file of predictions is damaged."""
        images = {result.name: predictions.read_predictions(result) for result in self.own}
        predicted = {name: each for name, each in images.items() if each is not None}
        return pairwise.compare_pairs(pairwise.pool_methods(self.own, predicted))

    @property
    def methods(self) -> list[MethodResult]:
        """The methods whose settings the report lists: of all runs; if there are none, of the user's results files."""
        runs = [result for result in self.own if result.run]
        return [method.result for method in pairwise.pool_methods(runs or self.own)]


def open_report_data(paths: Sequence[Path], folder: Path | None = None) -> ReportData:
    """Open runs and results files of the user, and the results that come with modiste.

    A file with the trainings of a published one is published, wherever it is, so that nobody calls these his own.

    Args:
        paths: run folders and results files, among them those of ablations and searches.
        folder: of more results files of the user; files about other things than trainings are skipped.

    Raises:
        InputError: a path is neither a run nor a results file, or there is no such folder.
    """
    files = {name: (content, f"results/{name}.json") for name, content in results.read_published().items()}
    published_runs = [content["runs"] for content, _ in files.values()]
    listed = method_files.unique_paths([*paths, *_list_results(folder)])
    listed = [path for path in listed if path.suffix != ".json" or results.read(path)["runs"] not in published_runs]
    experiments = [path for path in listed if path.suffix == ".json" and is_experiment(results.read(path))]
    own = tuple(method_files.read_methods([path for path in listed if path not in experiments]))
    parse = experiment_results.parse_experiment
    return ReportData(
        own,
        tuple(method_files.parse_results(name, *file) for name, file in files.items() if _has_trainings(file[0])),
        tuple(map(experiment_results.read_experiment, experiments)),
        tuple(parse(name, *file) for name, file in files.items() if is_experiment(file[0])),
    )


def find_result(candidates: Sequence[MethodResult], recipe: Recipe) -> MethodResult | None:
    """Return the result of a recipe on the official test split, as `combine_results`; None if it was not measured."""
    method = MethodResult(recipe.name, recipe, "", 0, ())
    return combine_results(
        [each for each in candidates if results_table.setting_differences(each, method).keys() <= {"data.source"}]
    )


def combine_results(candidates: Sequence[MethodResult]) -> MethodResult | None:
    """Return the results file with most trainings on the official test split, else the method with most runs."""
    tested = [result for result in candidates if result.on_fashion_mnist and result.accuracy is not None]
    results_files = [result for result in tested if not result.run]
    pooled = [method.result for method in pairwise.pool_methods(results_files or tested)]
    return max(pooled, key=lambda result: result.n, default=None)


def _list_results(folder: Path | None) -> list[Path]:
    """Return the results files about trainings and experiments in a folder."""
    if folder is None:
        return []
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder. Pass the folder of your results files, or omit --results.")
    contents = {path: results.read(path) for path in sorted(folder.glob("*.json"))}
    return [path for path, content in contents.items() if _has_trainings(content) or is_experiment(content)]


def _has_trainings(content: dict[str, Any]) -> bool:
    """Return whether a results file is about trainings of one recipe."""
    runs, required = content["runs"], {"seed", "accuracy", "loss", "epochs", "parameters", "seconds"}
    if not isinstance(runs, list) or not runs or not isinstance(content.get("settings"), dict):
        return False
    return all(isinstance(run, dict) and required <= run.keys() for run in runs)


CNN, RESNET18 = named.classic_cnn(), named.classic_resnet18()
CNN_ERASING = settings.with_settings(
    CNN, {"augmentation.random_crop_padding": 4, "augmentation.random_erasing_prob": 0.5}
)
"""The recipes that the course report's claims are about."""
