"""Names that are formulas, several lines, or no text (fault 45)."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from helpers.command import run_in_process
from helpers.models import tiny_model
from helpers.photos import fill
from modiste.csv_cells import escape_formula, unescape_formula
from modiste.reporting.mistakes import Mistake, to_csv

FORMULAS = ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "'=1", "=cmd|' /C calc'!A0", "''-2", "=a\nb"]


@pytest.mark.parametrize("text", [*FORMULAS, "-", "'", "a=1", "", "boot.png"])
def test_fault_45_a_cell_is_no_formula(text: str) -> None:
    """What is read back is what was written."""
    cell = escape_formula(text)
    assert unescape_formula(cell) == text
    assert cell == text or (cell[0] == "'" and text in FORMULAS)


def test_fault_45_predictions_of_files_named_as_formulas_are_resumed(tmp_path: Path) -> None:
    """No cell begins with = + - or @, and no file is predicted twice."""
    (tmp_path / "m.onnx").write_bytes(tiny_model(labels=("=dark", "@bright")))
    fill(tmp_path / "photos", 1)
    (photo,) = (tmp_path / "photos").iterdir()
    for name in ("=1+1.png", "+x.png", "@y.png"):
        (tmp_path / name).write_bytes(photo.read_bytes())
    command = ["predict", "--model=m.onnx", "--out=p.csv", "=1+1.png", "+x.png", "@y.png"]
    run_in_process(tmp_path, *command)
    first = (tmp_path / "p.csv").read_bytes()
    rows = list(csv.reader(first.decode().splitlines()))
    assert [row[0] for row in rows[1:]] == ["'=1+1.png", "'+x.png", "'@y.png"]
    assert not any(cell[:1] in ("=", "+", "@") for row in rows for cell in row)
    assert "3 of them from before" in run_in_process(tmp_path, *command).stdout
    assert (tmp_path / "p.csv").read_bytes() == first


def test_fault_45_mistakes_of_files_named_as_formulas_are_no_formulas() -> None:
    """Nor are class names."""
    text = to_csv([Mistake(0, "=1+1.png", "+coat", "@bag", 0.5)])
    assert text.splitlines()[1] == "'=1+1.png,'+coat,'@bag,0.5000"


def test_fault_45_json_is_valid_for_any_name(tmp_path: Path) -> None:
    """A name of two lines, and one that is not UTF-8, are one line of valid JSON each."""
    (tmp_path / "m.onnx").write_bytes(tiny_model())
    names = ["a\nb.png", "c\udcff.png"]
    output = run_in_process(tmp_path, "predict", "--model=m.onnx", "--json", *names, code=2).stdout
    records = json.loads(output)
    assert [record["file"] for record in records] == ["a\nb.png", "c\ufffd.png"]
    assert [record["model"] for record in records] == ["", ""]
    assert np.all([record["error"] for record in records])
