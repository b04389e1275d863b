"""`modiste compare` as it is typed."""

import json
from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner

from helpers.runs import write_results, write_run
from modiste.cli.compare import compare
from modiste.recipes import named
from modiste.reporting.evaluate import evaluate


def test_runs_and_results_stand_side_by_side(tmp_path: Path) -> None:
    """A row each, the public table with its remarks, and the figures that can be drawn."""
    run = write_run(tmp_path / "mine", blind=1)
    evaluate(run.path)
    new = write_run(tmp_path / "new", named.sprint())
    results = write_results(tmp_path / "classic-cnn.json", (0.93, 0.94))
    out = tmp_path / "figures"
    arguments = [*map(str, (run.path, new.path, results)), "--out", str(out)]
    told = CliRunner().invoke(compare, arguments, catch_exceptions=False).output
    assert "90.00%" in told
    assert "new is not judged yet. Try: modiste evaluate" in told
    assert "ours, n = 2" in told
    assert "WRN-28-10 + Random Erasing" in told
    assert "a rerun on v2 gave 0.958" in told
    assert "untested" in told
    assert {path.name for path in out.iterdir()} == {
        "loss.png",
        "accuracy.png",
        "accuracies.png",
        "confusion-mine.png",
    }


def test_json_has_every_entry(tmp_path: Path) -> None:
    """--json prints the figures and the files, and nothing else."""
    run = write_run(tmp_path / "[odd] name", replace(named.classic_cnn(), seed=3))
    told = CliRunner().invoke(compare, [str(run.path), "--out", str(tmp_path / "o"), "--json"], catch_exceptions=False)
    content = json.loads(told.output)
    assert content["entries"][0]["name"] == "[odd] name"
    assert content["entries"][0]["accuracy"] is None
    assert len(content["figures"]) == 2
