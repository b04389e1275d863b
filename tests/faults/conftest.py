"""A real server in its own process, shared by all tests that do not change its state."""

import signal
from collections.abc import Iterator

import pytest

from helpers.service import Service, serving


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """A running `modiste serve` with the bundled models; it must exit with code 0."""
    with serving() as running:
        yield running
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
