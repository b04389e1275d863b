"""The service for other devices in the local network, without a proxy."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from helpers.browser import needs_chromium, open_browser
from helpers.certificates import self_signed
from helpers.service import Service, serving

NAME = "laptop.example"
"""Other than localhost, so that the browser trusts it no more than another device would."""


def open_page(page: Page, service: Service) -> None:
    """Open the page of a service under the name."""
    parts = urlsplit(service.url)
    page.goto(f"{parts.scheme}://{NAME}:{parts.port}/")
    expect(page.locator("#samples button").first).to_be_visible()


@pytest.mark.slow
@needs_chromium
def test_another_device_gets_the_page_and_over_https_the_camera(tmp_path: Path) -> None:
    """Over HTTP the browser gives no camera to a page of another machine."""
    cert, key = self_signed(tmp_path, f"DNS:{NAME}")
    with (
        serving("--host=0.0.0.0", f"--allow-host={NAME}", f"--tls-cert={cert}", f"--tls-key={key}") as encrypted,
        serving("--host=0.0.0.0", f"--allow-host={NAME}") as plain,
        open_browser(f"--host-resolver-rules=MAP {NAME} 127.0.0.1") as browser,
    ):
        page = browser.new_context(ignore_https_errors=True, locale="en-US").new_page()
        open_page(page, plain)
        assert page.evaluate("navigator.mediaDevices === undefined")
        open_page(page, encrypted)
        page.click("#camera-button")
        expect(page.locator("#video")).to_be_visible()
        expect(page.locator("#frame-rate")).to_contain_text("frames per second")
