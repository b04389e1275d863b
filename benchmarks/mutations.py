"""Change `data`, `imaging` and `metrics` in small ways, and count how many changes a test finds, with cosmic-ray.

    pip install cosmic-ray
    python benchmarks/mutations.py                   # 1,000 changes drawn by seed 0
    python benchmarks/mutations.py --count 5 --packages metrics --tests tests/metrics/test_power.py --out /tmp/m.json

The tests run once without a change, with coverage, so that each change is tested by the tests that execute its line,
from the quickest on to the first that fails; the tests of 20 changes are also run without these, and must pass. It
works on copies of the source in build/mutations, one for each core, and resumes there when it is repeated at the same
commit. A change after which the module cannot be imported, or which is one of annotations alone, is left out and the
next one drawn. Tests that take longer than the limit count as failed. It takes about an hour, and writes
results/mutations.json, with the changes that no test finds, which are to be read.
"""

import argparse
import ast
import compileall
import dataclasses
import difflib
import importlib
import json
import os
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import covering_tests
import forked_tests
import pytest
import timing
from covering_tests import CoverageMap
from forked_tests import ROOT, Task

from modiste.runs import environment, results

PACKAGES = ("data", "imaging", "metrics")
TESTS = (
    "tests/data", "tests/imaging", "tests/metrics", "tests/inference", "tests/reporting", "tests/runs", "tests/faults",
    "tests/test_api.py", "tests/cli",
)  # fmt: skip
"""Others hardly test these packages beyond these."""

SEED, SLOTS, CONTROLS = 0, 2, 20
BUDGET = 30.0
"""Seconds without a change of the tests that are run for one."""

INCOMPETENT, UNTESTED = 100, 101
"""Exit codes of a process whose module cannot be imported, and of one without tests."""

OUTCOMES = {0: "survived", 1: "killed", INCOMPETENT: "incompetent", UNTESTED: "survived", None: "timeout"}
"""What an exit code means; others, such as a module of tests that cannot be imported, are incompetent as well."""


@dataclass(frozen=True)
class Mutant:
    """A change.

    Args:
        file: path of the module in the folder of the source.
        operator: name of the kind of change in cosmic-ray.
        occurrence: which of the places in the module, from 0 on.
        row: of the place, from 1 on.
    """

    file: str
    operator: str
    occurrence: int
    row: int


class Selection:
    """A plugin of pytest that runs some tests alone, in this order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.places = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the other tests."""
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in self.places])
        items[:] = sorted(
            (item for item in items if item.nodeid in self.places), key=lambda item: self.places[item.nodeid]
        )


def list_mutants(source: Path, packages: Sequence[str]) -> list[Mutant]:
    """Return all changes that cosmic-ray knows, in a fixed order."""
    from cosmic_ray import plugins
    from cosmic_ray.ast import ast_nodes, get_ast_from_path

    mutants = []
    for path in sorted(path for package in packages for path in (source / "modiste" / package).rglob("*.py")):
        nodes = list(ast_nodes(get_ast_from_path(path)))
        for name in sorted(plugins.operator_names()):
            operator = plugins.get_operator(name)
            if operator.arguments():
                continue
            places = [start for node in nodes for start, _ in operator().mutation_positions(node)]
            file = str(path.relative_to(source))
            mutants += [Mutant(file, name, occurrence, row) for occurrence, (row, _) in enumerate(places)]
    return mutants


def mutate(mutant: Mutant, text: str) -> str:
    """Return the changed module."""
    from cosmic_ray import plugins
    from cosmic_ray.mutating import mutate_code

    return str(mutate_code(text, plugins.get_operator(mutant.operator)(), mutant.occurrence))


def is_code(text: str, changed: str) -> bool:
    """Return whether a changed module can be parsed and has other code, and not only other annotations."""
    try:
        return _without_annotations(text) != _without_annotations(changed)
    except SyntaxError:
        return False


def _without_annotations(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(0)
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
    return ast.dump(tree)


@dataclass(frozen=True)
class Session:
    """A folder with the copies of the source, what the tests execute, and the outcomes so far."""

    folder: Path

    @property
    def outcomes(self) -> Path:
        """A file with a line of JSON for each change that was tested."""
        return self.folder / "outcomes.jsonl"

    def source(self, slot: int) -> Path:
        """Return a copy of the source."""
        return self.folder / f"src-{slot}"

    def open(self, head: dict[str, Any]) -> None:
        """Copy the source, unless this was done; raises SystemExit if the folder is about something else."""
        marker = self.folder / "session.json"
        if not marker.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            for slot in range(SLOTS):
                shutil.rmtree(self.source(slot), ignore_errors=True)
                shutil.copytree(ROOT / "src", self.source(slot), ignore=shutil.ignore_patterns("__pycache__"))
                compileall.compile_dir(self.source(slot), quiet=1)
            marker.write_text(json.dumps(head), encoding="utf-8")
        if (opened := json.loads(marker.read_text(encoding="utf-8"))) != head:
            raise SystemExit(f"{self.folder} is about {opened}, not {head}. Remove it, or give another --folder.")

    def prepare(self, slot: int, file: str) -> Path:
        """Return a copy of the source in which this file alone may be changed: the previous one is restored."""
        marker = self.folder / f"changed-{slot}"
        if marker.exists():
            previous = marker.read_text(encoding="utf-8")
            shutil.copy2(ROOT / "src" / previous, self.source(slot) / previous)  # with its time: its bytecode is valid
        marker.write_text(file, encoding="utf-8")
        return self.source(slot)

    def read(self) -> dict[Mutant, dict[str, Any]]:
        """Return the outcomes so far."""
        lines = self.outcomes.read_text(encoding="utf-8").splitlines() if self.outcomes.exists() else []
        records = map(json.loads, lines)
        return {Mutant(**record.pop("mutant")): record for record in records}

    def add(self, mutant: Mutant, outcome: str, seconds: float) -> dict[str, Any]:
        """Write an outcome."""
        record = {"outcome": outcome, "seconds": round(seconds, 1)}
        with self.outcomes.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"mutant": dataclasses.asdict(mutant), **record}) + "\n")
        return record


def run_mutant(session: Session, mutant: Mutant, changed: str, tests: Sequence[str], slot: int) -> NoReturn:
    """Change a copy of the source, run the tests and end this process with its outcome."""
    source = session.prepare(slot, mutant.file)
    forked_tests.enter(source, session.folder / f"tests-{slot}.log")
    (source / mutant.file).write_text(changed, encoding="utf-8")
    try:
        importlib.import_module(".".join(Path(mutant.file).with_suffix("").parts))
    except BaseException:  # noqa: BLE001 - whatever the change leads to
        os._exit(INCOMPETENT)
    if not tests:
        os._exit(UNTESTED)
    files = sorted({test.partition("::")[0] for test in tests})
    os._exit(forked_tests.run_tests(files, Selection(tests)))


def make_task(session: Session, mutant: Mutant, changed: str, covered: CoverageMap) -> Task:
    """Return what runs the tests of the line of a change on a module."""
    tests = covered.select(mutant.file, read_module(mutant), mutant.row, BUDGET)
    run = partial(run_mutant, session, mutant, changed, tests)
    return Task(mutant, run, 30 + 4 * sum(map(covered.seconds.__getitem__, tests)))


def read_module(mutant: Mutant) -> str:
    """Return the unchanged module."""
    return (ROOT / "src" / mutant.file).read_text(encoding="utf-8")


def make_tasks(session: Session, mutants: Iterator[Mutant], covered: CoverageMap) -> Iterator[Task]:
    """Yield what tests each change; those that are no other code are left out at once."""
    for mutant in mutants:
        text = read_module(mutant)
        changed = mutate(mutant, text)
        if is_code(text, changed):
            yield make_task(session, mutant, changed, covered)
        else:
            session.add(mutant, "incompetent", 0.0)


def check_controls(session: Session, mutants: Sequence[Mutant], covered: CoverageMap) -> None:
    """Run the tests of some changes without them; raises SystemExit if one of them fails then."""
    tasks = (make_task(session, mutant, read_module(mutant), covered) for mutant in mutants)
    for mutant, code, _ in forked_tests.run_all(tasks, SLOTS):
        if code not in (0, UNTESTED):
            raise SystemExit(
                f"without a change, the tests of {mutant} end with {code}: see {session.folder}/tests-*.log"
            )


def try_mutants(session: Session, order: Sequence[Mutant], count: int, covered: CoverageMap) -> None:
    """Test changes in their order until so many are competent."""
    done = session.read()
    competent = sum(record["outcome"] != "incompetent" for record in done.values())

    def following() -> Iterator[Mutant]:
        for mutant in order:
            if competent >= count:
                return
            if mutant not in done:
                yield mutant

    for mutant, code, seconds in forked_tests.run_all(make_tasks(session, following(), covered), SLOTS):
        outcome = OUTCOMES.get(code, "incompetent")
        session.add(mutant, outcome, seconds)
        competent += outcome != "incompetent"
        print(f"{competent} {mutant.file}:{mutant.row} {mutant.operator}: {outcome}, {seconds:.1f} s", flush=True)


def summarize(outcomes: dict[Mutant, dict[str, Any]], order: Sequence[Mutant], count: int) -> dict[str, Any]:
    """Return how many of the first competent changes are found, by package, and those that are not."""
    tested = [mutant for mutant in order if outcomes.get(mutant, {}).get("outcome", "incompetent") != "incompetent"]
    tested = tested[:count]
    by_outcome = {name: [each for each in tested if outcomes[each]["outcome"] == name] for name in OUTCOMES.values()}
    packages: dict[str, dict[str, int]] = {}
    for mutant in tested:
        package = packages.setdefault(Path(mutant.file).parts[1], {"tested": 0, "killed": 0})
        package["tested"] += 1
        package["killed"] += mutant not in by_outcome["survived"]
    return {
        "tested": len(tested),
        "killed": len(tested) - len(by_outcome["survived"]),
        "share": 1 - len(by_outcome["survived"]) / len(tested),
        "timeouts": len(by_outcome["timeout"]),
        "incompetent": sum(outcome["outcome"] == "incompetent" for outcome in outcomes.values()),
        "packages": dict(sorted(packages.items())),
        "survivors": [describe(mutant) for mutant in by_outcome["survived"]],
    }


def describe(mutant: Mutant) -> dict[str, Any]:
    """Return a change with its lines before and after."""
    text = read_module(mutant)
    changes = difflib.ndiff(text.splitlines(), mutate(mutant, text).splitlines())
    lines = [line for line in changes if line[:2] in ("- ", "+ ")]
    return {"file": mutant.file, "row": mutant.row, "operator": mutant.operator, "change": lines}


def main() -> None:
    """Draw the changes, test each, and write the results file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--packages", nargs="+", default=list(PACKAGES), choices=PACKAGES)
    parser.add_argument("--tests", nargs="+", default=list(TESTS), help="files and folders of tests")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutations")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "mutations.json")
    args = parser.parse_args()
    session, command = Session(args.folder.resolve()), timing.current_command()
    session.open({"commit": environment.commit(), "packages": args.packages, "tests": args.tests})
    paths = [path for each in args.tests for path in list_tests(ROOT / each)]
    forked_tests.preload()
    covered = covering_tests.measure(paths, session.source(0), args.packages, session.folder / "baseline", SLOTS)
    order = list_mutants(ROOT / "src", args.packages)
    random.Random(SEED).shuffle(order)  # noqa: S311 - no secret
    if not session.outcomes.exists():
        check_controls(session, order[:CONTROLS], covered)
    try_mutants(session, order, args.count, covered)
    figures = summarize(session.read(), order, args.count)
    figures |= {"listed": len(order), "seed": SEED, "tests": len(covered.seconds), "unused": sorted(covered.broken)}
    results.write(args.out, recipe="mutations", command=command, runs=[], **figures)
    print(f"{figures['killed']} of {figures['tested']} changes are found by a test ({figures['share']:.1%})")


def list_tests(path: Path) -> list[Path]:
    """Return the files of tests in a folder, or the file."""
    return [path] if path.is_file() else sorted(path.rglob("test_*.py"))


if __name__ == "__main__":
    main()
