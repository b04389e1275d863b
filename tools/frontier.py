"""Draws docs/frontier.png from results/: accuracy against parameters and minutes of training, with the published rows.

python tools/frontier.py
"""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from modiste.recipes.named import NAMED
from modiste.reporting import canvas, figures, leaderboard
from modiste.reporting.leaderboard import Point
from modiste.runs import results

ROOT = Path(__file__).parents[1]


def ours() -> dict[str, Point]:
    """The means of each named recipe that was judged on the test split, by one view as what is published is."""
    return dict([*benched(), *raced()])


def benched() -> Iterator[tuple[str, Point]]:
    """Recipes that have a results file of their own."""
    for path in sorted((ROOT / "results").glob("*.json")):
        content = results.read(path)
        if path.stem in NAMED and content["split"] == "test":
            yield path.stem, mean(content["runs"], "accuracy", "seconds")


def raced() -> Iterator[tuple[str, Point]]:
    """Recipes that ran the race: of its seconds those of training alone, as in the other files."""
    runs = results.read(ROOT / "results" / "time_to_accuracy.json")["runs"]
    for name in NAMED:
        if trainings := [run for run in runs if run["recipe"] == name]:
            yield name, mean(trainings, "accuracy", "seconds_training")


def mean(runs: list[dict[str, Any]], accuracy: str, seconds: str) -> Point:
    """A recipe's place by its trainings, whose numbers go by these names; what its teachers took counts."""
    minutes = fmean(results.total_seconds(run | {"seconds": run[seconds]}) for run in runs) / 60
    return Point(fmean(run[accuracy] for run in runs), runs[0]["parameters"], minutes)


if __name__ == "__main__":
    canvas.save_png(
        figures.plot_accuracy_over_cost(ours(), leaderboard.published_points()), ROOT / "docs" / "frontier.png"
    )
