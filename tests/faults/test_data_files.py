"""Data files that unpack to far more than they hold (fault 32)."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers.memory import MEGABYTE, peak_growth
from modiste.data import idx, sources
from modiste.errors import InputError
from modiste.recipes.config import DataConfig


@pytest.mark.parametrize(("images", "reason"), [(1_300_000, "too many for its"), (60_000, "truncated")])
def test_fault_32_a_gzip_of_zeros_is_refused_before_it_is_unpacked(images: int, reason: str, tmp_path: Path) -> None:
    """A file of 100 KB that announces a gigabyte, and one that announces less than it holds but is cut."""
    content = gzip.compress(struct.pack(">IIII", 2051, images, 28, 28) + bytes(20 * MEGABYTE), 1)

    def refuse() -> None:
        with pytest.raises(InputError, match=reason):
            idx.read_images(tmp_path / "train-images-idx3-ubyte.gz", content)

    assert len(content) < 200_000
    assert peak_growth(refuse) < 60 * MEGABYTE


def test_fault_32_an_archive_of_zeros_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """400 MB of images in a file of 400 KB."""
    images = np.zeros((500_000, 28, 28), np.uint8)
    np.savez_compressed(tmp_path / "x.npz", x_train=images, y_train=np.arange(500_000) % 2)
    del images

    def refuse() -> None:
        with pytest.raises(InputError, match="too many for its"):
            sources.open_training(DataConfig(str(tmp_path / "x.npz"), val_fraction=0), seed=0)

    assert peak_growth(refuse) < 60 * MEGABYTE


def test_fault_32_a_parquet_file_that_repeats_one_value_is_refused(tmp_path: Path) -> None:
    """A dictionary repeats 900 KB of photo 800 times."""
    table = pa.table({"image": [b"\xff" * 900_000] * 100, "label": [0, 1] * 50})
    with pq.ParquetWriter(tmp_path / "train.parquet", table.schema, compression="zstd") as writer:
        for _ in range(8):
            writer.write_table(table)
    del table

    def refuse() -> None:
        with pytest.raises(InputError, match="too many for its"):
            sources.open_training(DataConfig(str(tmp_path), channels=3, val_fraction=0), seed=0).train.images  # noqa: B018

    assert (tmp_path / "train.parquet").stat().st_size < MEGABYTE
    assert peak_growth(refuse) < 300 * MEGABYTE
