"""The parts of results/faults.json: each has the command, commit, machine and versions of its own measurement.

    coverage json -o build/coverage.json && python benchmarks/fault_results.py build/coverage.json

adds the coverage of lines. Parts are replaced as a whole, and the others stay.
"""

import json
import sys
from pathlib import Path
from typing import Any

from modiste.runs import environment, results

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "faults.json"


def read_parts(path: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Return the parts that were measured, by name."""
    return {part["part"]: part for part in results.read(path)["runs"]} if path.is_file() else {}


def write_part(name: str, command: str, path: Path = RESULTS, **figures: Any) -> None:
    """Replace a part of the results file, or add it.

    Args:
        name: of the part.
        command: what to type to measure it again.
        path: of the results file.
        figures: what was measured.
    """
    part = {"part": name, "command": command, **environment.describe(), **figures}
    parts = read_parts(path) | {name: part}
    results.write(path, recipe="faults", command="make faults", runs=[parts[each] for each in sorted(parts)])


def coverage_figures(report: dict[str, Any]) -> dict[str, Any]:
    """Return the lines of `src` and how many of them are executed, from the report of `coverage json`."""
    totals = report["totals"]
    lines, covered = totals["num_statements"], totals["covered_lines"]
    return {"lines": lines, "covered": covered, "share": covered / lines}


def main() -> None:
    """Add the coverage of lines."""
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    write_part("coverage", "make coverage", **coverage_figures(report))


if __name__ == "__main__":
    main()
