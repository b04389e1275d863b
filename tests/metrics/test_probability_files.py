"""Files of probabilities from other tools."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from modiste.errors import InputError
from modiste.metrics import probability_files

NAMES = ("bag", "coat")
LABELS = np.array([0, 1])
GOOD = np.array([[0.75, 0.25], [0.5, 0.5]])


def test_an_npz_is_read(tmp_path: Path) -> None:
    """The array named probabilities, or an only one of any name."""
    for name in ("probabilities", "p"):
        np.savez(tmp_path / "a.npz", **{name: GOOD.astype(np.float32)})
        assert (probability_files.read_probabilities(tmp_path / "a.npz", NAMES, LABELS) == GOOD).all()


def test_a_csv_is_read_with_and_without_header(tmp_path: Path) -> None:
    """A header of label names orders the columns."""
    file = tmp_path / "a.csv"
    file.write_text("0.75,0.25\n0.5,0.5\n")
    assert (probability_files.read_probabilities(file, NAMES, LABELS) == GOOD).all()
    file.write_text("coat,bag\n0.25,0.75\n0.5,0.5\n")
    assert (probability_files.read_probabilities(file, NAMES, LABELS) == GOOD).all()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0.75,0.25\n", "shape"),
        ("0.75,0.25\n0.5,0.6\n", "sums to 1.1000"),
        ("0.75,0.25\n1.5,-0.5\n", "row 1"),
        ("0.75,0.25\nnan,0.5\n", "row 1"),
        ("0.75,0.25\nx,0.5\n", "holds no probabilities"),
        ("0.75,0.25\n1\n", "holds no probabilities"),
        ("hat,bag\n0.75,0.25\n0.5,0.5\n", "the labels are bag, coat"),
        ("", "shape"),
    ],
)
def test_what_is_no_distribution_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """Wrong shape, sums, signs, words and columns are each named."""
    file = tmp_path / "a.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=says):
        probability_files.read_probabilities(file, NAMES, LABELS)


def test_probabilities_of_another_split_are_refused(tmp_path: Path) -> None:
    """A file that brings labels must bring those of the split."""
    np.savez(tmp_path / "a.npz", probabilities=GOOD, labels=[1, 1])
    with pytest.raises(InputError, match="other images"):
        probability_files.read_probabilities(tmp_path / "a.npz", NAMES, LABELS)


def test_a_damaged_or_missing_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback for a file that is no .npz, holds objects or is not there."""
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no zip")
    np.savez(tmp_path / "objects.npz", probabilities=np.array([{}]))
    np.savez_compressed(tmp_path / "good.npz", probabilities=np.random.default_rng(0).random((50, 10)))
    good = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "changed.npz").write_bytes(good[:200] + bytes(100) + good[300:])
    monkeypatch.setattr(probability_files, "LARGEST", 10_000)
    np.savez_compressed(tmp_path / "bomb.npz", probabilities=np.zeros(10_001, np.int8))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**13, 10)})
    with zipfile.ZipFile(tmp_path / "vast.npz", "w") as archive:
        archive.writestr("probabilities.npy", header.getvalue())
    for name in ("bad.npz", "objects.npz", "changed.npz", "bomb.npz", "vast.npz", "none.npz", "none.csv"):
        with pytest.raises(InputError, match="holds no probabilities"):
            probability_files.read_probabilities(tmp_path / name, NAMES, LABELS)
