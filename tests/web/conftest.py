"""A browser, shared by the tests of a file."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from helpers.browser import open_browser


@pytest.fixture(scope="module")  # while it is open, no other test of this process can use asyncio
def browser() -> Iterator[Browser]:
    """One browser, with a fake camera."""
    with open_browser() as chromium:
        yield chromium
