"""Figures are complete and contain the right texts."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.scores import compute_scores
from modiste.errors import InputError
from modiste.metrics.scores import Scores
from modiste.reporting import canvas, figures
from modiste.reporting.mistakes import Mistake
from modiste.runs.metrics_file import EpochMetrics

PNG = b"\x89PNG\r\n\x1a\n"


def rows(count: int, held_out: bool = True) -> list[EpochMetrics]:
    """Epochs whose validation loss is lowest in the second."""
    losses = [0.5, 0.3] + [0.4] * count
    return [
        EpochMetrics(e, 0.6 / e, 0.8, *((losses[e - 1], 0.9) if held_out else (None, None)), 0.01, 1.0)
        for e in range(1, count + 1)
    ]


def scores() -> Scores:
    """Three images of two labels, one of them wrong."""
    return compute_scores(np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]]), np.array([0, 1, 1]), ("bag", "coat"), "test")


def test_fonts_are_chosen_by_the_characters_they_have() -> None:
    """For those that the usual font has, no other one."""
    assert canvas.find_fonts(frozenset("Żółć µ → ж")) == ([], "")
    fonts, missing = canvas.find_fonts(frozenset("d\u1d81"))  # comes with Matplotlib, in a font of formulas
    assert fonts
    assert not missing


@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_curves_are_drawn_for_any_run(tmp_path: Path, count: int, held_out: bool) -> None:
    """One epoch or several, with validation or without."""
    figures.save_curves({"a": rows(count, held_out)}, tmp_path / "curves.png", {"a": 1})
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_epochs_are_whole_numbers() -> None:
    """The axis of a run of one epoch has one tick."""
    ax = figures.plot_curve({"a": rows(1)}, "loss", {"a": 1}).axes[0]
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high] == [1]


def test_several_runs_are_named() -> None:
    """The legend of several runs names each; of one run it does not."""
    assert {">one</text>", ">two</text>"} <= texts(
        figures.plot_curve({"one": rows(2), "two": rows(3, False)}, "loss", {"one": 2, "two": 3})
    )
    assert ">one</text>" not in texts(figures.plot_curve({"one": rows(2)}, "accuracy", {"one": 2}))


def test_a_spike_does_not_flatten_the_losses() -> None:
    """A very high loss is cut off; without one every point is inside."""
    without_spike = rows(12)
    with_spike = [*without_spike[:5], replace(without_spike[5], val_loss=80.0), *without_spike[6:]]
    tops = [
        figures.plot_curve({"a": each}, "loss", {"a": 2}).axes[0].get_ylim()[1] for each in (without_spike, with_spike)
    ]
    assert tops[0] >= without_spike[0].train_loss
    assert tops[1] < 5


def test_confusion_shows_shares() -> None:
    """In percent of each row."""
    assert {">100</text>", ">50</text>"} <= texts(figures.plot_confusion_matrix(scores()))


@pytest.mark.parametrize(("share", "text"), [(1, "100"), (0.03, "3"), (0.0099, "1"), (0.004, ".4"), (0.0004, ".0")])
def test_shares_fit_their_cell(share: float, text: str) -> None:
    """Percent without the sign; below one, tenths without the zero."""
    assert figures._format_percent(share) == text


@pytest.mark.parametrize("count", [0, 5])
def test_mistakes_are_drawn_also_without_mistakes(tmp_path: Path, count: int) -> None:
    """The figure then says that there are none."""
    images = np.zeros((count, 8, 8), np.uint8)
    figure = figures.plot_mistakes(images, [Mistake(0, "", "bag", "coat", 0.9)] * count)
    canvas.save(figure, tmp_path / "m.png")
    assert (tmp_path / "m.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("count", [1, 5, 16])
def test_the_sheet_of_mistakes_is_complete(count: int) -> None:
    """The titles of the top row and the texts below the last one are within the figure, and below its heading."""
    mistakes = [Mistake(0, "", "T-shirt/top", "T-shirt/top", 0.9)] * count
    figure = figures.plot_mistakes(np.zeros((count, 28, 28), np.uint8), mistakes)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for ax in figure.axes for text in (ax.title, *ax.texts) if text.get_text()]
    heading = figure.texts[0].get_window_extent()
    assert len(boxes) == 2 * count
    assert all(figure.bbox.y0 <= box.y0 < box.y1 <= heading.y0 for box in boxes)


def test_svg_takes_the_colors_of_the_page() -> None:
    """No fixed text color, XML that parses, and ids that differ between figures."""
    figure = figures.plot_accuracies([("a < b", 0.9, (0.8, 0.95))])
    one = canvas.to_svg(figure, "one")
    assert canvas.INK not in one
    assert "a &lt; b" in one
    trees = [ET.fromstring(canvas.to_svg(figure, title)) for title in ("x", "y")]  # noqa: S314  our own text
    both = [{element.get("id") for element in tree.iter()} - {None} for tree in trees]
    assert not both[0] & both[1]


def test_figures_are_translated() -> None:
    """Titles, names of ticks and single lines of a text; numbers on an axis stay."""
    two = compute_scores(np.eye(2), np.array([0, 1]), ("Bag", "Coat"), "test")
    figure = figures.plot_confusion_matrix(two)
    canvas.translate(figure, {"true": "真实类别", "Bag": "包"})
    assert {f">{text}</text>" for text in ("真实类别", "predicted", "包", "Coat")} <= texts(figure)
    sheet = figures.plot_mistakes(np.zeros((1, 8, 8), np.uint8), [Mistake(0, "", "Coat", "Bag", 0.9)])
    canvas.translate(sheet, {"Bag": "包"})
    assert sheet.axes[0].texts[0].get_text() == "包\n90%"


@pytest.mark.parametrize("name", [r"$\frac$", "$1", "衬衫 100 元", "\U0010fffd"])
def test_names_are_drawn_as_they_are(tmp_path: Path, name: str) -> None:
    """Dollar signs are not math; other scripts, and characters that no font has, are drawn without a warning."""
    two = compute_scores(np.eye(2), np.array([0, 1]), (name, "coat"), "test")
    canvas.save(figures.plot_confusion_matrix(two), tmp_path / "c.png")
    assert f">{name}</text>" in texts(figures.plot_confusion_matrix(two))
    assert f">{name}</text>" in texts(
        figures.plot_curve({name: rows(2), "other": rows(2)}, "loss", {name: 1, "other": 2})
    )
    figures.save_curves({name: rows(2)}, tmp_path / "curves.png", {name: 2})


def test_missing_fonts_are_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Drawing logs nothing about fonts."""
    figures.save_curves({"衬衫": rows(2), "coat": rows(2)}, tmp_path / "curves.png", {"衬衫": 2, "coat": 2})
    assert not caplog.records


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """A figure that cannot be written is an error of one sentence."""
    with pytest.raises(InputError, match="does not exist"):
        figures.save_curves({"a": rows(2)}, tmp_path / "none" / "curves.png", {"a": 2})


def texts(figure: object) -> set[str]:
    """The texts of a figure, each with the end of its tag."""
    return {
        line[line.rindex(">", 0, -7) :] for line in canvas.to_svg(figure, "t").splitlines() if line.endswith("</text>")
    }  # type: ignore[arg-type]
