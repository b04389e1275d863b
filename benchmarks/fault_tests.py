"""Run the tests of all faults in their long form, and write what was tried into results/faults.json.

    python benchmarks/fault_tests.py                                        # hours
    python benchmarks/fault_tests.py --short -k texts --out /tmp/faults.json  # other options are those of pytest

A test belongs to the faults in its name, `test_fault_07_...`, or its docstring, "(faults 02 to 08, 30)"; one in
tests/faults without a number to those of its module. Repeated, it runs the tests that have not passed at this commit.
Tests write how much they tried as JSON into the folder of the variable MODISTE_FAULTS_RESULTS: `tried`, a plural, `n`,
`failures`, and the numbers in `faults`.
"""

import argparse
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fault_results
import pytest

from modiste.runs import environment, files

ROOT = fault_results.ROOT
STATE = ROOT / "build" / "faults"
NUMBERS = re.compile(r"\(faults? ([^)]*)\)")


def read_numbers(text: str) -> set[int]:
    """Return the numbers of faults in a name or docstring."""
    numbers = {int(digits) for digits in re.findall(r"test_fault_(\d+)", text)}
    for listed in NUMBERS.findall(text):
        for first, last in re.findall(r"(\d+)(?: to (\d+))?", listed):
            numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def faults_of(item: pytest.Item) -> set[int]:
    """Return the faults that a test belongs to."""
    function, module = getattr(item, "function", None), getattr(item, "module", None)
    numbers = read_numbers(f"{item.name} {getattr(function, '__doc__', '')}")
    if numbers or not item.nodeid.startswith("tests/faults/"):
        return numbers
    return read_numbers(getattr(module, "__doc__", None) or "")


class Recorder:
    """A plugin of pytest that runs the tests of faults that have not passed yet, and writes how they end.

    Args:
        file: of the outcomes; those in it are of the same commit.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.tests: dict[str, dict[str, Any]] = files.read_json(file) if file.exists() else {}

    @pytest.hookimpl(trylast=True)  # after those of other options, such as -k
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out tests of no fault, and those that have passed."""
        chosen = [item for item in items if faults_of(item)]
        chosen = [item for item in chosen if self.tests.get(item.nodeid, {}).get("outcome") != "passed"]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
        for item in chosen:
            self.tests[item.nodeid] = {"faults": sorted(faults_of(item)), "outcome": "not run"}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test ended: "passed", "skipped", or "failed", also before or after it."""
        test = self.tests[report.nodeid]
        if report.when == "call" or report.outcome != "passed":
            test["outcome"] = "failed" if test["outcome"] == "failed" else report.outcome
        if report.when == "teardown":  # what a test patched, such as writing, works again
            files.write_json(self.file, self.tests)


def summarize(tests: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each test function, with the number of its cases by their outcome."""
    rows: dict[str, dict[str, Any]] = {}
    for node, test in tests.items():
        name = node.partition("[")[0]
        row = rows.setdefault(name, {"test": name, "faults": [], "passed": 0, "failed": 0, "skipped": 0, "not run": 0})
        row["faults"] = sorted({*row["faults"], *test["faults"]})
        row[test["outcome"]] += 1
    return [rows[name] for name in sorted(rows)]


def read_counts(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what the tests wrote about how much they tried."""
    for path in sorted(folder.glob("*.json")):
        count = files.read_json(path)
        yield {key: count[key] for key in ("test", "tried", "n", "failures", "faults")}


def open_state(folder: Path, head: dict[str, Any]) -> Path:
    """Return the folder, emptied if what it has is of another commit or form, or of changed files."""
    marker = folder / "of.json"
    if head["commit"].endswith("-dirty") or not marker.exists() or files.read_json(marker) != head:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "counts").mkdir(parents=True)
        files.write_json(marker, head)
    return folder


def main() -> int:
    """Run the tests and write the results; return the exit code, 1 if a test failed or was not run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="as `make test` runs them")
    parser.add_argument("--state", type=Path, default=STATE, help="folder of the outcomes")
    parser.add_argument("--out", type=Path, default=fault_results.RESULTS)
    args, others = parser.parse_known_args()
    state = open_state(args.state, {"commit": environment.commit(), "short": args.short})
    os.environ["MODISTE_FAULTS_RESULTS"] = str((state / "counts").resolve())
    if not args.short:
        os.environ["MODISTE_FAULTS"] = "long"  # the modules of the tests read it when they are imported
    recorder = Recorder(state / "tests.json")
    pytest.main([str(ROOT / "tests"), f"--rootdir={ROOT}", "-n0", "-p", "no:cacheprovider", *others], [recorder])
    rows = summarize(recorder.tests)
    command = "python benchmarks/fault_tests.py" + " --short" * args.short
    counts = list(read_counts(state / "counts"))
    fault_results.write_part("tests", command, args.out, tests=rows, counts=counts)
    bad = [row["test"] for row in rows if row["failed"] or row["not run"]]
    print(json.dumps({"tests": len(rows), "not passed": bad}, indent=1))
    return 1 if bad or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
