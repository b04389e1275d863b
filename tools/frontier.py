"""Draws docs/frontier.png from results/: accuracy against parameters and minutes of training, with the published rows.

python tools/frontier.py
"""

from pathlib import Path
from statistics import fmean

from modiste.evaluation import benchmark, canvas, figures
from modiste.evaluation.figures import Point
from modiste.recipes.named import NAMED
from modiste.runs import results

ROOT = Path(__file__).parents[1]


def ours() -> dict[str, Point]:
    """The means of each named recipe that has results on the test split, with mirrored views."""
    found = {}
    for path in sorted((ROOT / "results").glob("*.json")):
        content = results.read(path)
        if path.stem in NAMED and content.get("split") == "test":
            runs = content["runs"]
            minutes = fmean(run["seconds"] for run in runs) / 60
            found[path.stem] = Point(content["mean_mirrored"], runs[0]["parameters"], minutes)
    return found


if __name__ == "__main__":
    canvas.png(figures.frontier(ours(), benchmark.anchors()), ROOT / "docs" / "frontier.png")
