"""HEIC photos, decoded in a separate process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.photos import clothes
from modiste.errors import InputError, UnsupportedPhoto
from modiste.imaging import file_format, heic, photo_files
from modiste.imaging.preprocess import to_photo

ASSETS = Path(__file__).parents[1] / "assets"


def test_a_photo_is_decoded_the_right_way_up() -> None:
    """As it was drawn, but for its compression; a turned one is turned."""
    upright, turned = (to_photo(ASSETS / f"photo-{orientation}.heic") for orientation in (1, 6))
    drawn = np.asarray(clothes(60, 40).resize((160, 240), 0)).astype(int)
    assert upright.shape == (240, 160, 3)
    assert np.abs(upright.astype(int) - drawn).mean() < 6
    assert turned.shape == (160, 240, 3)
    assert np.abs(np.rot90(turned, 1).astype(int) - drawn).mean() < 6


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such files count as unreadable then (fault 10)."""
    monkeypatch.setattr(file_format, "is_heic_supported", lambda: False)
    with pytest.raises(UnsupportedPhoto, match=r"photo-1.heic is HEIC.*modiste\[heic\]"):
        to_photo(ASSETS / "photo-1.heic")
    assert photo_files.is_readable_photo(str(ASSETS / "photo-1.heic")) is False


def test_with_the_extra_it_is_a_photo_of_a_folder() -> None:
    """Beside the JPEGs."""
    assert photo_files.find_photos(ASSETS).readable == [str(ASSETS / "photo-1.heic"), str(ASSETS / "photo-6.heic")]


@pytest.mark.parametrize("sixteenth", range(1, 16, 2))
def test_a_truncated_photo_is_an_error(sixteenth: int) -> None:
    """Wherever it is cut (fault 02)."""
    content = (ASSETS / "photo-1.heic").read_bytes()
    with pytest.raises(InputError):
        to_photo(content[: len(content) * sixteenth // 16])


@pytest.mark.parametrize("code", ["import os; os.abort()", "while True: pass", "print('x')", "bytearray(1 << 40)"])
def test_a_decoder_that_fails_does_not_affect_this_process(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It crashes, hangs, writes something else or takes all memory: one sentence (fault 10)."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}"\n')
    script.chmod(0o755)
    monkeypatch.setattr(heic, "TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(InputError, match=r"truncated or damaged|longer than 1 seconds"):
        to_photo(ASSETS / "photo-1.heic")


def test_code_in_the_working_directory_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of photos may hold whatever calls itself the decoder."""
    (tmp_path / "pi_heif.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    to_photo(ASSETS / "photo-1.heic")
    assert [path.name for path in tmp_path.iterdir()] == ["pi_heif.py"]


def test_the_memory_of_the_decoder_is_limited() -> None:
    """Asking for more ends it."""
    code = (
        "from modiste.imaging import heic_decoder as child\n"
        "child.pi_heif.open_heif = lambda *_, **__: bytearray(2 * 10**9)\n"
        "child.main()"
    )
    done = subprocess.run([sys.executable, "-c", code, str(10**9)], input=b"", capture_output=True, check=False)
    assert b"MemoryError" in done.stderr
