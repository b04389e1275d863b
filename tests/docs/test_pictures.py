"""The screenshots in `docs/` show what the program shows now."""

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Debian's package chromium, which .ci/run installs")
@pytest.mark.parametrize("name", ["page", "report"])
def test_a_screenshot_is_up_to_date(name: str) -> None:
    """The text beside it is the text of the page; `python tools/pictures.py` draws it again."""
    command = [sys.executable, str(ROOT / "tools" / "pictures.py"), "--check", name]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    ("text", "is_same"),
    [
        ("accuracy 95.7% on 10,000 images", True),
        ("accuracy 95.6% on 10,000 images", True),
        ("accuracy 93.9% on 10,000 images", False),
        ("accuracy 95.7% on 10,001 images", False),
        ("accuracy 95.7% of 10,000 images", False),
        ("accuracy 95.7%", False),
    ],
)
def test_a_stale_text_is_noticed(text: str, is_same: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other words, or a number that differs by more than the last digit of a probability."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    assert import_module("pictures").is_same("accuracy 95.7% on 10,000 images", text) == is_same
