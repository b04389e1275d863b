"""What the tables of the pages share: reading results files, and formatting rows, intervals and targets."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from modiste.runs import results

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"

Translate = Callable[[str], str]


def read(name: str) -> dict[str, Any]:
    """Read a results file."""
    return results.read(RESULTS / f"{name}.json")


def span(interval: list[float] | None, to: str, spec: str = ".2%") -> str:
    """Format both ends of an interval, or a dash where there is none."""
    return f"{interval[0]:{spec}} {to} {interval[1]:{spec}}" if interval else "-"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Format a table in Markdown."""
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, ["---"] * len(head), *rows])


def target_row(what: str, spec: str, value: float, bound: float, translate: Translate = str) -> list[str]:
    """Return a row with a target: at least the bound, or at most its absolute value where it is negative."""
    is_short = value < bound if bound > 0 else value > -bound
    mark = f", *{translate('short')}*" if is_short else ""
    return [what, f"**{value:{spec}}**", f"{abs(bound):{spec}}{mark}"]
