"""Chart of accuracy over the time of trainings."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from modiste.reporting import canvas


@canvas.with_style
def plot_accuracy_over_time(points_by_name: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """Plot accuracy over time on a logarithmic axis: a dot for each training, a ring at each mean.

    Args:
        points_by_name: seconds and accuracy of each training, by method.
    """
    figure, (ax,) = canvas.create_axes(height=3.6, width=1.5 * canvas.WIDTH)
    for place, (name, points) in enumerate(points_by_name.items()):
        color = canvas.PALETTE[place % len(canvas.PALETTE)]
        seconds, accuracies = zip(*points, strict=True)
        mean = fmean(seconds), fmean(accuracies)
        ax.plot(seconds, accuracies, "o", color=color, markersize=3.5, alpha=0.5, markeredgewidth=0)
        ax.plot(*mean, "o", color=color, markersize=10, markerfacecolor="none", markeredgewidth=2)
        label = f"{name}\n{mean[1]:.2%} in {_format_duration(mean[0])}, n = {len(points)}"
        ax.annotate(label, mean, (18, 0), textcoords="offset points", va="center", fontsize=8, color=color)
    all_seconds = [seconds for points in points_by_name.values() for seconds, _ in points]
    ax.set(xscale="log", xlim=(min(all_seconds) / 1.4, max(all_seconds) * 5))  # room for the last name
    ax.margins(y=0.15)
    ax.xaxis.set_major_locator(FixedLocator([unit * count for unit in (1, 60, 3600) for count in (1, 3, 10, 30)]))
    ax.xaxis.set_major_formatter(lambda value, _: _format_duration(value))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g}%")
    ax.set(xlabel="time from reading the data to the last prediction", ylabel="test accuracy")
    return figure


def _format_duration(seconds: float) -> str:
    """Format a duration in its largest unit: `25 s`, `12 min`, `2 h`."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 3600 else f"{seconds / 3600:.2g} h"
