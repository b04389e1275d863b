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
    """With the name of the program."""
    rows = [
        DifferenceRow("a - b", 0.004, (0.001, 0.007), 0.005),
        DifferenceRow("a - c", -0.001, (-0.003, 0.001)),
    ]
    path = tmp_path / f"differences.{suffix}"
    canvas.save(plot_differences(rows), path, "modiste compare")
    assert b"modiste compare" in path.read_bytes()


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
    empty = plot_tuning([], {}, "x").axes[1]
    assert empty.texts[0].get_text() == "too few trials"
    assert not len(empty.get_xticks())


@pytest.mark.parametrize(
    ("accuracies", "below"),
    [
        ([0.84, 0.85], []),
        ([0.70, 0.85], []),
        ([0.70, 0.85, 0.84, 0.86], []),
        ([0.84, 0.85, 0.10, 0.86, 0.845], [2]),
        ([0.10, 0.85, 0.05, 0.86, 0.845], [2]),
    ],
)
def test_every_trial_is_drawn(accuracies: list[float], below: list[int]) -> None:
    """The first one and the better half in their places, much worse ones as triangles at the lower end."""
    trials = [{"trial": t, "state": "complete", "val_accuracy": value} for t, value in enumerate(accuracies)]
    history = plot_tuning(trials, {}, "x").axes[0]
    lines = {str(line.get_label()): line for line in history.lines}
    low, high = history.get_ylim()
    shown = [trial for trial in range(len(trials)) if trial not in below]
    assert [int(trial) for trial in lines["complete"].get_xdata()] == shown
    assert all(low < accuracies[trial] < high for trial in shown)
    assert all(accuracies[trial] < low for trial in below)
    triangles = lines.get("complete, below the axis")
    assert [int(trial) for trial in triangles.get_xdata()] == below if below else triangles is None
    assert low < lines["best so far"].get_ydata()[0]
