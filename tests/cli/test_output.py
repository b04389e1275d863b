"""JSON on standard output is valid in every encoding."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from helpers.command import environment
from modiste.cli.output import print_json


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_json_is_valid_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    """Characters that the encoding lacks are escaped (fault 45)."""
    image = tmp_path / "\U0001f457.png"
    Image.new("L", (30, 30)).save(image)
    command = [sys.executable, "-m", "modiste", "predict", "--json", str(image)]
    finished = subprocess.run(command, env=environment(PYTHONIOENCODING=encoding), capture_output=True, check=True)
    (record,) = json.loads(finished.stdout.decode(encoding))
    assert record["file"] == str(image)


def test_lone_surrogates_are_replaced_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """U+FFFD is printed, which strict JSON parsers accept."""
    print_json({"run": "runs/\udcff", "label": "\ud800"})
    assert json.loads(capsys.readouterr().out) == {"run": "runs/\ufffd", "label": "\ufffd"}


def test_every_command_prints_json_with_print_json() -> None:
    """No command calls `json.dumps` itself."""
    folder = Path(__file__).parents[2] / "src" / "modiste" / "cli"
    assert [path.name for path in folder.glob("*.py") if "json.dumps" in path.read_text()] == ["output.py"]
