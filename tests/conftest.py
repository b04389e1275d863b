"""A tiny dataset and a server that tests share."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.idx import write_idx_folder
from helpers.service import Service, serving

# set before PyTorch is imported, also in subprocesses: on a busy machine, waiting threads spin
os.environ.setdefault("OMP_NUM_THREADS", "1")

# a background job of a shell ignores SIGINT, one of nohup SIGHUP, and so would the processes that tests start
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def idx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An IDX folder of 200 training and 40 test images that a network learns at once."""
    return write_idx_folder(tmp_path_factory.mktemp("data") / "idx", train=200, test=40)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Rich take any output for a wide terminal without colors."""
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """A running `modiste serve` with the bundled models; it must exit with code 0."""
    with serving() as running:
        yield running
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
