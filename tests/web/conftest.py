"""A real server in a process of its own, for all tests that leave it as it was."""

import signal
from collections.abc import Iterator

import pytest

from helpers.service import Service, serving


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """A running `modiste serve` with the bundled model; it has to end well."""
    with serving() as running:
        yield running
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
