"""Which tests execute which lines, and how long each test takes."""

import ast
import json
import os
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import forked_tests
import pytest
from forked_tests import ROOT, Task

FILE_TIMEOUT = 1800.0
"""Seconds for the tests of a file."""

MAX_BROKEN = 0.02
"""Tests that may fail without a change, as a part of all; they are not used."""


class Contexts:
    """A plugin of pytest that names the running test for coverage, and notes its seconds and failures."""

    def __init__(self, coverage: Any) -> None:
        self.coverage = coverage
        self.seconds: dict[str, float] = {}
        self.broken: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Run a test, with the setup of its fixtures."""
        self.coverage.switch_context(item.nodeid)
        start = time.monotonic()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.monotonic() - start

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that fails or is skipped."""
        if report.outcome != "passed":
            self.broken.add(report.nodeid)


@dataclass
class CoverageMap:
    """What the tests of all files execute.

    Args:
        lines: file, relative to the folder of the source -> line -> tests.
        seconds: of each test that passes.
        broken: tests that fail or are skipped without a change.
    """

    lines: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def select(self, file: str, source: str, row: int, budget: float) -> list[str]:
        """Return the tests of a line, or of its file if it is run at import; the quickest first.

        Args:
            file: that is changed.
            source: its content.
            row: of the change, from 1 on.
            budget: seconds that the tests may take without the change; the quickest test is always among them.
        """
        of_file = self.lines.get(file, {})
        tests = {test for line in statement_lines(source, row) for test in of_file.get(line, ())}
        tests = tests or {test for tests in of_file.values() for test in tests}
        chosen: list[str] = []
        for test in sorted(tests & self.seconds.keys(), key=lambda test: (self.seconds[test], test)):
            budget -= self.seconds[test]
            if chosen and budget < 0:
                break
            chosen.append(test)
        return chosen


def statement_lines(source: str, row: int) -> range:
    """Return the lines of the innermost statement at a row, without the body of one that has a body."""
    lines = range(row, row + 1)
    for node in ast.walk(ast.parse(source)):  # from the outside to the inside
        if not isinstance(node, ast.stmt | ast.ExceptHandler):
            continue
        body = getattr(node, "body", None)
        last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
        if node.lineno <= row <= max(last, node.lineno):
            lines = range(node.lineno, max(last, node.lineno) + 1)
    return lines


def measure(test_files: Sequence[Path], source: Path, packages: Sequence[str], folder: Path, slots: int) -> CoverageMap:
    """Run the tests of each file once, unless they were run before, and return what they execute.

    Raises:
        SystemExit: the tests of a file cannot run, or too many fail without a change.
    """
    folder.mkdir(parents=True, exist_ok=True)
    outputs = {path: folder / f"{'-'.join(path.relative_to(ROOT / 'tests').parts)}.json" for path in test_files}
    missing = iter([path for path, output in outputs.items() if not output.exists()])
    for path, code, seconds in forked_tests.run_all(_tasks(missing, outputs, source, packages), slots):
        print(f"{path.relative_to(ROOT)}: {seconds:.0f} s", flush=True)
        if code != 0:
            raise SystemExit(f"the tests of {path} cannot run: see {outputs[path].with_suffix('.log')}")
    return _merge(map(_read, outputs.values()))


def _tasks(paths: Iterator[Path], outputs: dict[Path, Path], source: Path, packages: Sequence[str]) -> Iterator[Task]:
    for path in paths:

        def run(_: int, path: Path = path) -> NoReturn:
            output = outputs[path]
            forked_tests.enter(source, output.with_suffix(".log"))
            run_with_coverage(path, source, packages, output)
            os._exit(0)

        yield Task(path, run, FILE_TIMEOUT)


def run_with_coverage(path: Path, source: Path, packages: Sequence[str], output: Path) -> None:
    """Run the tests of a file, and write the lines of the packages that each test executes."""
    import coverage

    measured = coverage.Coverage(
        data_file=None, config_file=False, source=[str(source / "modiste" / package) for package in packages]
    )
    plugin = Contexts(measured)
    measured.start()
    code = forked_tests.run_tests(["--maxfail=100000", str(path)], plugin)
    measured.stop()
    if code not in (0, 1, 5):
        os._exit(1)
    data = measured.get_data()
    lines = {
        str(Path(file).relative_to(source)): {
            line: [test for test in tests if test] for line, tests in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }
    content = {"lines": lines, "seconds": plugin.seconds, "broken": sorted(plugin.broken)}
    partial = output.with_suffix(".partial")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(output)


def _read(output: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return content


def _merge(contents: Iterator[dict[str, Any]]) -> CoverageMap:
    merged = CoverageMap()
    for content in contents:
        merged.broken.update(content["broken"])
        merged.seconds.update(content["seconds"])
        for file, lines in content["lines"].items():
            of_file = merged.lines.setdefault(file, {})
            for line, tests in lines.items():
                of_file.setdefault(int(line), set()).update(tests)
    count = len(merged.seconds)
    merged.seconds = {test: seconds for test, seconds in merged.seconds.items() if test not in merged.broken}
    if len(merged.broken) > MAX_BROKEN * count:
        names = "\n".join(sorted(merged.broken))
        raise SystemExit(f"{len(merged.broken)} of {count} tests fail or are skipped without a change:\n{names}")
    return merged
