"""Valid and damaged IDX files."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest

from helpers.idx import images_file, labels_file
from helpers.memory import MEGABYTE, peak_growth
from modiste.data import idx
from modiste.errors import InputError

FILE = Path("some-idx-file.gz")
IMAGES = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4)


def test_plain_and_gzipped_files_are_read() -> None:
    """Images and labels are read as they were written."""
    for packed in (bytes, gzip.compress):
        assert (idx.read_images(FILE, packed(images_file(IMAGES))) == IMAGES).all()
        labels = idx.read_labels(FILE, packed(labels_file(np.array([1, 9, 0]))))
        assert labels.tolist() == [1, 9, 0]
        assert labels.dtype == np.int64


BROKEN = {
    "empty": (b"", "truncated"),
    "half a header": (images_file(IMAGES)[:9], "truncated"),
    "truncated": (images_file(IMAGES)[:-1], "truncated"),
    "truncated gzip": (gzip.compress(images_file(IMAGES))[:-9], "truncated"),
    "gzip without its sum": (gzip.compress(images_file(IMAGES))[:-4], "truncated"),
    "too long": (images_file(IMAGES) + b"\0", "longer"),
    "two gzip members": (gzip.compress(images_file(IMAGES)) * 2, "longer"),
    "labels for images": (labels_file(np.zeros(99)), "2049"),
    "another magic": (images_file(IMAGES, magic=7), "starts with 7"),
    "a wrong sum": (gzip.compress(images_file(IMAGES))[:-8] + b"\0" * 8, "damaged"),
    "gzip of garbage": (b"\x1f\x8b" + b"\xff" * 50, "damaged"),
    "absurd sizes": (b"\0\0\x08\x03" + b"\xff" * 12, "more than 1 GiB"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_fault_30_a_damaged_file_is_refused(name: str) -> None:
    """The error has its name, the reason and the next step (fault 30)."""
    content, fault = BROKEN[name]
    with pytest.raises(InputError, match=rf"some-idx-file.gz .*{fault}.*(again|Correct)"):
        idx.read_images(FILE, content)


def test_fault_30_a_gzip_bomb_is_not_unpacked() -> None:
    """A small file that unpacks to 200 MB is refused once the size in its header is exceeded (fault 30)."""
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(images_file(IMAGES)) + b"".join(packer.compress(bytes(2**20)) for _ in range(200))
    bomb += packer.flush()

    def refuse() -> None:
        with pytest.raises(InputError, match="longer than its header says"):
            idx.read_images(FILE, bomb)

    assert peak_growth(refuse) < 5 * MEGABYTE


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The error has its path and the next step."""
    with pytest.raises(InputError, match=r"nowhere.gz is missing.*--data"):
        idx.read_bytes(tmp_path / "nowhere.gz")
