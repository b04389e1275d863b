"""Chart of accuracy over parameters and training time, of modiste's recipes and of results published by others."""

import csv
import re
from collections.abc import Collection, Mapping
from importlib import resources
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from modiste.reporting import canvas, formatting, leaderboard

NAME_OFFSETS = tuple((x, y) for y, x in product((-3, 3, -9, 9, -15), (6, -6)))
"""Points by which a name may be moved from its data point, in the order in which they are tried."""


class Point(NamedTuple):
    """Accuracy (a fraction), parameters and minutes of training of a classifier; None where not reported."""

    accuracy: float
    parameters: float | None = None
    minutes: float | None = None


def published_points() -> dict[str, Point]:
    """Return results published by others whose parameters or minutes are reported, by name.

    Results on v1 of the data are left out, because its test split shares images with the training split.
    """
    file = resources.files("modiste") / "assets" / "published" / "anchors.csv"
    elsewhere = {
        " on a ".join(filter(None, (row["classifier"], row["device"]))): Point(
            float(row["accuracy"]), parse_number(row["parameters"]), parse_number(row["minutes"])
        )
        for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    }
    table = {
        row.classifier: Point(row.accuracy, parse_number(row.parameters))
        for row in leaderboard.public_table()
        if row.data_version != "v1"
    }
    return {name: point for name, point in (table | elsewhere).items() if point.parameters or point.minutes}


def parse_number(text: str) -> float | None:
    """Parse `8.9M`, `113K` or `1602`; return None for anything else, such as `<100K`."""
    match = re.fullmatch(r"([\d.]+)([KM]?)", text)
    return float(match[1]) * {"": 1, "K": 1e3, "M": 1e6}[match[2]] if match else None


@canvas.with_style
def plot_accuracy_over_cost(recipes: Mapping[str, Point], published: Mapping[str, Point]) -> Figure:
    """Plot accuracy over parameters and over minutes of training, both on logarithmic axes.

    Args:
        recipes: of modiste, by name; all are labeled.
        published: by others, by name; those on the Pareto front of each panel are labeled.
    """
    figure, panels = canvas.create_axes(rows=2, height=7.4, width=1.5 * canvas.WIDTH, gap=0.05)
    costs: tuple[tuple[str, str], ...] = (("parameters", "parameters"), ("minutes", "minutes of training"))
    for ax, (cost, label) in zip(panels, costs, strict=True):
        others, ours = _coordinates(published, cost), _coordinates(recipes, cost)
        front = {name for name, point in others.items() if not any(_dominates(p, point) for p in others.values())}
        _draw_points(ax, others, front, label="published by others", marker="D", color=canvas.GRAY)
        _draw_points(ax, ours, set(ours), label="modiste", marker="o", color=canvas.BLUE)
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(lambda value, _: formatting.abbreviate_number(value))
        ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g}%")
        ax.set(xlabel=label, ylabel="test accuracy")
        ax.margins(x=0.12)  # room for names
    panels[0].legend(loc="lower right", fontsize=8)
    figure.draw_without_rendering()  # positions in pixels exist from here on
    for ax in panels:
        _separate_names(ax)
    return figure


def _coordinates(points: Mapping[str, Point], cost: str) -> dict[str, tuple[float, float]]:
    """Return cost and accuracy of the points whose cost is reported."""
    coordinates = {name: (getattr(point, cost), point.accuracy) for name, point in points.items()}
    return {name: point for name, point in coordinates.items() if point[0] is not None}


def _dominates(point: tuple[float, float], other: tuple[float, float]) -> bool:
    """Return whether a point costs no more and is no less accurate than a different one."""
    return point != other and point[0] <= other[0] and point[1] >= other[1]


def _draw_points(ax: Axes, points: Mapping[str, tuple[float, float]], labeled: Collection[str], **style: Any) -> None:
    """Draw points, the labeled ones with their names beside them and the others faintly."""
    xs, ys = np.reshape(list(points.values()), (-1, 2)).T
    markers = ax.scatter(xs, ys, 25, linewidth=0, **style)
    markers.set_alpha([1 if name in labeled else 0.4 for name in points])
    for name, point in points.items():
        if name in labeled:
            text = ax.annotate(name, point, (6, -3), textcoords="offset points", fontsize=7.5, color=style["color"])
            text.set_in_layout(False)


def _separate_names(ax: Axes) -> None:
    """Move each name around its point until it overlaps no other point or name."""
    centers = [center for points in ax.collections for center in ax.transData.transform(points.get_offsets())]
    occupied = [Bbox([center - 3, center + 3]) for center in centers]
    for name in ax.texts:
        for x, y in NAME_OFFSETS:
            name.set(position=(x, y), ha="left" if x > 0 else "right")
            extent = name.get_window_extent()
            if not extent.count_overlaps(occupied) and ax.bbox.x0 < extent.x0 and extent.x1 < ax.bbox.x1:
                break
        occupied.append(extent)
