"""Data files that unpack to far more than they hold (fault 32)."""

import gzip
import struct
from pathlib import Path

import pytest

from helpers.memory import MEGABYTE, peak_growth
from modiste.data import idx
from modiste.errors import InputError


@pytest.mark.parametrize(("images", "reason"), [(1_300_000, "too many for its"), (60_000, "truncated")])
def test_fault_32_a_gzip_of_zeros_is_refused_before_it_is_unpacked(images: int, reason: str, tmp_path: Path) -> None:
    """A file of 100 KB that announces a gigabyte, and one that announces less than it holds but is cut."""
    content = gzip.compress(struct.pack(">IIII", 2051, images, 28, 28) + bytes(20 * MEGABYTE), 1)

    def refuse() -> None:
        with pytest.raises(InputError, match=reason):
            idx.read_images(tmp_path / "train-images-idx3-ubyte.gz", content)

    assert len(content) < 200_000
    assert peak_growth(refuse) < 60 * MEGABYTE
