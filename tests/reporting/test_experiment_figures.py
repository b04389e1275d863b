"""The figures of experiments."""

from pathlib import Path

import pytest

from modiste.reporting import canvas
from modiste.reporting.difference_figure import DifferenceRow, plot_differences
from modiste.reporting.tuning_figure import plot_tuning


def test_the_figure_of_an_ablation_has_a_row_for_each_change(tmp_path: Path) -> None:
    """Also for one that failed, and for one without an interval."""
    rows = [
        DifferenceRow("better", 0.01, (0.005, 0.015), 0.004),
        DifferenceRow("equal", 0.001, (-0.005, 0.007), 0.006),
        DifferenceRow("one seed", 0.002),
        DifferenceRow("broken"),
    ]
    figure = plot_differences(rows, "x")
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["better", "equal", "one seed", "broken"]
    assert [text.get_text() for text in ax.texts] == ["failed"]
    assert [row.is_distinguishable for row in rows] == [True, False, False, False]
    canvas.save(figure, tmp_path / "x.png")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_differences_are_drawn_in_each_format(tmp_path: Path, suffix: str) -> None:
    """By the suffix of the file."""
    rows = [
        DifferenceRow("a - b", 0.004, (0.001, 0.007), 0.005),
        DifferenceRow("a - c", -0.001, (-0.003, 0.001)),
    ]
    path = tmp_path / f"differences.{suffix}"
    canvas.save(plot_differences(rows), path)
    assert path.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml", b"%PDF-")


def test_the_figure_of_a_tuning_has_history_and_importances(tmp_path: Path) -> None:
    """With trials of each state; one without a value does not end it."""
    trials = [
        {"trial": 0, "state": "failed", "val_accuracy": None},
        {"trial": 1, "state": "complete", "val_accuracy": 0.5},
        {"trial": 2, "state": "pruned", "val_accuracy": 0.2},
        {"trial": 3, "state": "complete", "val_accuracy": 0.6},
    ]
    figure = plot_tuning(trials, {"optimizer.lr": 1.0}, "x")
    history, importance = figure.axes
    best = next(line for line in history.lines if line.get_label() == "best so far")
    assert [float(value) for value in best.get_ydata()[1:]] == [0.5, 0.5, 0.6]
    assert [label.get_text() for label in importance.get_yticklabels()] == ["optimizer.lr"]
    canvas.save(figure, tmp_path / "x.png")
    assert plot_tuning([], {}, "x").axes[1].texts[0].get_text() == "too few trials"
