"""The figure of differences in accuracy: of two methods, or of a recipe and each of its changes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from modiste.reporting import canvas

POINTS = 100
"""Percentage points in 1."""


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A difference, its 95 % interval and the least that such trainings show, as fractions; None where they failed."""

    name: str
    difference: float | None = None
    interval: tuple[float, float] | None = None
    minimum_detectable_difference: float | None = None

    @property
    def is_distinguishable(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def to_difference_rows(records: Iterable[dict[str, Any]]) -> list[DifferenceRow]:
    """Return the rows of the results file of an ablation."""
    keys = ("difference", "difference_interval", "minimum_detectable_difference")
    return [DifferenceRow(record["recipe"], *(record.get(key) for key in keys)) for record in records]


@canvas.with_style
def plot_differences(rows: Sequence[DifferenceRow], title: str = "") -> Figure:
    """Plot the differences below one another: a dot with its 95 % interval in front of the minimum detectable one.

    Rows whose interval excludes 0 are blue, the others gray; a row whose trainings failed says so. A true difference
    within the band of the minimum detectable one is missed in more than one of five such experiments.
    """
    figure, (ax,) = canvas.create_axes(height=1.3 + 0.3 * max(2, len(rows)), width=1.5 * canvas.WIDTH)
    for place, row in enumerate(rows):
        _draw_row(ax, place, row)
    ax.axvline(0, color=canvas.INK, linewidth=0.8)
    ax.set_yticks(range(len(rows)), [row.name for row in rows])
    ax.set(ylim=(len(rows) - 0.4, -0.6), xlabel="difference in accuracy, percentage points", title=title)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.margins(x=0.08)
    ax.grid(axis="y", visible=False)
    colors = (("interval excludes 0", canvas.BLUE), ("not distinguishable", canvas.GRAY))
    dots = [Line2D([], [], label=label, color=color, marker="o", linewidth=3) for label, color in colors]
    band = Patch(label="missed in one of five cases or more", color=canvas.LINE)
    figure.legend(handles=[*dots, band], loc="outside lower center", ncols=3)
    return figure


def _draw_row(ax: Axes, place: int, row: DifferenceRow) -> None:
    if row.difference is None:
        ax.annotate("failed", (0, place), (4, 0), textcoords="offset points", va="center", color=canvas.VERMILLION)
        return
    color = canvas.BLUE if row.is_distinguishable else canvas.GRAY
    if row.minimum_detectable_difference is not None:
        width = 2 * POINTS * row.minimum_detectable_difference
        ax.barh(place, width, left=-width / 2, height=0.62, color=canvas.LINE, alpha=0.6, zorder=1.5)
    if row.interval:
        ax.plot([POINTS * end for end in row.interval], [place, place], color=color, linewidth=3, alpha=0.6)
    ax.plot(POINTS * row.difference, place, "o", color=color, markersize=5)
