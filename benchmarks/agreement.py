"""Compare what the command, the API and the page show for the same photos, with real processes and a real browser."""

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from user_latency import serve

MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

Shown = tuple[str, str]
"""The predicted label, and the highest probability in percent with one decimal, as the page shows it."""


def compare_interfaces(photos: list[Path], *options: str) -> dict[str, Any]:
    """Predict each photo by command, API and page, and return the fraction for which all three show the same.

    Args:
        photos: files in a format that the page accepts.
        options: for `modiste predict` and `modiste serve`, such as `--model`.
    """
    by_command = list(predict_by_command(photos, *options))
    with serve(*options) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("#models li")
        by_server = [(predict_by_api(url, photo), predict_by_page(page, photo)) for photo in photos]
        browser.close()
    same = [command == api == shown for command, (api, shown) in zip(by_command, by_server, strict=True)]
    different = [str(photo) for photo, is_same in zip(photos, same, strict=True) if not is_same]
    return {"photos": len(photos), "same": sum(same) / len(same), "different": different}


def predict_by_command(photos: list[Path], *options: str) -> Iterator[Shown]:
    """Yield what `modiste predict --json` prints for each photo."""
    command = [sys.executable, "-m", "modiste", "predict", *options, "--json", *map(str, photos)]
    for record in json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout):
        yield as_shown(record)


def predict_by_api(url: str, photo: Path) -> Shown:
    """Return the response of `POST /predict`."""
    headers = {"Content-Type": MEDIA_TYPES[photo.suffix.lower()]}
    request = urllib.request.Request(f"{url}predict", photo.read_bytes(), headers)  # noqa: S310 - our own service
    with urllib.request.urlopen(request) as response:  # noqa: S310
        return as_shown(json.load(response))


def predict_by_page(page: Page, photo: Path) -> Shown:
    """Return what the page shows after the photo was chosen."""
    page.locator("#probabilities").evaluate("list => list.replaceChildren()")  # removes those of the previous photo
    page.set_input_files("#file-input", photo)
    page.wait_for_selector("#probabilities li")
    first = page.locator("#probabilities li:not(.group)").first  # a group is the sum of the close kinds below it
    percent = re.search(r"([\d.]+)\s*%", first.inner_text())
    is_group = page.locator("#probabilities .group").count() > 0
    label = (first.locator("span").first if is_group else page.locator("#status")).inner_text()
    return label, percent.group(1) if percent else ""


def as_shown(record: dict[str, Any]) -> Shown:
    """Format a prediction record; the highest probability belongs to another label when the model abstains."""
    return record["label"], f"{100 * record['top'][0]['probability']:.1f}"
