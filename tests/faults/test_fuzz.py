"""Mutated photos and other files: no crash, no hang, one sentence, bounded memory (faults 02 to 08, 10, 30, 38, 41)."""

import os
import resource
import time
from pathlib import Path

import pytest

from faults.counts import IS_LONG, count
from faults.fuzz import PHOTOS, SEEDS, mutate, parse, shares
from helpers.memory import MEGABYTE, peak, peak_growth
from helpers.service import serving

FILES = 50_000 if IS_LONG else 2000
"""For all formats together."""

FAULTS = {
    **dict.fromkeys(PHOTOS, (2, 3, 4, 5, 6, 7, 8, 41)),
    "HEIC": (2, 10),
    "IDX": (30,),
    **dict.fromkeys(("pixels.csv", "files.csv", "train.npz", "train.parquet"), (30, 32)),
    "model": (25, 38),
}
"""Those of a kind of file; a recipe or run that cannot be read is a fault of 32."""

SECONDS = 1
"""Of the processor for a file."""

LATEST = 20
"""Seconds of waiting for a file; more, as the machine may be busy."""

BYTES = 50 * MEGABYTE
OCTET_STREAM = "application/octet-stream"
SENT = 5
"""One in so many mutated photos is sent to a service."""


def cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def child_memory() -> int:
    """Bytes of the largest child that has ended."""
    return 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDS)
def test_mutated_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    """Within a second each, as pixels or an error of one line, and within 50 MB."""
    original = SEEDS[name]()
    parse(name, original, tmp_path)
    of_children, slowest, largest = child_memory(), 0.0, 0

    def read(content: bytes) -> str:
        try:
            return "several lines" if "\n" in parse(name, content, tmp_path) else ""
        except Exception as error:  # noqa: BLE001 - whatever else is raised is a failure
            return repr(error)

    with count(f"fuzz-{name.replace(' ', '-')}", FAULTS.get(name, (32,)), f"mutated files: {name}") as counts:
        for seed in range(shares(FILES)[name]):
            content, problems, begin, start = mutate(original, seed), [], time.monotonic(), cpu_seconds()
            growth = peak_growth(lambda content=content, problems=problems: problems.append(read(content)))
            seconds, waited = cpu_seconds() - start, time.monotonic() - begin
            slowest, largest = max(slowest, seconds), max(largest, growth)
            if problems[0] or seconds > SECONDS or waited > LATEST or growth > BYTES:
                time_and_memory = f"{seconds:.1f} s, {waited:.1f} s in all, {growth / 1e6:.0f} MB"
                counts.failures.append(f"{seed}: {problems[0]} {time_and_memory}")
            counts.n += 1
        counts.measured = {"slowest_s": round(slowest, 3), "largest_mb": round(largest / 1e6, 1)}
        assert child_memory() - of_children <= BYTES


def test_all_files_are_of_some_seed() -> None:
    """Exactly as many as are promised, and some of each."""
    assert sum(shares(FILES).values()) == FILES
    assert all(shares(FILES).values())


@pytest.mark.parametrize("name", SEEDS)
def test_a_seed_is_read(name: str, tmp_path: Path) -> None:
    """Or its mutations would only reach the first check."""
    assert parse(name, SEEDS[name](), tmp_path) == ""


@pytest.mark.slow
def test_mutated_photos_get_a_label_or_an_error_of_their_own_from_a_service() -> None:
    """Status 500 is none, and its memory stays within 50 MB of what whole photos need."""
    with (
        count("fuzz-http", FAULTS[PHOTOS[0]], "mutated photos sent to a service") as counts,
        serving("--threads=1") as service,
    ):
        for name in PHOTOS:
            assert service.ask("POST", "/predict", SEEDS[name](), OCTET_STREAM)[0] == 200
        before = peak(service.process.pid)
        for name in PHOTOS:
            for seed in range(0, shares(FILES)[name], SENT):
                status, body, _ = service.ask("POST", "/predict", mutate(SEEDS[name](), seed), OCTET_STREAM)
                if status not in (200, 413, 415, 422) or ("label" if status == 200 else "error") not in body:
                    counts.failures.append(f"{name} {seed}: status {status}, {body}")
                counts.n += 1
        growth = peak(service.process.pid) - before
        counts.measured = {"largest_mb": round(growth / 1e6, 1)}
        assert growth <= BYTES
