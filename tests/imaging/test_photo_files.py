"""Which files of a folder are photos."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.photos import clothes, saved
from modiste.imaging import file_format, photo_files
from modiste.imaging.photo_files import find_photos, is_readable_photo

JPEG, PNG, WEBP = (saved(clothes(), photo_format) for photo_format in ("JPEG", "PNG", "WEBP"))
OTHER = {
    "GIF": saved(clothes(), "GIF"),
    "BMP": saved(clothes(), "BMP"),
    "TIFF": saved(clothes(), "TIFF"),
    "PNM": saved(clothes(), "PPM"),
    "AVIF": b"\0\0\0\x18ftypavif",
    "CR3": b"\0\0\0\x18ftypcrx ",
    "JPEG XL": b"\xff\x0a\0\0",
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
}


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jpe", JPEG), ("b", PNG), ("c.jpg.1", JPEG), ("d.jpeg?w=300", JPEG), ("e.WEBP", WEBP), ("f.tiff", PNG)],
)
def test_a_photo_is_read_under_any_name(name: str, content: bytes, tmp_path: Path) -> None:
    """Without a suffix, or with an unknown or a wrong one, the first bytes decide."""
    (tmp_path / name).write_bytes(content)
    assert find_photos(tmp_path) == ([str(tmp_path / name)], [])


@pytest.mark.parametrize("name", ["a.DNG", "a.pgm", "a.jp2", "a.jxl", "a.nef", "a.gif", "a.bmp", "a.tif", "a.avif"])
def test_a_photo_of_another_format_is_listed_as_unreadable(name: str, tmp_path: Path) -> None:
    """By its suffix, so that it is not left out silently."""
    (tmp_path / name).touch()
    assert find_photos(tmp_path) == ([], [str(tmp_path / name)])


@pytest.mark.parametrize("photo_format", OTHER)
def test_other_formats_are_detected_by_their_first_bytes(photo_format: str, tmp_path: Path) -> None:
    """A file without a suffix is listed as unreadable, too."""
    (tmp_path / "photo").write_bytes(OTHER[photo_format])
    assert file_format.detect_format(OTHER[photo_format]) == photo_format
    assert is_readable_photo(str(tmp_path / "photo")) is False


@pytest.mark.parametrize("name", ["labels.json", "notes.txt", "x.csv", "Thumbs.db", ".DS_Store", "._a.jpg", ".a.png"])
def test_a_sidecar_is_not_a_photo(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known sidecars and hidden files are not opened, and not listed."""
    (tmp_path / name).write_bytes(PNG)
    monkeypatch.setattr(photo_files, "_first_bytes", lambda _: pytest.fail("opened"))
    assert find_photos(tmp_path) == ([], [])


@pytest.mark.parametrize("content", [b"", b"BM", b"BMW has", b"P5", b"MIT License", np.zeros(99).tobytes()])
def test_other_files_are_not_photos(content: bytes, tmp_path: Path) -> None:
    """A README or LICENSE is skipped silently."""
    (tmp_path / "README").write_bytes(content)
    assert find_photos(tmp_path) == ([], [])


def test_what_cannot_be_opened_is_not_waited_for(tmp_path: Path) -> None:
    """A FIFO and a link to nothing are not photos, but a link with the suffix of a photo is."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "missing")
    assert find_photos(tmp_path) == ([str(tmp_path / "link.jpg")], [])


def test_a_photo_is_not_opened_to_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A known suffix decides, which keeps large folders fast."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    monkeypatch.setattr(photo_files, "_first_bytes", lambda _: pytest.fail("opened"))
    assert find_photos(tmp_path).readable == [str(tmp_path / "a.png")]
