"""A disk that is full (fault 28): a small one of its own; a limit of the size of files is in test_outputs.py."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.command import TINY, modiste, run_in_process, start, wait_until
from helpers.photos import fill
from helpers.runs import write_run
from modiste.runs.folder import Run

PAGE = os.sysconf("SC_PAGESIZE")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB, in memory; skips where none can be mounted, as without the rights of an administrator."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not shutil.which("mount"):
        pytest.skip("there is no command mount")
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill_up(disk: Path, pages_left: int = 0) -> Path:
    """Write a file that takes all space but some pages, and return it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(PAGE)):
                pass
        except OSError:
            file.truncate(max(0, file.tell() - pages_left * PAGE))
    return ballast


@pytest.mark.slow
def test_fault_28_a_training_on_a_full_disk_ends_with_4_and_is_resumed_when_there_is_space(
    idx: Path, disk: Path
) -> None:
    """The error names the file; the last checkpoint is there, and nothing half-written."""
    arguments = ["sprint", f"--data={idx}", "--epochs=40", "--name=a", *TINY, "--set=compute.precision=fp32"]
    process, run = start(disk, "train", *arguments), Run(disk / "runs" / "a")
    wait_until(run.checkpoint.exists, process)
    ballast = fill_up(disk)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 4, err
    assert "cannot be written (No space left on device). Free space" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not list(disk.rglob("*.partial"))
    ballast.unlink()
    run_in_process(disk, "train", "--resume=runs/a")
    assert run.finished


@pytest.mark.slow
def test_fault_28_a_full_disk_of_temporary_files_ends_an_export_with_4(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named, and nothing is left on it."""
    run = write_run(tmp_path / "run")
    ballast = fill_up(disk, pages_left=4)
    monkeypatch.setenv("TMPDIR", str(disk))
    refused = modiste(tmp_path, "export", str(run.path), "--int8", "--out=a.onnx", code=4)
    assert refused.stderr.startswith(f"modiste: {disk} cannot be written (No space left on device)")
    assert [*disk.iterdir(), *tmp_path.glob("a.onnx*")] == [ballast]


def test_fault_28_predictions_on_a_full_disk_end_with_4_and_continue_when_there_is_space(
    disk: Path, tmp_path: Path
) -> None:
    """All of them are in the file then."""
    run, photos = write_run(tmp_path / "run"), fill(tmp_path / "photos", 5)
    command = ["predict", str(photos), "--model", str(run.model), "--out=disk/p.csv"]
    ballast = fill_up(disk)
    assert "cannot be written (No space left on device)" in run_in_process(tmp_path, *command, code=4).stderr
    ballast.unlink()
    run_in_process(tmp_path, *command)
    assert len((disk / "p.csv").read_text().splitlines()) == 6
