"""A tiny data set that the tests of training share."""

import os
import signal
from pathlib import Path

import pytest

from helpers.idx import write_idx_folder

# before torch is imported, here or in a process of a test: on a busy machine, threads that wait for one another spin
os.environ.setdefault("OMP_NUM_THREADS", "1")

# a background job of a shell ignores Ctrl-C, and the processes that a test starts and stops would with it
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def idx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An IDX folder of 200 training and 40 test images that a network learns at once."""
    return write_idx_folder(tmp_path_factory.mktemp("data") / "idx", train=200, test=40)
