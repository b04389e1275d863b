"""Compare runs and results files, in figures."""

import re
from collections.abc import Sequence
from pathlib import Path

from modiste.reporting import canvas, figures
from modiste.reporting.results_table import MethodResult, read_methods
from modiste.runs import files


def compare(paths: Sequence[Path], out: Path | None = None) -> list[MethodResult]:
    """Read run folders and results files, and plot their figures into the folder `out` where it is named."""
    methods = read_methods(paths)
    if out:
        plot_figures(methods, out)
    return methods


def plot_figures(methods: Sequence[MethodResult], out: Path) -> list[Path]:
    """Write loss.png and accuracy.png of all runs, accuracies.png, and confusion-NAME.png of each evaluated run.

    Return their paths; figures without numbers are left out, and in a NAME that is a path, slashes are hyphens.
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
    scores = {re.sub(r"[^\w.-]+", "-", m.name).strip("-"): m.scores for m in methods if m.scores}
    plots |= {f"confusion-{name}.png": figures.plot_confusion_matrix(each) for name, each in scores.items()}
    for name, figure in plots.items():
        canvas.save_png(figure, out / name)
    return [out / name for name in plots]
