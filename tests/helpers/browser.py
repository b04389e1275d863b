"""Debian's Chromium, for the tests of pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright

from helpers.service import SAMPLES

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

expect.set_options(timeout=30_000)  # milliseconds: the machine may be busy


@contextmanager
def open_browser(*options: str) -> Iterator[Browser]:
    """Start a browser with a fake camera, with more command-line options."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, *options])
        yield chromium
        chromium.close()


def payload(name: str, content: bytes | None = None) -> FilePayload:
    """A sample as a chosen file, or other content."""
    buffer = (SAMPLES / f"{name}.png").read_bytes() if content is None else content
    return {"name": f"{name}.png", "mimeType": "image/png", "buffer": buffer}


def collect_problems(tab: Page, url: str) -> list[str]:
    """Return a list that gets warnings and errors of a page, and the URLs that it requests from other hosts."""
    problems: list[str] = []
    own = (url, "blob:", "data:")
    tab.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("request", lambda request: None if request.url.startswith(own) else problems.append(request.url))
    return problems
