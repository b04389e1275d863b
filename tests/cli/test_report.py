"""The command `modiste report`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from helpers.runs import write_run
from modiste.cli.report import report
from modiste.errors import InputError


def test_the_report_is_one_file(tmp_path: Path) -> None:
    """The page is written to `--out`, with no other file."""
    run = write_run(tmp_path / "run")
    out = tmp_path / "out" / "r.html"
    arguments = [str(run.path), "--results", str(tmp_path), "--out", str(out), "--lang", "zh"]
    output = CliRunner().invoke(report, arguments, catch_exceptions=False).output
    assert output == f"{out}: open this file in a browser\n"
    assert [path.name for path in out.parent.iterdir()] == ["r.html"]


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    """The command line prints it as one line."""
    with pytest.raises(InputError, match=r"recipe\.json"):
        CliRunner().invoke(report, [str(tmp_path)], catch_exceptions=False)
