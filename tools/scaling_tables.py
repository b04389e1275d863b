"""Write the tables of docs/scaling.md from results/scaling.json; with --check only say whether they are up to date.

python tools/scaling_tables.py [--check]

Without that file, nothing has been measured and the page says so.
"""

import re
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

from modiste.runs import files

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import scaling_simulation  # noqa: E402 - it is a script, not a package

PAGE, RESULTS = ROOT / "docs" / "scaling.md", ROOT / "results" / "scaling.json"
NOT_MEASURED = "Not measured yet: `python benchmarks/scaling.py`, then `make docs`.\n"


TARGETS = (
    ("cost of a trial on a cluster, over the same trials one after another", "trials", "overhead"),
    ("trials: two nodes of one core, as a multiple of one", "trials", "speedup_two_nodes"),
    ("photos: two nodes of one core, as a multiple of one", "photos", "speedup_two_nodes"),
    ("photos: growth of the memory from 20 % to 100 % of them", "photos", "memory_growth"),
    ("torchrun: two processes of one thread, as a multiple of one", "ranks", "speedup_two_processes"),
)
"""Figures with a target: label, part and key."""

STATEMENTS = """
- {trials[trials]} trials of {trials[seconds_per_trial]:.0f} s each: the tables from processes, from a cluster, with a node killed at half and with {trials[kills]} kills of
  nodes are equal in every digit.
- {photos[photos]:,} photos of {photos[photo_bytes]:,} bytes, {photos[photos_per_second_per_core]:.0f} a second on one core: one row each, equal to those of the local command,
  also with a node killed at half.
- {ranks[recipe]}, {seeds} seeds: validation accuracy {one:.2%} with one process, {two:.2%} with two; after kill -9 of either process it resumes to the same bits.
- {hardware}.
"""  # noqa: E501 - lines of the page


def measured_table(content: dict[str, Any]) -> str:
    """Return what was measured, each with its target, and the sentences about what was equal."""
    lines = ["| figure | value | target |", "|---|---|---|"]
    for label, part, key in TARGETS:
        value, reached = content[part][key], content[part][f"{key.partition('_')[0]}_reached"]
        text = f"{value:.2f}" if key.startswith("speedup") else f"{value:+.1%}"
        lines.append(f"| {label} | {text} | {'reached' if reached else '*short*'} |")
    one, two = (content["ranks"]["val_accuracy"][name] for name in ("one", "two"))
    return "\n".join(lines) + "\n" + STATEMENTS.format(one=fmean(one), two=fmean(two), seeds=len(one), **content)


def update(text: str) -> str:
    """Return the page with up-to-date tables."""
    content = files.read_json(RESULTS) if RESULTS.exists() else None
    simulated = f"{scaling_simulation.tables(content, scaling_simulation.Assumptions())}\n" if content else NOT_MEASURED
    measured = measured_table(content) if content else NOT_MEASURED
    return _replace(_replace(text, "measured", measured), "simulated", simulated)


def _replace(text: str, name: str, table: str) -> str:
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return pattern.sub(lambda match: match[1] + table + match[2], text)


def main() -> int:
    """Write or check the page; return the exit code."""
    text = PAGE.read_text(encoding="utf-8")
    new = update(text)
    if "--check" not in sys.argv:
        PAGE.write_text(new, encoding="utf-8")
    elif new != text:
        print("out of date: docs/scaling.md. Run `make docs`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
