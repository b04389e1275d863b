"""Benches beside each other, children that outlive them, and files in the current folder (faults 36 and 43)."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from helpers.command import TINY, start
from modiste.experiments import process
from modiste.runs import files
from modiste.training.signals import StopRequest

PROBE = "from pathlib import Path; Path('imported').touch()"


def wait_until_exists(path: Path, seconds: float = 240) -> None:
    """Wait for a file."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"no {path}"
        time.sleep(0.01)


def test_fault_43_a_module_in_the_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A click.py there is a file of the user's, or of somebody else's."""
    monkeypatch.chdir(tmp_path)
    for name in ("click.py", "modiste.py", "numpy.py"):
        (tmp_path / name).write_text(PROBE)
    assert process.run_modiste(["train", "--list", "--json"], tmp_path / "a", 1, StopRequest()) is False
    assert json.loads((tmp_path / "a.log").read_text())
    assert not (tmp_path / "imported").exists()


def test_fault_43_a_process_that_outlived_its_parent_is_waited_for(tmp_path: Path) -> None:
    """It has the log open, which its parent locked; a stop ends the waiting."""
    with (tmp_path / "a.log").open("a") as log:
        assert process._lock(log.fileno())
        child = subprocess.Popen(["sleep", "60"], stdout=log, start_new_session=True)
    stop, waits = StopRequest(), []

    def end_child() -> None:
        waits.append(time.monotonic())
        child.kill()
        child.wait()

    signal.signal(signal.SIGALRM, lambda *_: end_child())
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        process.wait_for_earlier_process(tmp_path / "a", stop)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        child.kill()
        child.wait()
    assert waits  # it waited until the child was ended

    with (tmp_path / "a.log").open("a") as log:
        assert process._lock(log.fileno())
        stop.signal_number = signal.SIGINT
        process.wait_for_earlier_process(tmp_path / "a", stop)


@pytest.mark.slow
@pytest.mark.skipif("MODISTE_FAULTS" not in os.environ, reason="`make faults`: it takes a minute")
def test_fault_36_of_two_benches_one_wins(idx: Path, tmp_path: Path) -> None:
    """The other says so in one sentence; after a `kill -9`, the next one takes over what the first has left."""
    arguments = ["bench", "sprint", "--name=b", "--seeds=1", f"--set=data.source={idx}", "--set=schedule.epochs=2"]
    first = start(tmp_path, *arguments, *TINY)
    wait_until_exists(tmp_path / "runs" / "bench" / "b" / "seed-0.log")
    second = start(tmp_path, *arguments, *TINY)
    _, err = second.communicate(timeout=300)
    assert second.returncode == 2
    assert "runs/bench/b is in use by another modiste process" in err
    first.kill()
    first.communicate()
    third = start(tmp_path, *arguments, *TINY)
    _, err = third.communicate(timeout=600)
    assert third.returncode == 0, err
    assert files.read_json(tmp_path / "results" / "b.json")["n"] == 1
