"""The lock that keeps two processes from writing the same files."""

import subprocess
import sys
from pathlib import Path

import pytest

from modiste.errors import InputError, OutputError
from modiste.runs.lock import lock

HOLD = """
import pathlib, sys
from modiste.runs.lock import lock
with lock(pathlib.Path(sys.argv[1])):
    print("locked", flush=True)
    input()
"""


@pytest.mark.parametrize("name", ["run", "predictions.csv"])
def test_another_process_cannot_lock_it(name: str, tmp_path: Path) -> None:
    """A folder or file that another process has locked is an error; when that process is killed, it is free."""
    (tmp_path / "run").mkdir()
    path = tmp_path / name
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        with pytest.raises(InputError, match=f"{name} is in use by another"), lock(path):
            pass
        process.kill()
    with lock(path):
        assert not (tmp_path / "predictions.csv").exists()


def test_a_lock_can_be_waited_for(tmp_path: Path) -> None:
    """With a timeout, a process that releases the lock in time is waited for."""
    command = [sys.executable, "-c", HOLD.replace("input()", "import time; time.sleep(0.5)"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        with lock(tmp_path, timeout=60):
            pass


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    """A lock file below a file cannot be made."""
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), lock(tmp_path / "file" / "x"):
        pass
