"""The command `modiste report`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from helpers.runs import write_run
from modiste.cli.report import report
from modiste.errors import InputError, SettingError


def test_the_report_is_one_file(tmp_path: Path) -> None:
    """The page is written to `--out`, with no other file."""
    run = write_run(tmp_path / "run")
    out = tmp_path / "out" / "r.html"
    arguments = [str(run.path), "--results", str(tmp_path), "--out", str(out), "--lang", "zh"]
    output = CliRunner().invoke(report, arguments, catch_exceptions=False).stdout
    assert output == f"{out}: open this file in a browser\n"
    assert [path.name for path in out.parent.iterdir()] == ["r.html"]


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    """The command line prints it as one line."""
    with pytest.raises(InputError, match=r"recipe\.json"):
        CliRunner().invoke(report, [str(tmp_path)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [([], "report.html"), (["--format", "markdown"], "report.md"), (["--out", "r.markdown"], "r.markdown")],
)
def test_format_and_file_name_follow_from_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], name: str
) -> None:
    """Each has a default that fits the other."""
    run = write_run(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(report, [str(run.path), *arguments], catch_exceptions=False)
    assert (tmp_path / name).is_file()


@pytest.mark.parametrize("arguments", [["--out", "r.txt"], ["--out", "r.html", "--format", "pdf"]])
def test_a_file_name_that_does_not_fit_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    """Before anything is read."""
    with pytest.raises(SettingError, match="must end in"):
        CliRunner().invoke(report, [str(tmp_path), *arguments], catch_exceptions=False)
