"""How much the tests of faults try, and what they write about it.

MODISTE_FAULTS=long chooses the long form. With MODISTE_FAULTS_RESULTS=FOLDER each of these tests writes a JSON file
there, also when it fails: `{"test": "tests/faults/test_kills.py::...", "faults": [27], "tried": "kills of a training",
"n": 200, "failures": 0, "examples": [], "long": true, "measured": {...}}`.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

IS_LONG = os.environ.get("MODISTE_FAULTS") == "long"


@dataclass
class Counts:
    """What a test tried.

    Args:
        n: number of tries.
        failures: a line for each.
        measured: other numbers, with their units in the names.
    """

    n: int = 0
    failures: list[str] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)


@contextmanager
def count(name: str, faults: Sequence[int], tried: str) -> Iterator[Counts]:
    """Yield the counts of a test, write them at the end of the block, and require that there are no failures.

    Args:
        name: of the file, unique.
        faults: their numbers.
        tried: what is tried, a plural.
    """
    counts = Counts()
    try:
        yield counts
        assert not counts.failures, counts.failures[:10]
    except Exception as error:
        counts.failures = counts.failures or [repr(error)]
        raise
    finally:
        if folder := os.environ.get("MODISTE_FAULTS_RESULTS"):
            test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
            content = {"test": test, "faults": list(faults), "tried": tried, "n": counts.n, "long": IS_LONG}
            found = {"failures": len(counts.failures), "examples": counts.failures[:10], "measured": counts.measured}
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / f"{name}.json").write_text(json.dumps(content | found, indent=1) + "\n")
