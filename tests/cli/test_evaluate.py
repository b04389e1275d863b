"""The command `modiste evaluate`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from helpers.runs import write_run
from modiste.cli.evaluate import evaluate
from modiste.errors import InputError


def test_scores_are_printed(tmp_path: Path) -> None:
    """Accuracy with its interval, a row per class and the most frequent confusion."""
    run = write_run(tmp_path / "run", blind=1)
    output = CliRunner().invoke(evaluate, [str(run.path)], catch_exceptions=False).output
    assert "accuracy 90.00% (95 % interval over images 69.90 to 97.21 %)" in output
    assert "calibration error 0." in output
    assert "T-shirt/top" in output
    assert "most confused: T-shirt/top as" in output
    assert output.endswith(f"all mistakes: {run.mistakes_page}\n")


def test_json_is_the_content_of_scores_json(tmp_path: Path) -> None:
    """`--json` prints the scores of the evaluated split."""
    run = write_run(tmp_path / "run")
    result = CliRunner().invoke(evaluate, [str(run.path), "--split", "validation", "--json"], catch_exceptions=False)
    assert json.loads(result.output) == json.loads(run.scores.read_text())["validation"]


def test_a_bundled_model_is_evaluated_by_name(idx: Path) -> None:
    """Like any model file; the photo model has no packaged data."""
    result = CliRunner().invoke(evaluate, ["fashion-mnist", "--data", str(idx), "--json"], catch_exceptions=False)
    assert json.loads(result.output)["n"] == 40
    with pytest.raises(InputError, match="does not come with it"):
        CliRunner().invoke(evaluate, ["photo"], catch_exceptions=False)


def test_a_missing_target_is_an_input_error(tmp_path: Path) -> None:
    """The command line prints it as one line."""
    with pytest.raises(InputError, match="does not exist"):
        CliRunner().invoke(evaluate, [str(tmp_path / "none")], catch_exceptions=False)
