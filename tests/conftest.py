"""A tiny dataset that tests share."""

import os
import signal
from pathlib import Path

import pytest

from helpers.idx import write_idx_folder

# set before PyTorch is imported, also in subprocesses: on a busy machine, waiting threads spin
os.environ.setdefault("OMP_NUM_THREADS", "1")

# a background job of a shell ignores SIGINT, and so would the processes that tests start
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def idx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An IDX folder of 200 training and 40 test images that a network learns at once."""
    return write_idx_folder(tmp_path_factory.mktemp("data") / "idx", train=200, test=40)
