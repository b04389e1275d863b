"""The figures: training curves, confusion matrix, mistakes, and accuracies side by side."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from modiste.reporting import canvas
from modiste.runs.metrics_file import EpochMetrics

if TYPE_CHECKING:  # a training draws curves without the seconds that importing scikit-learn and scipy takes
    from modiste.metrics.intervals import Interval
    from modiste.metrics.scores import Scores
    from modiste.reporting.mistakes import Mistake

Metric = Literal["loss", "accuracy"]
AccuracyRow = tuple[str, float, "Interval"]
"""Name, accuracy and its 95 % interval, as fractions."""


SPIKE = 3.0
"""Losses above this multiple of their 90th percentile are cut off, because they would flatten the curve."""


def save_curves(
    metrics_by_run: Mapping[str, Sequence[EpochMetrics]], path: Path, best_epochs: Mapping[str, int]
) -> None:
    """Write the figure of `plot_curves` as a PNG."""
    canvas.save(plot_curves(metrics_by_run, best_epochs), path)


@canvas.with_style
def plot_curves(
    metrics_by_run: Mapping[str, Sequence[EpochMetrics]],
    best_epochs: Mapping[str, int],
    width: float = 2 * canvas.WIDTH,
) -> Figure:
    """Plot loss and accuracy over the epochs, train and validation.

    Args:
        metrics_by_run: the epochs of each run.
        best_epochs: the epoch, from 1, whose weights are the model's, by run.
        width: in inches.
    """
    figure, (loss, accuracy) = canvas.create_axes(columns=2, width=width, height=0.36 * width)
    _draw_curves(loss, metrics_by_run, "loss", best_epochs)
    _draw_curves(accuracy, metrics_by_run, "accuracy", best_epochs)
    return figure


@canvas.with_style
def plot_curve(
    metrics_by_run: Mapping[str, Sequence[EpochMetrics]], metric: Metric, best_epochs: Mapping[str, int]
) -> Figure:
    """Plot loss or accuracy over the epochs; arguments as for `plot_curves`."""
    figure, (ax,) = canvas.create_axes()
    _draw_curves(ax, metrics_by_run, metric, best_epochs)
    return figure


@canvas.with_style
def plot_confusion_matrix(scores: "Scores") -> Figure:
    """Plot the confusion matrix in percent of each row: correct predictions in blue, errors in vermillion.

    The color is darker for larger shares.
    """
    shares, names = scores.normalized(), [label.name for label in scores.per_class]
    figure, (ax,) = canvas.create_axes(height=0.9 + 0.38 * len(names), width=1.2 + 0.4 * len(names))
    for row, column in np.ndindex(shares.shape):
        share, count = float(shares[row, column]), scores.confusion_matrix[row][column]
        color = canvas.BLUE if row == column else canvas.VERMILLION
        # the square root keeps an error of 1 % visible beside a diagonal near 100 %
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=color, alpha=share**0.5 * 0.95, linewidth=0))
        text, color = _format_percent(share) if count else "", "white" if share > 0.3 else canvas.INK
        ax.text(column, row, text, ha="center", va="center", fontsize=7, color=color)
    ax.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5), xlabel="predicted", ylabel="true")
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return figure


@canvas.with_style
def plot_mistakes(
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    mistakes: "Sequence[Mistake]",
    columns: int = 4,
    width: float = canvas.WIDTH,
) -> Figure:
    """Plot a contact sheet of n misclassified images, each with its true and its predicted class.

    Args:
        images: [s, s] or [s, s, 3] each; there may be none.
        mistakes: n.
        columns: images in a row.
        width: in inches.
    """
    rows = max(1, -(-len(images) // columns))
    height = 0.3 + rows * (0.32 + width / columns)
    figure, cells = canvas.create_axes(rows, columns, height=height, width=width, gap=0.1)
    for cell in cells:
        cell.set_axis_off()
    style: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 7, "color": canvas.VERMILLION, "linespacing": 1.1}
    for cell, image, mistake in zip(cells, images, mistakes, strict=False):
        cell.imshow(image, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
        cell.set_title(mistake.true_label, fontsize=7.5, loc="center", pad=2)
        text = f"{mistake.predicted_label}\n{mistake.probability:.0%}"
        cell.text(0.5, -0.03, text, transform=cell.transAxes, **style)
    figure.suptitle("above: true class; below: predicted class and its probability", fontsize=8)
    if not len(images):
        cells[0].text(0, 0.5, "no mistakes", va="center")
    return figure


@canvas.with_style
def plot_image(image: NDArray[np.uint8]) -> Figure:
    """Plot an image, uint8 [s, s] or [s, s, 3], an inch wide."""
    figure, (cell,) = canvas.create_axes(width=1, height=1)
    cell.set_axis_off()
    cell.imshow(image, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    return figure


@canvas.with_style
def plot_samples(samples: Sequence[tuple[str, NDArray[np.uint8]]]) -> Figure:
    """Plot a strip of images for each class, in two columns.

    Args:
        samples: name of a class and its images, uint8 [n, s, s] or [n, s, s, 3]; n is at least 1.
    """
    rows = -(-len(samples) // 2)
    figure, cells = canvas.create_axes(rows, 2, height=0.6 * rows, width=canvas.PAGE_WIDTH, gap=0.05)
    for cell in cells:
        cell.set_axis_off()
    for cell, (name, images) in zip(cells, samples, strict=False):
        gap = np.full((images.shape[1], 2, *images.shape[3:]), 255 if images.ndim > 3 else 0, np.uint8)
        strip = np.concatenate([part for image in images for part in (image, gap)], axis=1)
        cell.imshow(strip, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
        cell.set_anchor("W")
        cell.set_title(name, fontsize=8, pad=2)
    return figure


@canvas.with_style
def plot_accuracies(
    own: Sequence[AccuracyRow], published: Sequence[AccuracyRow] = (), xlabel: str = "accuracy"
) -> Figure:
    """Plot accuracies below one another, a dot each with its 95 % interval.

    Args:
        own: measured by the user, in blue; drawn from the top down.
        published: with modiste, in gray, below the others; with any, a legend names the colors that are used.
        xlabel: of the axis.
    """
    rows = [*own, *published]
    figure, (ax,) = canvas.create_axes(height=0.8 + 0.36 * max(2, len(rows)) + 0.3 * bool(published))
    for place, (_, accuracy, (low, high)) in enumerate(rows):
        color = canvas.BLUE if place < len(own) else canvas.GRAY
        ax.plot([low, high], [place, place], color=color, linewidth=5, alpha=0.35)
        ax.plot(accuracy, place, "o", color=color, markersize=6)
        ax.annotate(f"{accuracy:.2%}", (accuracy, place), (0, 6), textcoords="offset points", ha="center", fontsize=8)
    ax.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    ax.set(ylim=(len(rows) - 0.5, -0.6), xlabel=xlabel)
    ax.xaxis.set_major_formatter(_tick_percent)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.margins(x=0.12)
    ax.grid(axis="y", visible=False)
    if published:
        sources = [("measured here", canvas.BLUE)] * bool(own) + [("published with modiste", canvas.GRAY)]
        dots = [_legend_entry(label, color, linestyle="", marker="o") for label, color in sources]
        figure.legend(handles=dots, loc="outside upper right", ncols=2)
    return figure


def _tick_percent(value: float, _: object) -> str:
    return f"{100 * value:.4g}%"


def _format_percent(share: float) -> str:
    """Format a fraction as a percentage of at most three characters: `97`, `3`, `.4`."""
    return f"{100 * share:.0f}" if share >= 0.0095 else f"{100 * share:.1f}".removeprefix("0")


def _draw_curves(
    ax: Axes, metrics_by_run: Mapping[str, Sequence[EpochMetrics]], metric: Metric, best_epochs: Mapping[str, int]
) -> None:
    values: list[float] = []
    for (name, rows), colors in zip(metrics_by_run.items(), _curve_colors(len(metrics_by_run)), strict=True):
        values += _draw_curve(ax, rows, metric, best_epochs[name], *colors)
    ax.set(title=metric, xlabel="epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if metric == "accuracy":
        ax.yaxis.set_major_formatter(_tick_percent)
    elif values and max(values) > (top := SPIKE * float(np.percentile(values, 90))):
        ax.set_ylim(0, top)
    legend = ax.legend(handles=_curve_legend(metrics_by_run), loc="best")
    if len(metrics_by_run) > 1:
        for text in legend.get_texts()[: len(metrics_by_run)]:
            canvas.mark_name(text)


def _draw_curve(
    ax: Axes, rows: Sequence[EpochMetrics], metric: Metric, best_epoch: int, color: str, train_color: str
) -> list[float]:
    """Draw one run and return the values drawn."""
    style: dict[str, Any] = {"marker": "o", "markersize": 3} if len(rows) <= 15 else {}
    epochs = [row.epoch for row in rows]
    train, validation = ([getattr(row, f"{split}_{metric}") for row in rows] for split in ("train", "val"))
    ax.plot(epochs, train, "--", color=train_color, linewidth=1.2, **style)
    if None in validation:
        return train
    ax.plot(epochs, validation, color=color, **style)
    best = validation[best_epoch - 1]
    ax.plot(best_epoch, best, "o", color=color, markersize=7, markerfacecolor=canvas.PAPER, zorder=5)
    return train + validation


def _curve_colors(count: int) -> list[tuple[str, str]]:
    """Return the colors of the validation and the train curve of each run; they differ only for a single run."""
    if count == 1:
        return [(canvas.BLUE, canvas.VERMILLION)]
    return [(color, color) for color in itertools.islice(itertools.cycle(canvas.PALETTE), count)]


def _curve_legend(metrics_by_run: Mapping[str, Sequence[EpochMetrics]]) -> list[Line2D]:
    """Return legend entries: the names of several runs, then what each line style means."""
    colors, runs = _curve_colors(len(metrics_by_run)), []
    if len(metrics_by_run) > 1:
        runs = [_legend_entry(name, color) for name, (color, _) in zip(metrics_by_run, colors, strict=True)]
        colors = [(canvas.INK, canvas.INK)]
    train = _legend_entry("train", colors[0][1], linestyle="--", linewidth=1.2)
    if all(row.val_loss is None for rows in metrics_by_run.values() for row in rows):
        return [*runs, train]
    best = _legend_entry("best epoch", colors[0][0], linestyle="", marker="o", markerfacecolor=canvas.PAPER)
    return [*runs, _legend_entry("validation", colors[0][0]), train, best]


def _legend_entry(label: str, color: str, **style: Any) -> Line2D:
    return Line2D([], [], label=label, color=color, **style)
