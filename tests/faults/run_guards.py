"""Take away each guard in turn, and show that its test fails.

Each `guards*.toml` beside this file lists guards: `[[guard]]` with `fault` (its number), `title`, `file` and the line
`old` in it, the line `new` without the guard, and the `test` that must fail then. The patch is applied to a copy of the
source tree, so that the tree itself and tests that run meanwhile are not affected.

    python tests/faults/run_guards.py             # all guards
    python tests/faults/run_guards.py 32 41       # of these faults
    python tests/faults/run_guards.py --write     # all that were not shown at this commit; write results/faults.json

A test that cannot run without its guard, or that does not end, shows nothing: it must fail.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import fault_results  # noqa: E402 - they are scripts, not a package
import process_memory  # noqa: E402

from modiste.runs import environment  # noqa: E402

TIMEOUT = 240.0
"""Seconds for a test with its guard."""


@dataclass(frozen=True)
class Guard:
    """A guard against a fault, and the test that needs it.

    Args:
        fault: number of the fault.
        title: what the guard prevents.
        file: path in the repository.
        old: text that occurs once in the file: the guard.
        new: text without the guard.
        test: id of a pytest test, which fails without the guard.
    """

    fault: int
    title: str
    file: str
    old: str
    new: str
    test: str

    @property
    def key(self) -> tuple[int, str]:
        """What tells it from others."""
        return self.fault, self.title

    @property
    def is_current(self) -> bool:
        """Whether the guard and the test are in the tree."""
        path, _, name = self.test.partition("::")
        text = (ROOT / path).read_text() if (ROOT / path).is_file() else ""
        return (ROOT / self.file).read_text().count(self.old) == 1 and f"def {name.partition('[')[0]}(" in text


def read_guards() -> list[Guard]:
    """Return the guards of all tables, by fault."""
    tables = [tomllib.loads(path.read_text()) for path in sorted(Path(__file__).parent.glob("guards*.toml"))]
    return sorted((Guard(**entry) for table in tables for entry in table["guard"]), key=lambda guard: guard.fault)


@dataclass(frozen=True)
class Outcome:
    """How a test ended.

    Args:
        state: "passed", "failed", "timeout", or "error" if it could not run or was skipped.
        seconds: that it took.
    """

    state: str
    seconds: float


def run_all(guards: Iterable[Guard]) -> Iterator[tuple[Guard, Outcome, Outcome]]:
    """Yield each guard, and how its test ends with it and without it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "src"
        shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
        with_guard: dict[str, Outcome] = {}
        for guard in guards:
            if guard.test not in with_guard:
                with_guard[guard.test] = run_test(guard.test, copy, TIMEOUT)
            patched = Path(folder) / guard.file
            original = patched.read_text()
            patched.write_text(original.replace(guard.old, guard.new))
            without = run_test(guard.test, copy, 30 + 5 * with_guard[guard.test].seconds)
            patched.write_text(original)
            yield guard, with_guard[guard.test], without


def run_test(test: str, source: Path, timeout: float) -> Outcome:
    """Run a test with the package in a folder, and end all processes that it leaves behind."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-B", "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", f"--junit-xml={report}"]
        process = subprocess.Popen(
            [sys.executable, *options, test],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(source)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            state = read_state(process.wait(timeout), report)
        except subprocess.TimeoutExpired:
            state = "timeout"
        finally:
            kill_all(process.pid)
            process.wait()
    return Outcome(state, time.monotonic() - start)


def kill_all(process: int) -> None:
    """Kill the group of a process, and what it started in groups of their own."""
    others = process_memory.children(process)
    for kill, each in [(os.killpg, process), *((os.kill, other) for other in others)]:
        with suppress(ProcessLookupError):
            kill(each, signal.SIGKILL)


def read_state(exit_code: int, report: Path) -> str:
    """Return how the tests of a report ended: an import that fails, for example, is no failure of a test."""
    suite = next(ET.parse(report).iter("testsuite"), None) if report.is_file() else None  # noqa: S314 - our own
    counts = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "skipped")} if suite is not None else {}
    if exit_code == pytest.ExitCode.TESTS_FAILED and counts.get("failures"):
        return "failed"
    is_passed = exit_code == pytest.ExitCode.OK and counts and counts["tests"] > counts["skipped"]
    return "passed" if is_passed else "error"


def to_row(guard: Guard, with_guard: Outcome, without_guard: Outcome) -> dict[str, Any]:
    """Return what the results file has of a guard."""
    return {
        "fault": guard.fault,
        "title": guard.title,
        "test": guard.test,
        "with_guard": with_guard.state,
        "without_guard": without_guard.state,
        "commit": environment.commit(),
    }


def is_shown(row: dict[str, Any]) -> bool:
    """Whether the test of a row passes with its guard and fails without it."""
    return row["with_guard"] == "passed" and row["without_guard"] == "failed"


def write(rows: dict[tuple[int, str], dict[str, Any]], path: Path) -> None:
    """Write the rows of all guards that still exist."""
    keys = [guard.key for guard in read_guards()]
    command = "python tests/faults/run_guards.py --write"
    fault_results.write_part("guards", command, path, guards=[rows[key] for key in keys if key in rows])


def main(path: Path = fault_results.RESULTS) -> None:
    """Print a line for each guard; the exit code is 1 if a test does not depend on its guard."""
    faults = {int(argument) for argument in sys.argv[1:] if argument.isdigit()}
    rows = {
        (row["fault"], row["title"]): row for row in fault_results.read_parts(path).get("guards", {}).get("guards", [])
    }
    commit, is_written = environment.commit(), "--write" in sys.argv
    is_resumable = is_written and not commit.endswith("-dirty")
    done = {key for key, row in rows.items() if is_resumable and is_shown(row) and row["commit"] == commit}
    guards = [each for each in read_guards() if each.fault in faults or not (faults or each.key in done)]
    all_shown = True
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no test outlives it
    for guard, *runs in run_all(guards):
        row = rows[guard.key] = to_row(guard, *runs)
        all_shown &= is_shown(row)
        state = "ok" if is_shown(row) else f"{row['with_guard'].upper()} WITH, {row['without_guard'].upper()} WITHOUT"
        sys.stdout.write(f"{guard.fault:02} {guard.title}: {state}\n")
        sys.stdout.flush()
        if is_written:
            write(rows, path)
    sys.exit(not all_shown)


if __name__ == "__main__":
    main()
