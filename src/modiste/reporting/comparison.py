"""Compare runs and results files, in figures."""

import re
from collections.abc import Sequence
from pathlib import Path

from modiste.reporting import canvas, figures
from modiste.reporting.results_table import MethodResult, read_methods
from modiste.runs import files


def compare(paths: Sequence[Path], out: Path | None = None) -> list[MethodResult]:
    """Read runs and results files and plot their figures.

    Args:
        paths: run folders and results files.
        out: folder of the figures, see `plot_figures`; None plots nothing.
    """
    methods = read_methods(paths)
    if out:
        plot_figures(methods, out)
    return methods


def plot_figures(methods: Sequence[MethodResult], out: Path) -> list[Path]:
    """Write loss.png and accuracy.png of all runs, accuracies.png, and confusion-NAME.png of each evaluated run.

    Args:
        methods: to compare; figures that they have no numbers for are left out.
        out: folder, made if it does not exist.

    Returns:
        The paths of the figures.

    Raises:
        OutputError: the folder cannot be written to.
    """
    files.make_folder(out)
    histories = {method.name: method.history for method in methods if method.history}
    best_epochs = {method.name: method.best_epoch for method in methods if method.history}
    plots = {}
    if histories:
        plots["loss.png"] = figures.plot_curve(histories, "loss", best_epochs)
        plots["accuracy.png"] = figures.plot_curve(histories, "accuracy", best_epochs)
    bars = [(m.name, m.accuracy, m.interval_images) for m in methods if m.accuracy is not None and m.interval_images]
    if bars:
        plots["accuracies.png"] = figures.plot_accuracies(bars)
    for method in methods:
        if method.scores:
            name = re.sub(r"[^\w.-]+", "-", method.name).strip("-")  # a name may be a path
            plots[f"confusion-{name}.png"] = figures.plot_confusion_matrix(method.scores)
    for name, figure in plots.items():
        canvas.save_png(figure, out / name)
    return [out / name for name in plots]
