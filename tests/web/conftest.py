"""A real server in its own process, and a browser, shared by all tests that do not change their state."""

import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from helpers.browser import open_browser
from helpers.service import Service, serving


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """A running `modiste serve` with the bundled models; it must exit with code 0."""
    with serving() as running:
        yield running
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser, with a fake camera."""
    with open_browser() as chromium:
        yield chromium
