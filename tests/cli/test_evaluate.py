"""`modiste evaluate` as it is typed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from helpers.runs import write_run
from modiste.cli.evaluate import evaluate
from modiste.errors import InputError, SettingError


def test_it_tells_the_scores(tmp_path: Path) -> None:
    """Accuracy with its interval, loss, a row a label and the commonest confusion, in text."""
    run = write_run(tmp_path / "run", blind=1)
    told = CliRunner().invoke(evaluate, [str(run.path)], catch_exceptions=False).output
    assert "accuracy 90.00% (95 % interval over images 69.90 to 97.21 %)" in told
    assert "T-shirt/top" in told
    assert "most confused: T-shirt/top as" in told


def test_an_empty_data_option_is_refused(tmp_path: Path) -> None:
    """An unset variable of a shell is not the bundled data."""
    error = CliRunner().invoke(evaluate, [str(tmp_path), "--data", ""]).exception
    assert isinstance(error, SettingError)
    assert "--data is empty" in str(error)


def test_json_is_the_record(tmp_path: Path) -> None:
    """--json prints what scores.json has."""
    run = write_run(tmp_path / "run")
    told = CliRunner().invoke(evaluate, [str(run.path), "--split", "validation", "--json"], catch_exceptions=False)
    assert json.loads(told.output) == json.loads(run.scores.read_text())["validation"]


def test_the_bundled_model_is_known_by_its_name(idx: Path) -> None:
    """It is judged as any model file."""
    told = CliRunner().invoke(evaluate, ["fashion-mnist", "--data", str(idx), "--json"], catch_exceptions=False)
    assert json.loads(told.output)["n"] == 40
    with pytest.raises(InputError, match="does not come with it"):
        CliRunner().invoke(evaluate, ["photo"], catch_exceptions=False)


def test_errors_are_ours(tmp_path: Path) -> None:
    """A target that is not there raises the error that the command line prints as one line."""
    with pytest.raises(InputError, match="does not exist"):
        CliRunner().invoke(evaluate, [str(tmp_path / "none")], catch_exceptions=False)
