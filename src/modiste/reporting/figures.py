"""The figures: curves, confusion matrix, mistakes, accuracies side by side."""

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from modiste.reporting import canvas, formatting
from modiste.runs.metrics_file import EpochMetrics

if TYPE_CHECKING:  # a training draws curves without waiting seconds for what scores
    from modiste.metrics.intervals import Interval
    from modiste.metrics.scores import Scores
    from modiste.reporting.leaderboard import Point

Quantity = Literal["loss", "accuracy"]

FEW = 15
"""Up to so many epochs each is a dot as well."""

SPIKE = 3.0
"""A loss so many times as high as nine tenths of the others leaves the figure, or it would flatten all the rest."""

DURATIONS = tuple(unit * count for unit in (1, 60, 3600) for count in (1, 3, 10, 30))
"""Seconds that an axis of time marks."""


@canvas.styled
def curves(rows_by_name: Mapping[str, Sequence[EpochMetrics]], path: Path, kept: Mapping[str, int]) -> None:
    """Write loss and accuracy over the epochs, train and validation, as a PNG.

    Args:
        rows_by_name: the epochs of each run.
        path: of the PNG.
        kept: the epoch whose weights count, by run.
    """
    figure, (loss, accuracy) = canvas.axes(columns=2, width=2 * canvas.WIDTH, height=3.6)
    _draw_curves(loss, rows_by_name, "loss", kept)
    _draw_curves(accuracy, rows_by_name, "accuracy", kept)
    canvas.png(figure, path)


@canvas.styled
def curve(rows_by_name: Mapping[str, Sequence[EpochMetrics]], quantity: Quantity, kept: Mapping[str, int]) -> Figure:
    """Draw loss or accuracy alone; arguments as `curves`."""
    figure, (ax,) = canvas.axes()
    _draw_curves(ax, rows_by_name, quantity, kept)
    return figure


@canvas.styled
def confusion(scores: "Scores", normalized: bool = True) -> Figure:
    """Draw the confusion matrix: what is right in blue, what is not in vermillion, stronger for more."""
    shares, names = scores.normalized(), [label.name for label in scores.per_class]
    figure, (ax,) = canvas.axes(height=0.9 + 0.38 * len(names), width=1.2 + 0.4 * len(names))
    for row, column in np.ndindex(shares.shape):
        share, count = float(shares[row, column]), scores.confusion_matrix[row][column]
        color = canvas.BLUE if row == column else canvas.VERMILLION
        # the root lets a confusion of one in a hundred be seen beside a diagonal near one
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=color, alpha=share**0.5 * 0.95, linewidth=0))
        if count:
            text = _share(share) if normalized else str(count)
            ax.text(
                column, row, text, ha="center", va="center", fontsize=7, color="white" if share > 0.3 else canvas.INK
            )
    ax.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5), xlabel="taken for", ylabel="true")
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return figure


@canvas.styled
def mistakes(
    images: NDArray[np.uint8], true: Sequence[str], taken_for: Sequence[str], probabilities: Sequence[float]
) -> Figure:
    """Draw a contact sheet of mistakes, each with its truth, what it was taken for, and how surely.

    Args:
        images: [n, s, s] or [n, s, s, 3]; n may be 0.
        true: n labels.
        taken_for: n labels.
        probabilities: n, of the labels they were taken for.
    """
    columns = 4
    rows = max(1, -(-len(images) // columns))
    figure, cells = canvas.axes(rows, columns, width=canvas.WIDTH, height=0.3 + 1.57 * rows, gap=0.1)
    for cell in cells:
        cell.set_axis_off()
    for cell, image, truth, said, probability in zip(cells, images, true, taken_for, probabilities, strict=False):
        cell.imshow(image, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
        cell.set_title(truth, fontsize=7.5, loc="center", pad=2)
        cell.text(
            0.5, -0.03, f"{said}\n{probability:.0%}", transform=cell.transAxes, ha="center", va="top", fontsize=7,
            color=canvas.VERMILLION, linespacing=1.1,
        )  # fmt: skip
    figure.suptitle("above: the true label; below: what it was taken for, how surely", fontsize=8)
    if not len(images):
        cells[0].text(0, 0.5, "no mistakes", va="center")
    return figure


@canvas.styled
def accuracies(rows: Sequence[tuple[str, float, "Interval"]]) -> Figure:
    """Draw accuracies side by side, a dot each with its 95 % interval.

    Args:
        rows: name, accuracy and interval, as fractions; drawn from the top down.
    """
    figure, (ax,) = canvas.axes(height=0.8 + 0.36 * max(2, len(rows)))
    for place, (_, accuracy, (low, high)) in enumerate(rows):
        ax.plot([low, high], [place, place], color=canvas.BLUE, linewidth=5, alpha=0.35, solid_capstyle="round")
        ax.plot(accuracy, place, "o", color=canvas.BLUE, markersize=6)
        ax.annotate(f"{accuracy:.2%}", (accuracy, place), (0, 6), textcoords="offset points", ha="center", fontsize=8)
    ax.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    ax.set_ylim(len(rows) - 0.5, -0.6)
    ax.xaxis.set_major_formatter(_percent)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.margins(x=0.12)
    ax.set_xlabel("accuracy")
    ax.grid(axis="y", visible=False)
    return figure


@canvas.styled
def times(points_by_name: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """Draw accuracy against time, a logarithmic axis: a dot a training, a ring at each mean.

    Args:
        points_by_name: seconds and accuracy of each training, by contestant.
    """
    figure, (ax,) = canvas.axes(height=3.6, width=1.5 * canvas.WIDTH)
    for place, (name, points) in enumerate(points_by_name.items()):
        color = canvas.PALETTE[place % len(canvas.PALETTE)]
        seconds, accuracies = np.array(points).T
        ax.plot(seconds, accuracies, "o", color=color, markersize=3.5, alpha=0.5, markeredgewidth=0)
        mean = (float(seconds.mean()), float(accuracies.mean()))
        ax.plot(*mean, "o", color=color, markersize=10, markerfacecolor="none", markeredgewidth=2)
        label = f"{name}\n{mean[1]:.2%} in {_duration(mean[0])}, n = {len(points)}"
        ax.annotate(label, mean, (11, 0), textcoords="offset points", va="center", fontsize=8, color=color)
    ax.set_xscale("log")
    all_seconds = [seconds for points in points_by_name.values() for seconds, _ in points]
    ax.set_xlim(min(all_seconds) / 1.4, max(all_seconds) * 5)  # room for the last name
    ax.margins(y=0.15)
    ax.xaxis.set_major_locator(FixedLocator(DURATIONS))
    ax.xaxis.set_major_formatter(lambda value, _: _duration(value))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(_percent)
    ax.set(xlabel="time, from reading the data to the last prediction", ylabel="test accuracy")
    return figure


@canvas.styled
def frontier(ours: Mapping[str, "Point"], published: Mapping[str, "Point"]) -> Figure:
    """Draw accuracy against parameters and against minutes of training, both logarithmic.

    Args:
        ours: by name; each is named.
        published: likewise; those are named that no other published one beats in both.
    """
    figure, panels = canvas.axes(rows=2, height=7.4, width=1.5 * canvas.WIDTH, gap=0.05)
    for ax, what, unit in zip(panels, ("parameters", "minutes"), ("parameters", "minutes of training"), strict=True):
        theirs, mine = _places(published, what), _places(ours, what)
        best = {name for name, place in theirs.items() if not any(_beats(other, place) for other in theirs.values())}
        _draw_places(ax, theirs, best, label="published", marker="D", color=canvas.PALETTE[-1])
        _draw_places(ax, mine, set(mine), label="ours", marker="o", color=canvas.BLUE)
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(lambda value, _: formatting.count(value))
        ax.yaxis.set_major_formatter(_percent)
        ax.set(xlabel=unit, ylabel="test accuracy")
        ax.margins(x=0.12)  # room for names
    panels[0].legend(loc="lower right", fontsize=8)
    figure.draw_without_rendering()  # until then nothing has its place
    for ax in panels:
        _move_names_apart(ax)
    return figure


def _places(points: Mapping[str, "Point"], what: str) -> dict[str, tuple[float, float]]:
    known = {name: (getattr(point, what), point.accuracy) for name, point in points.items()}
    return {name: place for name, place in known.items() if place[0] is not None}


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] >= other[1]


def _draw_places(ax: Axes, places: Mapping[str, tuple[float, float]], named: Collection[str], **style: Any) -> None:
    """Draw points, those that are not named faintly, with names beside them."""
    xs, ys = np.reshape(list(places.values()), (-1, 2)).T
    points = ax.scatter(xs, ys, 25, linewidth=0, **style)
    points.set_alpha([1 if name in named else 0.4 for name in places])
    for name, place in places.items():
        if name in named:
            text = ax.annotate(name, place, (6, -3), textcoords="offset points", fontsize=7.5, color=style["color"])
            text.set_in_layout(False)


def _move_names_apart(ax: Axes) -> None:
    """Put each name right or left of its point, or a little higher or lower, where no other point or name is."""
    spots = [spot for points in ax.collections for spot in ax.transData.transform(points.get_offsets())]
    taken = [Bbox([spot - 3, spot + 3]) for spot in spots]
    for name in ax.texts:
        for y, x in product((-3, 3, -9, 9, -15), (6, -6)):
            name.set(position=(x, y), ha="left" if x > 0 else "right")
            extent = name.get_window_extent()
            if not extent.count_overlaps(taken) and ax.bbox.x0 < extent.x0 and extent.x1 < ax.bbox.x1:
                break
        taken.append(extent)


def _duration(seconds: float) -> str:
    """As short as it can be told: `25 s`, `12 min`, `2 h`."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 3600 else f"{seconds / 3600:.2g} h"


def _percent(value: float, _: object) -> str:
    return f"{100 * value:.4g}%"


def _share(share: float) -> str:
    """A share in per cent, in two places: `97`, `3`, `.4`."""
    return f"{100 * share:.0f}" if share >= 0.0095 else f"{100 * share:.1f}".removeprefix("0")


def _draw_curves(
    ax: Axes, rows_by_name: Mapping[str, Sequence[EpochMetrics]], quantity: Quantity, kept: Mapping[str, int]
) -> None:
    alone = len(rows_by_name) == 1
    drawn: list[float] = []
    for place, (name, rows) in enumerate(rows_by_name.items()):
        color = canvas.PALETTE[place % len(canvas.PALETTE)]
        style: dict[str, Any] = {"marker": "o", "markersize": 3} if len(rows) <= FEW else {}
        epochs = [row.epoch for row in rows]
        held_out = [getattr(row, f"val_{quantity}") for row in rows]
        train = [getattr(row, f"train_{quantity}") for row in rows]
        ax.plot(epochs, train, "--", color=canvas.PALETTE[1] if alone else color, linewidth=1.2, **style)
        drawn += [value for value in (*train, *held_out) if value is not None]
        if None not in held_out:
            ax.plot(epochs, held_out, color=color, **style)
            best = kept[name]
            ax.plot(best, held_out[best - 1], "o", color=color, markersize=7, markerfacecolor=canvas.PAPER, zorder=5)
    ax.set_title(quantity)
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if quantity == "accuracy":
        ax.yaxis.set_major_formatter(_percent)
    elif drawn and max(drawn) > (top := SPIKE * float(np.percentile(drawn, 90))):
        ax.set_ylim(0, top)
    ax.legend(handles=_legend(rows_by_name), loc="best")


def _legend(rows_by_name: Mapping[str, Sequence[EpochMetrics]]) -> list[Line2D]:
    """Names where there are several, then what the strokes mean."""
    alone = len(rows_by_name) == 1
    ink = canvas.PALETTE[0] if alone else canvas.INK
    names = [
        Line2D([], [], color=canvas.PALETTE[place % len(canvas.PALETTE)], label=name)
        for place, name in enumerate(rows_by_name)
        if not alone
    ]
    strokes = [Line2D([], [], color=canvas.PALETTE[1] if alone else ink, linestyle="--", linewidth=1.2, label="train")]
    if any(row.val_loss is not None for rows in rows_by_name.values() for row in rows):
        strokes.insert(0, Line2D([], [], color=ink, label="validation"))
        strokes.append(
            Line2D([], [], color=ink, linestyle="", marker="o", markerfacecolor=canvas.PAPER, label="epoch kept")
        )
    return names + strokes
