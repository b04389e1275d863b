"""Files are written atomically."""

import multiprocessing
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from modiste.errors import InputError, OutputError
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


def test_fault_26_temporary_files_of_killed_processes_are_removed(tmp_path: Path) -> None:
    """In a folder and in the folders below it (fault 26)."""
    (tmp_path / "last").mkdir()
    for leftover in (tmp_path / "a.partial", tmp_path / "last" / "b.partial"):
        leftover.write_text("half")
    files.remove_partials(tmp_path)
    assert list(tmp_path.rglob("*.partial")) == []


def test_fault_28_a_full_disk_is_an_error_and_leaves_the_old_file(tmp_path: Path) -> None:
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


def test_a_link_is_not_appended_to(tmp_path: Path) -> None:
    """The file that it leads to is unchanged (fault 35)."""
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OutputError, match="link cannot be written"), files.append_text(tmp_path / "link") as file:
        file.write("x")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("name", ["zero", "fifo", "large"])
def test_fault_32_only_a_regular_file_of_some_size_is_read(name: str, tmp_path: Path) -> None:
    """A device or a FIFO could give bytes forever, or none (fault 32)."""
    path = tmp_path / name
    if name == "zero":
        path.symlink_to("/dev/zero")
    elif name == "fifo":
        os.mkfifo(path)
    else:
        path.touch()
        os.truncate(path, files.MAX_TEXT_BYTES + 1)
    with pytest.raises(InputError, match=r"is not a regular file|is larger than 64 MiB"):
        files.read_json(path)


def test_the_message_of_an_error_is_bounded() -> None:
    """Whatever text of a file it quotes; its start and its end, which says what to do, stay (fault 45)."""
    message = str(InputError(f"The class {'x' * 300_000} is unknown. Remove it."))
    assert len(message) < 2000
    assert message.startswith("The class xxx")
    assert message.endswith("xxx is unknown. Remove it.")


def test_the_message_of_an_error_is_one_line() -> None:
    """As those of libraries that it quotes may be several, and a name in it (fault 45)."""
    assert str(InputError("a\nb is damaged (no data\r\n at 3\n). Remove it.")) == (
        "a b is damaged (no data at 3 ). Remove it."
    )


def test_nan_is_not_written_as_json(tmp_path: Path) -> None:
    """A NaN would make a file that other tools cannot read."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def write_many(path: Path) -> None:
    """Write a file again and again."""
    for _ in range(100):
        files.write_text(path, f"{os.getpid()}\n" * 1000)


def test_fault_36_a_temporary_file_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Several processes write one path at once, and each content is complete (fault 36)."""
    processes = [multiprocessing.get_context("fork").Process(target=write_many, args=(tmp_path / "a",)) for _ in "123"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(set((tmp_path / "a").read_text().splitlines())) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_the_next_write_removes_the_file_of_a_killed_process(tmp_path: Path) -> None:
    """That of a process that runs stays, and so does one that is new."""
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    names = [f"a.{pid}-0123456{digit}.partial" for digit, pid in enumerate((int(dead.stdout), int(dead.stdout), 1))]
    for name in names:
        (tmp_path / name).touch()
    for old in (names[0], names[2]):
        os.utime(tmp_path / old, (0, 0))
    files.write_text(tmp_path / "a", "x")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["a", *names[1:]])


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    """Those that `open` gives."""
    files.write_text(tmp_path / "a", "x")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
