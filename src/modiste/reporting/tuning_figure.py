"""The figure of a tuning: the accuracy of its trials in their order, and the importance of each setting."""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from modiste.reporting import canvas


@canvas.with_style
def plot_tuning(trials: Sequence[dict[str, Any]], importances: Mapping[str, float], title: str) -> Figure:
    """Plot the history of a search beside the importances of its settings.

    The worst trials may be below the axis, where they would flatten the others; triangles mark them.

    Args:
        trials: records with `trial`, `state` (complete, pruned, failed) and `val_accuracy`, which may be None.
        importances: share of each setting, highest first; may be empty.
        title: above the history.
    """
    figure, (history, importance) = canvas.create_axes(columns=2, width=2 * canvas.WIDTH, height=3.6)
    _draw_history(history, trials)
    history.set_title(title)
    _draw_importances(importance, importances)
    return figure


def _draw_history(ax: Axes, trials: Sequence[dict[str, Any]]) -> None:
    floor = _find_floor([each["val_accuracy"] for each in trials if _has_point(each, "complete")])
    for state, color, marker in (("complete", canvas.BLUE, "o"), ("pruned", canvas.GRAY, "x")):
        points = [(each["trial"], each["val_accuracy"]) for each in trials if _has_point(each, state)]
        shown = [point for point in points if point[1] >= floor]
        ax.plot(*(zip(*shown, strict=True) if shown else ([], [])), marker, color=color, markersize=5, label=state)
        _mark_below(ax, [trial for trial, value in points if value < floor], "v", color, f"{state}, below the axis")
    _mark_below(ax, [each["trial"] for each in trials if each["state"] == "failed"], "x", canvas.VERMILLION, "failed")
    complete = [each["val_accuracy"] if _has_point(each, "complete") else -math.inf for each in trials]
    best = [value if value > -math.inf else math.nan for value in accumulate(complete, max)]
    ax.step(
        [each["trial"] for each in trials],
        best,
        where="post",
        color=canvas.VERMILLION,
        linewidth=1.2,
        label="best so far",
    )
    ax.set(xlabel="trial", ylabel="validation accuracy")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.legend(loc="best")


def _has_point(trial: dict[str, Any], state: str) -> bool:
    return trial["state"] == state and trial["val_accuracy"] is not None


def _mark_below(ax: Axes, trials: Sequence[int], marker: str, color: str, label: str) -> None:
    """Mark trials at the lower end of the axis."""
    if trials:
        transform = ax.get_xaxis_transform()
        ax.plot(trials, [0.02] * len(trials), marker, color=color, markersize=5, label=label, transform=transform)


def _find_floor(values: Sequence[float]) -> float:
    """Return the lowest accuracy to show: the first trial, the better half, and twice the spread of that half below."""
    if not values:
        return -math.inf
    best, median = max(values), sorted(values)[(len(values) - 1) // 2]
    return min(values[0], median - 2 * (best - median))


def _draw_importances(ax: Axes, importances: Mapping[str, float]) -> None:
    names = list(importances)
    ax.barh(range(len(names)), list(importances.values()), height=0.6, color=canvas.BLUE)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set(title="importance", xlabel="share of the differences in accuracy")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="y", visible=False)
    if not names:
        ax.set(xticks=[], yticks=[])
        ax.text(0.5, 0.5, "too few trials", ha="center", va="center", transform=ax.transAxes)
