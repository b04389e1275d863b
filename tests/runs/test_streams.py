"""Outputs that are not regular files."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from modiste.errors import InputError, OutputError
from modiste.runs import files


def test_a_link_that_the_user_names_is_followed(tmp_path: Path) -> None:
    """It stays, and the file that it leads to is replaced or made (fault 35)."""
    link = tmp_path / "link"
    link.symlink_to("file")
    for text in ("new", "newer"):
        files.write_text(files.follow_link(link), text)
        assert (link.is_symlink(), (tmp_path / "file").read_text()) == (True, text)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_fifo_is_written_through(tmp_path: Path) -> None:
    """Its reader gets the content (fault 35)."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(fifo.read_text()))
    reader.start()
    files.write_text(fifo, "x" * 100_000)
    reader.join(30)
    assert received == ["x" * 100_000]
    assert fifo.is_fifo()


@pytest.mark.parametrize("place", ["/dev/null", "link"])
def test_the_null_device_is_never_replaced(place: str, tmp_path: Path) -> None:
    """Not even by root, nor through a link (fault 35)."""
    (tmp_path / "link").symlink_to("/dev/null")
    path = tmp_path / place
    files.write_text(files.follow_link(path), "x")
    assert path.is_char_device()


def test_a_full_device_is_an_output_error() -> None:
    """Which names it (fault 28)."""
    with pytest.raises(OutputError, match="/dev/full cannot be written"):
        files.write_text(Path("/dev/full"), "x")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/vda", "/dev/loop0", "/dev/log"])
def test_other_devices_are_refused(device: str) -> None:
    """They would take the bytes as commands, or as content of a disk (fault 35)."""
    if not Path(device).exists():
        pytest.skip(f"there is no {device}")
    with pytest.raises(InputError, match="is a device or a socket"):
        files.write_text(Path(device), "x")


@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_goes_where_it_was_sent(place: str, tmp_path: Path) -> None:
    """Also into a file that has other lines already (fault 35)."""
    code = (
        f"from pathlib import Path; from modiste.runs import files; print('before', flush=True); "
        f"files.write_text(Path('{place}'), 'x\\n'); print('after')"
    )
    with (tmp_path / "out").open("w") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "before\nx\nafter\n"
    assert len(list(tmp_path.iterdir())) == 1
