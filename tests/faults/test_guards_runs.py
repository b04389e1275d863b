"""The list of guards is up to date: `run_guards.py` needs each text once, and each test."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUARDS = tomllib.loads((Path(__file__).parent / "guards-runs.toml").read_text(encoding="utf-8"))["guard"]


@pytest.mark.parametrize("guard", GUARDS, ids=[f"{guard['fault']}: {guard['title']}" for guard in GUARDS])
def test_a_guard_is_in_the_source(guard: dict[str, str]) -> None:
    """Its text occurs once, and its test exists."""
    assert (ROOT / guard["file"]).read_text(encoding="utf-8").count(guard["old"]) == 1
    assert guard["old"] != guard["new"]
    file, _, test = guard["test"].partition("::")
    assert re.search(rf"^def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
