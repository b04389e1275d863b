"""`modiste demo`: the whole way, on fewer images."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.command import inside
from modiste.recipes import named
from modiste.recipes.recipe import Recipe


def short() -> Recipe:
    """The recipe `sprint` for one epoch of 512 images."""
    recipe = named.sprint()
    return replace(recipe, data=replace(recipe.data, max_train_images=512), schedule=replace(recipe.schedule, epochs=1))


def test_the_demo_trains_judges_predicts_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command leaves a judged run with a report, says where each is, and never overwrites an earlier demo."""
    monkeypatch.setitem(named.NAMED, "sprint", short)
    told = json.loads(inside(tmp_path, "demo", "--json").stdout)
    assert told["run"] == "runs/demo"
    assert (tmp_path / told["report"]).read_text().startswith("<!doctype html>")
    assert (tmp_path / "runs" / "demo" / "confusion.png").exists()
    assert json.loads((tmp_path / "runs" / "demo" / "scores.json").read_text())["test_openings"] == 1
    shown = inside(tmp_path, "demo", "--lang", "zh").stdout
    assert all(word in shown for word in ("test accuracy", "runs/demo-2/report.html", "runs/demo-2/model.onnx"))
