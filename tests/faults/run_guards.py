"""Take away each guard in turn, and show that its test fails.

Each `guards*.toml` beside this file lists guards: `[[guard]]` with `fault` (its number), `title`, `file` and the line
`old` in it, the line `new` without the guard, and the `test` that must fail then. The patch is applied to a copy of the
source tree, so that the tree itself and tests that run meanwhile are not affected.

    python tests/faults/run_guards.py             # all guards
    python tests/faults/run_guards.py 32 41       # of these faults
    python tests/faults/run_guards.py --write     # all, and write results/faults.json
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "faults.json"
TIMEOUT = 240
"""Seconds for a test; a test that goes on forever without its guard is one that fails."""


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
    def is_current(self) -> bool:
        """Whether the guard and the test are in the tree."""
        path, _, name = self.test.partition("::")
        text = (ROOT / path).read_text() if (ROOT / path).is_file() else ""
        return (ROOT / self.file).read_text().count(self.old) == 1 and f"def {name.partition('[')[0]}(" in text


def read_guards() -> list[Guard]:
    """Return the guards of all tables, by fault."""
    tables = [tomllib.loads(path.read_text()) for path in sorted(Path(__file__).parent.glob("guards*.toml"))]
    return sorted((Guard(**entry) for table in tables for entry in table["guard"]), key=lambda guard: guard.fault)


def run_all(guards: list[Guard]) -> Iterator[tuple[Guard, bool, bool]]:
    """Yield each guard, whether its test passes with it, and whether it fails without it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "src"
        shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
        for guard in guards:
            is_green = _passes(guard.test, copy)
            patched = Path(folder) / guard.file
            original = patched.read_text()
            patched.write_text(original.replace(guard.old, guard.new))
            is_red = not _passes(guard.test, copy)
            patched.write_text(original)
            yield guard, is_green, is_red


def _passes(test: str, source: Path) -> bool:
    """Run a test with the package in a folder; return whether it passed."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", test]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    try:
        run = subprocess.run(command, cwd=ROOT, env=environment, timeout=TIMEOUT, capture_output=True, check=False)
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def _write(outcomes: list[tuple[Guard, bool, bool]]) -> None:
    """Write the outcomes into the results file, beside what others wrote there."""
    content = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    content["guards"] = [
        {key: value for key, value in asdict(guard).items() if key not in ("old", "new")}
        | {"passes_with_guard": is_green, "fails_without_guard": is_red}
        for guard, is_green, is_red in outcomes
    ]
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")


def main() -> None:
    """Print a line for each guard; the exit code is 1 if a test does not depend on its guard."""
    faults = {int(argument) for argument in sys.argv[1:] if argument.isdigit()}
    outcomes = []
    for guard, is_green, is_red in run_all([each for each in read_guards() if not faults or each.fault in faults]):
        outcomes.append((guard, is_green, is_red))
        state = "ok" if is_green and is_red else "FAILS WITH THE GUARD" if not is_green else "PASSES WITHOUT THE GUARD"
        sys.stdout.write(f"{guard.fault:02} {guard.title}: {state}\n")
        sys.stdout.flush()
    if "--write" in sys.argv:
        _write(outcomes)
    sys.exit(not all(is_green and is_red for _, is_green, is_red in outcomes))


if __name__ == "__main__":
    main()
