"""The table on the statistics of comparisons, from results/coverage.json."""

from collections.abc import Callable
from typing import Any

from table_format import Translate, read, table


def coverage_table(_: Translate) -> str:
    """Return the lowest and the highest rate of the simulated cases of each method, with the bound that it keeps."""
    cases: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for case in read("coverage")["runs"]:
        cases.setdefault((case["name"], case["bounds"] is not None), []).append(case)
    rows = []
    for (name, _is_bounded), each in cases.items():
        rates = [case["rate"] for case in each]
        rows.append([name, str(len(each)), f"{min(rates):.1%} to {max(rates):.1%}", bound(each[0])])
    return table(["method", "cases", "covered, or false alarms", "bound"], rows)


def bound(case: dict[str, Any]) -> str:
    """Return the bound of a case in words."""
    if case["bounds"] is None:
        return "none: approximate"
    low, high = case["bounds"]
    if low == 0:
        return f"at most {high:.1%}"
    return f"at least {low:.0%}" if high == 1 else f"{low:.1%} to {high:.1%}"


TABLES: dict[str, Callable[[Translate], str]] = {"coverage": coverage_table}
