"""Mutated photos and data files: no crash, no hang, one sentence, bounded memory (faults 02 to 08, 30, 41)."""

import os
import time

import pytest

from faults.fuzz import SEEDS, mutate, parse
from helpers.memory import MEGABYTE, peak_growth

FILES = 50_000 if os.environ.get("MODISTE_FAULTS") == "long" else 2000
"""For all formats together."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDS)
def test_mutated_files_are_read_or_refused(name: str) -> None:
    """Within a second each, as pixels or an InputError of one line, and within 50 MB."""
    slowest = [0.0]

    def run() -> None:
        for seed in range(FILES // len(SEEDS)):
            content = mutate(SEEDS[name](), seed)
            start = time.process_time()
            assert "\n" not in parse(name, content)
            slowest[0] = max(slowest[0], time.process_time() - start)

    assert peak_growth(run) < 50 * MEGABYTE
    assert slowest[0] < 1


@pytest.mark.parametrize("name", SEEDS)
def test_a_seed_is_read(name: str) -> None:
    """Or its mutations would only reach the first check."""
    assert parse(name, SEEDS[name]()) == ""
