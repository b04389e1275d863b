"""Draw the charts of the documentation from results/; with --check only say whether they are up to date.

python tools/charts.py [--check]
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from accuracy_over_time import plot_accuracy_over_time
from convergence import plot_convergence
from frontier import Point, plot_accuracy_over_cost, published_points
from matplotlib.figure import Figure
from PIL import Image

from modiste.recipes.named import NAMED
from modiste.reporting import canvas, method_files
from modiste.reporting.difference_figure import plot_differences
from modiste.reporting.experiment_results import read_experiment
from modiste.reporting.figures import plot_accuracies
from modiste.reporting.results_table import MethodResult
from modiste.runs import results

ROOT = Path(__file__).parents[1]

TOLERANCE = 32
"""Largest difference of a pixel, of 255, between drawings that are the same: rounding may change the edge of a dot."""


def time_to_accuracy() -> Figure:
    """Test accuracy with flip TTA against wall-clock time, one dot per training."""
    points: dict[str, list[tuple[float, float]]] = {}
    for run in results.read(result_path("time_to_accuracy"))["runs"]:
        accuracy = run.get("accuracy_flip_tta") or run["accuracy"]
        points.setdefault(run["recipe"], []).append((run["seconds"], accuracy))
    return plot_accuracy_over_time(points)


def frontier() -> Figure:
    """Test accuracy without TTA against parameters and minutes of training, with the published rows."""
    return plot_accuracy_over_cost(recipe_points(), published_points())


def recipe_points() -> dict[str, Point]:
    """Each named recipe with results on the test split, by its name."""
    return dict([*benchmarked_recipes(), *timed_recipes()])


def benchmarked_recipes() -> Iterator[tuple[str, Point]]:
    """Recipes that have a results file of their own, evaluated on the test split."""
    for path in sorted((ROOT / "results").glob("*.json")):
        content = results.read(path)
        if path.stem in NAMED and content["split"] == "test":
            yield path.stem, mean_point(content["runs"], "seconds")


def timed_recipes() -> Iterator[tuple[str, Point]]:
    """Recipes of the time-to-accuracy benchmark, with the seconds of training alone."""
    runs = results.read(result_path("time_to_accuracy"))["runs"]
    for name in NAMED:
        if trainings := [run for run in runs if run["recipe"] == name]:
            yield name, mean_point(trainings, "seconds_training")


def mean_point(runs: list[dict[str, Any]], seconds: str) -> Point:
    """Mean accuracy and minutes of some trainings, those of their teachers included."""
    minutes = fmean(results.total_seconds(run | {"seconds": run[seconds]}) for run in runs) / 60
    return Point(fmean(run["accuracy"] for run in runs), runs[0]["parameters"], minutes)


def accuracies() -> Figure:
    """Mean test accuracy of each benchmarked recipe with its interval over images."""
    files = [method_files.read_results(result_path(name)) for name, _ in benchmarked_recipes()]
    rows = [
        (f"{each.name} (n = {each.n})", each.accuracy, each.interval_images)
        for each in files
        if each.accuracy is not None and each.interval_images
    ]
    return plot_accuracies(rows, xlabel="test accuracy")


def convergence() -> Figure:
    """Validation loss per epoch with and without what is said to speed up convergence."""
    names = {"classic-cnn": "classic-cnn-ablation", "classic-resnet18": "classic-resnet18-ablation"}
    panels = {recipe: pick_rows(name, CONVERGENCE) for recipe, name in names.items()}
    transfer = pick_rows("transfer-1800", {"unchanged": "ImageNet weights", "random weights": "random weights"})
    return plot_convergence({**panels, "EfficientNet-Lite1, 1,800 labels": transfer})


CONVERGENCE = {
    "unchanged": "unchanged",
    "without Xavier initialization": "default initialization",
    "without batch norm": "without batch norm",
    "group norm instead of batch norm": "group norm",
}
"""Rows of ablations, with their names in the chart."""


def pick_rows(name: str, rows: dict[str, str]) -> dict[str, MethodResult]:
    """Some rows of an ablation, as far as it has them, by their names in the chart."""
    methods = {each.name.removeprefix(f"{name}: "): each for each in read_experiment(result_path(name)).methods}
    return {title: methods[row] for row, title in rows.items() if row in methods}


def ablation(name: str) -> Figure:
    """Differences of the rows of an ablation to the unchanged recipe."""
    return plot_differences(read_experiment(result_path(name)).differences)


def result_path(name: str) -> Path:
    """Path of a results file."""
    return ROOT / "results" / f"{name}.json"


CHARTS = {
    "accuracies.png": accuracies,
    "ablation-cnn.png": lambda: ablation("classic-cnn-ablation"),
    "ablation-resnet18.png": lambda: ablation("classic-resnet18-ablation"),
    "convergence.png": convergence,
    "frontier.png": frontier,
    "time_to_accuracy.png": time_to_accuracy,
}


def is_same(figure: Figure, path: Path) -> bool:
    """Whether a PNG file shows this figure."""
    with TemporaryDirectory() as folder:
        canvas.save(figure, Path(folder) / "drawn.png")
        drawings = [np.asarray(Image.open(file), np.int64) for file in (Path(folder) / "drawn.png", path)]
    return drawings[0].shape == drawings[1].shape and np.abs(drawings[0] - drawings[1]).max() <= TOLERANCE


def main() -> None:
    """Draw or check all charts."""
    if "--check" not in sys.argv:
        for name, draw in CHARTS.items():
            canvas.save(draw(), ROOT / "docs" / name)
        return
    if stale := [name for name, draw in CHARTS.items() if not is_same(draw(), ROOT / "docs" / name)]:
        sys.exit(f"out of date: {', '.join(f'docs/{name}' for name in stale)}. Run `make docs`.")


if __name__ == "__main__":
    main()
