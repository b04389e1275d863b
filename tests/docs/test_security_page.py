"""The promises in docs/security.md have their tests."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_of_the_page_exists() -> None:
    """Each number of a fault is in a name or docstring of the file."""
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"`(tests/[^`]+)`(?: \(([\d, ]+)\))?", page)
    assert len(rows) > 40
    for path, numbers in rows:
        text = (ROOT / path).read_text(encoding="utf-8")
        stated = " ".join(re.findall(r"def test_fault_\d+|\(faults? [^)]+\)", text))
        assert integers(numbers) <= integers(stated), path


def integers(text: str) -> set[int]:
    """The numbers in a text."""
    return {int(number) for number in re.findall(r"\d+", text)}
