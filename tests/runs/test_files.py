"""Files are written atomically."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from modiste.errors import InputError
from modiste.runs import files


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """An exception in the block leaves the old content and no temporary file."""
    path = tmp_path / "file.txt"
    files.write_text(path, "old")
    with pytest.raises(KeyError), files.atomic_write(path) as partial:
        partial.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("place", [".", "", "/"])
def test_a_folder_cannot_be_written_as_a_file(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the folder is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is a folder"):
        files.write_text(Path(place), "x")


def test_temporary_files_of_killed_processes_are_removed(tmp_path: Path) -> None:
    """In a folder and in the folders below it (fault 26)."""
    (tmp_path / "last").mkdir()
    for leftover in (tmp_path / "a.partial", tmp_path / "last" / "b.partial"):
        leftover.write_text("half")
    files.remove_partials(tmp_path)
    assert list(tmp_path.rglob("*.partial")) == []


def test_a_full_disk_is_an_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    """When the system refuses more bytes, the error names the path and the old file stays (fault 28)."""
    path = tmp_path / "file.txt"
    files.write_text(path, "old")
    script = (
        "import sys, signal; from pathlib import Path; from modiste.runs import files; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); files.write_text(Path(sys.argv[1]), 'x' * 100_000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{path} cannot be written (File too large)" in done.stderr
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]


def test_nan_is_not_written_as_json(tmp_path: Path) -> None:
    """A NaN would make a file that other tools cannot read."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []
