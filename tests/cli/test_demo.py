"""The command `modiste demo`, on fewer images."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.command import run_in_process
from modiste.cli import demo
from modiste.recipes import named
from modiste.recipes.recipe import Recipe


def short_recipe() -> Recipe:
    """The recipe `sprint` for one epoch of 512 images."""
    recipe = named.sprint()
    return replace(recipe, data=replace(recipe.data, max_train_images=512), schedule=replace(recipe.schedule, epochs=1))


@pytest.mark.slow
def test_the_demo_trains_evaluates_predicts_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command leaves an evaluated run with a report, prints their paths, and overwrites no earlier demo."""
    monkeypatch.setitem(named.NAMED, "sprint", short_recipe)
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    summary = json.loads(run_in_process(tmp_path, "demo", "--json").stdout)
    assert summary["run"] == "runs/demo-2"
    assert (tmp_path / "runs" / "demo-2" / "confusion.png").exists()
    assert json.loads((tmp_path / "runs" / "demo-2" / "scores.json").read_text())["test_openings"] == 1
    text = demo.SUMMARY.format(**summary)
    assert all(word in text for word in ("test accuracy", "runs/demo-2/report.html", "runs/demo-2/model.onnx"))
    html = (tmp_path / summary["report"]).read_text()
    assert f"Split: test. {summary['test_accuracy']:.2%} of 10,000 images are classified correct" in html
    assert "14 of the 17 claims are about trainings that are not in this report." in html
    assert "Conv2d 3 × 3" in html  # from the layers that the training recorded
