"""`modiste report` as it is typed."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from helpers.runs import write_run
from modiste.cli.report import report
from modiste.errors import InputError


def test_it_writes_one_file(tmp_path: Path) -> None:
    """The page is written where it was asked for, and nothing beside it."""
    run = write_run(tmp_path / "run")
    out = tmp_path / "out" / "r.html"
    arguments = [str(run.path), "--results", str(tmp_path), "--out", str(out), "--lang", "zh"]
    told = CliRunner().invoke(report, arguments, catch_exceptions=False).output
    assert told == f"{out}: open it in a browser\n"
    assert [path.name for path in out.parent.iterdir()] == ["r.html"]


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    """A folder without a run raises the error that the command line prints as one line."""
    with pytest.raises(InputError, match="no run folder"):
        CliRunner().invoke(report, [str(tmp_path)], catch_exceptions=False)
