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
    for state, color, marker in (("complete", canvas.BLUE, "o"), ("pruned", canvas.GRAY, "x")):
        points = [(each["trial"], each["val_accuracy"]) for each in trials if _has_point(each, state)]
        ax.plot(*(zip(*points, strict=True) if points else ([], [])), marker, color=color, markersize=5, label=state)
    failed = [each["trial"] for each in trials if each["state"] == "failed"]
    if failed:
        ax.plot(
            failed,
            [0.02] * len(failed),
            "x",
            color=canvas.VERMILLION,
            label="failed",
            transform=ax.get_xaxis_transform(),
        )
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
    _focus(ax, [value for value in complete if value > -math.inf])
    ax.set(xlabel="trial", ylabel="validation accuracy")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.legend(loc="lower right")


def _has_point(trial: dict[str, Any], state: str) -> bool:
    return trial["state"] == state and trial["val_accuracy"] is not None


def _focus(ax: Axes, values: Sequence[float]) -> None:
    """Cut off the worst trials, which would flatten the others: show from twice the spread of the better half on."""
    if len(values) < 2:
        return
    best, median = max(values), sorted(values)[len(values) // 2]
    margin = max(best - median, 1e-3)
    lowest = min(values)
    ax.set_ylim(max(lowest, best - 4 * margin) - 0.3 * margin, best + 0.3 * margin)


def _draw_importances(ax: Axes, importances: Mapping[str, float]) -> None:
    names = list(importances)
    ax.barh(range(len(names)), list(importances.values()), height=0.6, color=canvas.BLUE)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set(title="importance", xlabel="share of the differences in accuracy")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="y", visible=False)
    if not names:
        ax.text(0.5, 0.5, "too few trials", ha="center", va="center", transform=ax.transAxes)
