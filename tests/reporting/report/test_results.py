"""The section on results."""

from pathlib import Path

from markupsafe import Markup

from helpers.runs import write_results
from modiste.reporting import method_files
from modiste.reporting.report import results, texts


def test_intervals_are_in_the_language_of_the_report(tmp_path: Path) -> None:
    """Also one over seeds that was clipped to 0 or 1, which has its ends in place of a half-width."""
    method = method_files.read_results(write_results(tmp_path / "cnn.json", accuracies=(0.2, 0.9)))
    ((_, cells),) = results.list_numbers("tab-results", Markup(), [method], "own", texts.read("zh")).rows
    assert cells[4] == "0.00 至 100.00"
