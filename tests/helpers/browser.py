"""Debian's Chromium with a fake camera."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs Debian's package chromium, which .ci/run installs")


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """Run the browser, with more command-line options."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, *options])
        yield browser
        browser.close()
