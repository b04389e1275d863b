"""The command `modiste compare`."""

import json
from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner

from helpers.runs import write_results, write_run
from modiste.cli.compare import compare
from modiste.recipes import named, settings
from modiste.reporting.evaluate import evaluate


def test_runs_and_results_files_are_compared(tmp_path: Path) -> None:
    """Each has a row; the public table has its remarks; figures are drawn."""
    run = write_run(tmp_path / "own", blind=1)
    evaluate(run.path)
    new = write_run(tmp_path / "new", named.sprint())
    results = write_results(tmp_path / "classic-cnn.json", (0.93, 0.94))
    out = tmp_path / "figures"
    arguments = [*map(str, (run.path, new.path, results)), "--out", str(out)]
    output = CliRunner().invoke(compare, arguments, catch_exceptions=False).output
    assert "90.00%" in output
    assert "new is not evaluated yet. Try: modiste evaluate" in output
    assert "ours, n = 2" in output
    assert "n = 2 is uninformative" in output
    assert "WRN-28-10 + Random Erasing" in output
    assert "a rerun on v2 gave 0.958" in output
    assert "untested" in output
    assert {path.name for path in out.iterdir()} == {
        "loss.png",
        "accuracy.png",
        "accuracies.png",
        "confusion-own.png",
    }


def test_json_has_methods_and_figures(tmp_path: Path) -> None:
    """`--json` prints one JSON object and nothing else."""
    run = write_run(tmp_path / "[odd] name", replace(named.classic_cnn(), seed=3))
    result = CliRunner().invoke(
        compare, [str(run.path), "--out", str(tmp_path / "o"), "--json"], catch_exceptions=False
    )
    content = json.loads(result.output)
    assert content["methods"][0]["name"] == "[odd] name"
    assert content["methods"][0]["accuracy"] is None
    assert (content["methods"][0]["dataset"], content["different_data"]) == ("data", {})
    assert len(content["figures"]) == 2


def test_differences_that_limit_the_comparison_are_reported(tmp_path: Path) -> None:
    """Different precisions, and an epoch that was chosen on the split that it is evaluated on."""
    recipe = settings.with_settings(named.classic_cnn(), {"early_stopping.patience": 2})
    paths = [write_results(tmp_path / "folds.json", recipe=recipe, split="validation")]
    paths.append(write_results(tmp_path / "seeds.json"))
    for path, precision in zip(paths, ("fp32", "bf16"), strict=True):
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"runs": [each | {"precision": precision} for each in content["runs"]]}))
    command = [*map(str, paths), "--out", str(tmp_path / "figures")]
    output = CliRunner().invoke(compare, command, catch_exceptions=False).output
    assert "folds: the epoch was chosen on the validation split" in output
    assert "The trainings differ in precision" in output
    assert "seeds: bf16" in output
    assert "different images" in output
    assert "  folds: Fashion-MNIST, validation split of 20,000 images" in output
    assert "differ in precision" not in CliRunner().invoke(compare, command[1:], catch_exceptions=False).output
