"""Figures of several entries side by side."""

import re
from collections.abc import Sequence
from pathlib import Path

from modiste.reporting import canvas, figures
from modiste.reporting.results_table import MethodResult
from modiste.runs import files


def draw(entries: Sequence[MethodResult], out: Path) -> list[Path]:
    """Write loss.png and accuracy.png of all runs, accuracies.png of all judged, confusion-NAME.png of each judged run.

    Args:
        entries: what to compare; what an entry lacks is left out.
        out: folder, made when it is not there.

    Returns:
        What was written.

    Raises:
        OutputError: the folder cannot be written to.
    """
    files.make_folder(out)
    histories = {entry.name: entry.history for entry in entries if entry.history}
    kept = {entry.name: entry.best_epoch for entry in entries if entry.history}
    drawn = {}
    if histories:
        drawn["loss.png"] = figures.plot_curve(histories, "loss", kept)
        drawn["accuracy.png"] = figures.plot_curve(histories, "accuracy", kept)
    bars = [(e.name, e.accuracy, e.interval_images) for e in entries if e.accuracy is not None and e.interval_images]
    if bars:
        drawn["accuracies.png"] = figures.plot_accuracies(bars)
    drawn |= {f"confusion-{_safe(e.name)}.png": figures.plot_confusion_matrix(e.scores) for e in entries if e.scores}
    for name, figure in drawn.items():
        canvas.save_png(figure, out / name)
    return [out / name for name in drawn]


def _safe(name: str) -> str:
    """A name that is a path turned into one for a file."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")
