"""A tiny data set that the tests of training share."""

from pathlib import Path

import pytest

from helpers.idx import write_idx_folder


@pytest.fixture(scope="session")
def idx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An IDX folder of 200 training and 40 test images that a network learns at once."""
    return write_idx_folder(tmp_path_factory.mktemp("data") / "idx", train=200, test=40)
