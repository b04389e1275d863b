"""What measures the faults, and the tables of its results."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import fault_results
import fault_tables
import fault_tests
import kills
import load
import process_memory
import pytest
import table_format

from faults import run_guards
from helpers.service import Service
from modiste.runs import files, results

ANSWER = load.Answer(200, 0.01, 0.0, False)
REJECTION = load.Answer(503, 1.5, 0.0, True)


def test_a_part_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    """Each has its own command, commit and machine, and the whole is a results file."""
    path = tmp_path / "faults.json"
    for name, value in (("load", 1), ("guards", 2), ("load", 3)):
        fault_results.write_part(name, f"command {value}", path, value=value)
    assert [(part["part"], part["value"]) for part in results.read(path)["runs"]] == [("guards", 2), ("load", 3)]
    parts = fault_results.read_parts(path)
    assert parts["load"]["command"] == "command 3"
    assert parts["guards"].keys() >= {"commit", "hardware", "versions"}


def test_the_coverage_of_lines_is_that_of_the_report() -> None:
    """Of `coverage json`."""
    figures = fault_results.coverage_figures({"totals": {"num_statements": 200, "covered_lines": 190}})
    assert figures == {"lines": 200, "covered": 190, "share": 0.95}


def render(folder: Path, monkeypatch: pytest.MonkeyPatch, **parts: dict[str, Any]) -> list[str]:
    """The tables from these parts."""
    for name, figures in parts.items():
        fault_results.write_part(name, "command", folder / "faults.json", **figures)
    for module in (table_format, fault_tables):
        monkeypatch.setattr(module, "RESULTS", folder)
    return [make(str) for make in fault_tables.TABLES.values()]


GUARD = {"fault": 7, "title": "a", "test": "t", "with_guard": "passed", "without_guard": "failed", "commit": ""}


def test_the_tables_say_what_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any part, and with one of them."""
    assert all("Not measured yet" in text for text in render(tmp_path, monkeypatch))
    faults, of_load, _ = render(tmp_path, monkeypatch, guards={"guards": [GUARD, GUARD | {"without_guard": "timeout"}]})
    assert len(faults.splitlines()) == 2 + 45
    assert faults.splitlines()[8].endswith("| - | not run | 1 of 2, *short* |")
    assert faults.splitlines()[9].endswith("| - | not run | no guard |")
    assert "Not measured yet" in of_load


def test_the_tables_have_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests with their cases, what they counted, the load with what misses its limit, and the figures with targets."""
    test = {"test": "t", "faults": [7, 8], "passed": 3, "failed": 0, "skipped": 0, "not run": 0}
    count = {"test": "t", "tried": "files", "n": 50_000, "failures": 0, "faults": [7]}
    row = {"connections": 8, "accepted_per_s": 900, "rejected_per_s": 0, "failed": 0, "recovery_s": 0.05}
    p99 = {"p99": 0.3, "failed": 0, "rejected": 0}
    row |= {"accepted": p99, "new_connections": p99, "health": {"p99": None, "failed": 2, "rejected": 0}}
    measured = {
        "rows": [row],
        "overload": {"offered": 11.0, "share": 0.8, "failed": 0},
        "memory": {"requests": 100, "growth": 10**6},
        "peaks": [{"threads": 2, "n": 9, "bytes": 2 * 10**9, "statuses": [200, 503]}],
    }
    measured["missed"] = load.find_misses(measured)
    assert measured["missed"] == [
        "8 connections: p99 of accepted: 300 ms, at most 250 ms",
        "8 connections: p99 of new connections: 300 ms, at most 250 ms",
        "8 connections: p99 of health: not measured, at most 100 ms",
        "8 connections: 2 failed",
        "2 threads: peak of 2000 MB, statuses [200, 503]",
    ]
    faults, of_load, figures = render(
        tmp_path, monkeypatch, tests={"tests": [test], "counts": [count]}, load=measured,
        coverage={"lines": 100, "covered": 90, "share": 0.9},
    )  # fmt: skip
    assert faults.splitlines()[8].endswith("| 3 tests; 50,000 files | 0 failures | - |")
    assert faults.splitlines()[9].endswith("| 3 tests | 0 failures | - |")
    assert "| 8 | 900 | 0 | 2 | 300 | 300 | - | 0.05 |" in of_load
    assert of_load.count("*short*") == 5
    assert "**80%** | 70% |" in figures
    assert "**90.0%** | 95.0%, *short* |" in figures


def test_the_faults_of_a_test_are_in_its_name_and_docstring() -> None:
    """Single ones and ranges."""
    assert fault_tests.read_numbers("test_fault_07_a_photo (faults 02 to 04, 30 and 41)") == {7, 2, 3, 4, 30, 41}
    assert fault_tests.read_numbers("of 20 photos") == set()


def test_the_cases_of_a_test_are_counted(tmp_path: Path) -> None:
    """By their outcome; what the tests wrote about how much they tried is read from their folder."""
    cases = {"t.py::a[1]": "passed", "t.py::a[2]": "failed", "t.py::b": "skipped"}
    tests = {node: {"faults": [3], "outcome": outcome} for node, outcome in cases.items()}
    assert [(row["test"], row["passed"], row["failed"], row["skipped"]) for row in fault_tests.summarize(tests)] == [
        ("t.py::a", 1, 1, 0),
        ("t.py::b", 0, 0, 1),
    ]
    count = {"test": "t", "tried": "kills", "n": 200, "failures": 0, "faults": [27]}
    files.write_json(tmp_path / "kills.json", count)
    assert list(fault_tests.read_counts(tmp_path)) == [count]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("def test_it():\n    pass", "passed"),
        ("def test_it():\n    assert False", "failed"),
        ("import missing\ndef test_it():\n    pass", "error"),
        ("import pytest\n@pytest.fixture\ndef broken():\n    1 / 0\ndef test_it(broken):\n    pass", "error"),
        ("import pytest\ndef test_it():\n    pytest.skip('x')", "error"),
        ("import os\ndef test_it():\n    os._exit(1)", "error"),
    ],
)
def test_only_a_test_that_fails_is_red(code: str, state: str, tmp_path: Path) -> None:
    """Not one that cannot run without its guard."""
    file = tmp_path / "test_it.py"
    file.write_text(code)
    assert run_guards.run_test(f"{file}::test_it", run_guards.ROOT / "src", 60).state == state


@pytest.mark.slow
def test_a_test_that_never_ends_is_not_red_and_leaves_no_process(tmp_path: Path) -> None:
    """What it started is killed with it."""
    file, started = tmp_path / "test_it.py", tmp_path / "started"
    lines = [
        "import subprocess",
        "def test_it():",
        "    process = subprocess.Popen(['sleep', '600'], start_new_session=True)",
        f"    open({str(started)!r}, 'w').write(str(process.pid))",
        "    process.wait()",
    ]
    file.write_text("\n".join(lines))
    assert run_guards.run_test(f"{file}::test_it", run_guards.ROOT / "src", 15).state == "timeout"
    assert is_gone(int(started.read_text()))


def is_gone(process: int) -> bool:
    """Whether a process has ended, or does so now."""
    status = Path(f"/proc/{process}/status")
    for _ in range(100):
        if not status.exists() or "State:\tZ" in status.read_text():
            return True
        time.sleep(0.05)
    return False


def test_the_recovery_ends_with_the_last_slow_answer() -> None:
    """Also a rejected one; it is unknown if the last answer is slow."""
    slow = ANSWER._replace(seconds=0.3)
    assert load.recovery([(0.0, ANSWER), (0.1, ANSWER)]) == 0.0
    assert load.recovery([(0.0, REJECTION), (0.1, ANSWER), (0.2, slow), (0.3, ANSWER)]) == 0.3
    assert load.recovery([(0.0, ANSWER), (0.1, REJECTION)]) is None


def test_the_answers_that_wrk_got_are_read() -> None:
    """With the seconds of the accepted ones."""
    lines = [f"COUNT {name} {n}" for name, n in (("accepted", 4), ("rejected", 2), ("failed", 0))]
    figures = load.parse_wrk("\n".join(["TIME 9 3", "TIME 99 1", *lines, "COUNT microseconds 2000000"]))
    assert (figures["accepted_per_s"], figures["rejected_per_s"], figures["failed"]) == (2, 1, 0)
    assert figures["accepted"]["n"] == 4
    assert figures["accepted"]["median"] == 0.01
    with pytest.raises(SystemExit, match="unable to connect"):
        load.parse_wrk("unable to connect")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("wrk") is None, reason="needs wrk")
def test_each_answer_to_wrk_has_its_seconds(service: Service) -> None:
    """As the service repeats the time of sending."""
    figures = load.wrk(service.url, load.SMALL, 2, 1)
    assert figures["failed"] == 0
    assert figures["accepted"]["n"] > 0
    assert 0 < figures["accepted"]["median"] <= figures["accepted"]["p99"] < 60


def test_the_peak_memory_has_that_of_processes_that_were_started() -> None:
    """While both have it at the same time."""
    take = "x = bytearray(60_000_000); import sys; sys.stdin.read(1)"
    both = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {take!r}]); {take}"
    process = subprocess.Popen([sys.executable, "-c", both], stdin=subprocess.PIPE)
    with process_memory.PeakMemory(process.pid) as memory:
        end = time.monotonic() + 60
        while memory.of_all < 120_000_000 and time.monotonic() < end:
            time.sleep(0.05)
        peak = memory.peak()
    process.communicate(b"xx")
    assert 120_000_000 < peak < 400_000_000


def test_a_training_that_ends_by_itself_is_no_kill() -> None:
    """It may have failed, so it ends the measurement."""
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit('full')"], stderr=subprocess.PIPE, text=True)
    with pytest.raises(SystemExit, match="exit code 1, not by Kill"):
        kills._train_and_kill(process, kills.Kill(0, 1.0), 0.01, is_trained=False)


def test_kills_before_an_interruption_are_kept(tmp_path: Path) -> None:
    """For the same training only."""
    log = tmp_path / "runs" / "kills.jsonl"
    assert kills._read_log(log, {"kills": 2}) == []
    with log.open("a") as file:
        file.write('{"epoch": 1, "part": 0.5, "rows": 1}' + os.linesep)
    assert kills._read_log(log, {"kills": 2}) == [kills.Kill(1, 0.5, 1)]
    with pytest.raises(SystemExit, match="has other trainings"):
        kills._read_log(log, {"kills": 3})
