"""Which changes are drawn, and which tests they get."""

import subprocess
import sys
from pathlib import Path

import covering_tests
import mutations
import pytest

CODE = """\
LIMIT: int = 3

def double(value: int | None,
           more: int = 0) -> int:
    if value is None:
        return 0
    return (value
            + value)
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("+ value", "- value", True),
        ("more: int = 0", "more: int = 1", True),
        ("int | None", "int & None", False),
        ("LIMIT: int", "LIMIT: str", False),
        ("+ value", "+ ", False),
    ],
)
def test_a_change_of_an_annotation_or_of_no_python_is_left_out(old: str, new: str, expected: bool) -> None:
    """No test could find the former, and the latter cannot be imported."""
    assert mutations.is_code(CODE, CODE.replace(old, new)) == expected


def test_a_line_has_the_tests_of_its_statement() -> None:
    """Of a function or branch, those of its head; the quickest first, up to the budget."""
    assert [list(covering_tests.statement_lines(CODE, row)) for row in (1, 3, 4, 5, 6, 8)] == [
        [1], [3, 4], [3, 4], [5], [6], [7, 8],
    ]  # fmt: skip
    covered = covering_tests.CoverageMap({"m": {7: {"slow", "quick"}, 5: {"other"}}})
    covered.seconds = {"slow": 9.0, "quick": 1.0, "other": 2.0}
    assert covered.select("m", CODE, 8, 30) == ["quick", "slow"]
    assert covered.select("m", CODE, 8, 5) == ["quick"]
    assert covered.select("m", CODE, 1, 5) == ["quick", "other"]
    assert covered.select("n", CODE, 1, 5) == []


def test_the_share_is_that_of_the_first_competent_changes() -> None:
    """Those that survive are listed with their lines; a limit that is exceeded counts as found."""
    packages = ("data", "data", "metrics", "imaging")
    order = [mutations.Mutant(f"modiste/{name}/a.py", "x", 0, row) for row, name in enumerate(packages)]
    names = ["killed", "incompetent", "timeout", "killed"]
    outcomes = {mutant: {"outcome": name} for mutant, name in zip(order, names, strict=True)}
    figures = mutations.summarize(outcomes, order, 2)
    assert (figures["tested"], figures["killed"], figures["timeouts"], figures["share"]) == (2, 2, 1, 1.0)
    assert figures["packages"] == {"data": {"tested": 1, "killed": 1}, "metrics": {"tested": 1, "killed": 1}}


PROGRAM = """
import os, sys, time
sys.path.insert(0, {benchmarks!r})
import forked_tests
tasks = [
    forked_tests.Task("ends", lambda slot: os._exit(7), 60),
    forked_tests.Task("hangs", lambda slot: time.sleep(600), 0.5),
    forked_tests.Task("last", lambda slot: os._exit(0), 60),
]
print(sorted((name, code) for name, code, _ in forked_tests.run_all(iter(tasks), 2)))
"""


def test_each_process_has_an_exit_code_or_is_killed() -> None:
    """And the next one starts when one has ended."""
    code = PROGRAM.format(benchmarks=str(Path(mutations.__file__).parent))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert run.stdout.strip() == "[('ends', 7), ('hangs', None), ('last', 0)]"
