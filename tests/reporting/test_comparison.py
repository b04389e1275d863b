"""Comparing runs from Python."""

from pathlib import Path

import modiste
from helpers.runs import write_results, write_run
from modiste.reporting.evaluate import evaluate


def test_the_public_function_compares_runs_and_results_files(tmp_path: Path) -> None:
    """`modiste.compare` returns their results in their order, and plots figures where a folder is named."""
    run = write_run(tmp_path / "my-run", blind=1)
    scores = evaluate(run.path)
    paths = [run.path, write_results(tmp_path / "seeds.json", (0.93, 0.94))]
    methods = modiste.compare(paths, tmp_path / "figures")
    assert [(method.name, method.n, method.accuracy) for method in methods] == [
        ("my-run", 1, scores.accuracy),
        ("seeds", 2, 0.935),
    ]
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert figures == {"loss.png", "accuracy.png", "accuracies.png", "confusion-my-run.png"}
    assert modiste.compare(paths) == methods
