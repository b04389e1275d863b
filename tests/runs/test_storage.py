"""Files below a folder or an S3 prefix, on a local S3 server."""

import copy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.s3 import s3_server
from modiste.errors import InputError, OutputError
from modiste.runs.storage import Storage, is_url

pytest.importorskip("fsspec")


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A place of each kind."""
    if request.param == "folder":
        yield str(tmp_path)
        return
    with pytest.MonkeyPatch.context() as monkeypatch, s3_server(monkeypatch) as bucket:
        yield f"{bucket}/prefix"


def test_files_are_written_listed_read_and_removed(url: str) -> None:
    """In folders and in an object store alike, also by a copy in another process."""
    storage = Storage(url)
    assert storage.names() == []
    storage.write("a/b.bin", b"1")
    storage.write("a/b.bin", b"22")
    storage.write("c.bin", b"")
    assert storage.names() == ["a/b.bin", "c.bin"]
    assert storage.names("a") == ["a/b.bin"]
    copied = copy.deepcopy(storage)
    assert copied.read("a/b.bin") == b"22"
    with copied.open("a/b.bin") as file:
        file.seek(1)
        assert file.read() == b"2"
    storage.remove(["a/b.bin", "missing"])
    assert storage.names() == ["c.bin"]
    with pytest.raises(FileNotFoundError):
        storage.read("a/b.bin")


def test_errors_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a bucket that does not exist, and of a place that is no folder."""
    unwritable = pytest.raises(OutputError, match=r"s3://missing/x cannot be written \(.*bucket.*free space")
    with s3_server(monkeypatch), unwritable:
        Storage("s3://missing").write("x", b"1")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        Storage(str(tmp_path / "file")).write("x", b"1")
    with pytest.raises(InputError, match="cannot be opened"):
        Storage("nothing://x").names()
    with pytest.raises(InputError, match="names no bucket or folder"):
        Storage("s3://").write("x", b"1")


def test_a_missing_client_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not in the extra of clusters, and fsspec says which one it is."""
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(InputError, match=r"gs://x cannot be opened \(.*gcsfs.*\)\. Install this package"):
        Storage("gs://x").names()


def test_urls_have_a_protocol() -> None:
    """Everything else is a path."""
    assert is_url("s3://bucket/key")
    assert not is_url("/data/a")
