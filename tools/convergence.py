"""Chart of the validation loss of each epoch, for a recipe and for the same with one change."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from modiste.reporting import canvas
from modiste.reporting.results_table import MethodResult


@canvas.with_style
def plot_convergence(panels: Mapping[str, Mapping[str, MethodResult]]) -> Figure:
    """Plot the mean over seeds with the range of all seeds, a panel for each recipe.

    Args:
        panels: by title: methods whose trainings have validation losses, by the name in the legend.
    """
    figure, axes = canvas.create_axes(columns=len(panels), width=2 * canvas.WIDTH, height=3.4)
    for ax, (title, methods) in zip(axes, panels.items(), strict=True):
        for (name, method), color in zip(methods.items(), canvas.PALETTE, strict=False):
            _draw(ax, name, [run.val_losses for run in method.run_results], color)
        ax.set(title=title, xlabel="epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend()
    axes[0].set_ylabel("validation loss")
    return figure


def _draw(ax: Axes, name: str, losses: Sequence[Sequence[float]], color: str) -> None:
    """Draw one method; trainings that ended early are drawn as far as all have epochs."""
    epochs = min(map(len, losses))
    values = np.array([each[:epochs] for each in losses])
    places = np.arange(1, epochs + 1)
    ax.plot(places, values.mean(0), "o-", color=color, label=f"{name} (n = {len(values)})", markersize=3)
    ax.fill_between(places, values.min(0), values.max(0), color=color, alpha=0.2, linewidth=0)
