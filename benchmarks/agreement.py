"""Whether the command, the API and the page say the same of the same pictures: real processes, a real browser."""

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
from waiting import serving

KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

Said = tuple[str, str]
"""A label, and the percentage of the most probable one with the one decimal that a person is shown."""


def agreement(pictures: list[Path], *options: str) -> dict[str, Any]:
    """Show every picture to all three; count those of which all say the same label with the same percentage.

    Args:
        pictures: files of any format that the page takes.
        options: of `modiste predict` and `modiste serve` alike, as `--model`.
    """
    printed = list(by_command(pictures, *options))
    with serving(*options) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("#samples button")
        others = [(by_api(url, picture), by_page(page, picture)) for picture in pictures]
        browser.close()
    same = [one == two == three for one, (two, three) in zip(printed, others, strict=True)]
    different = [str(picture) for picture, agreed in zip(pictures, same, strict=True) if not agreed]
    return {"pictures": len(pictures), "same": sum(same) / len(same), "different": different}


def by_command(pictures: list[Path], *options: str) -> Iterator[Said]:
    """What `modiste predict --json` says of each."""
    command = [sys.executable, "-m", "modiste", "predict", *options, "--json", *map(str, pictures)]
    for record in json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout):
        yield said(record)


def by_api(url: str, picture: Path) -> Said:
    """What `POST /predict` says."""
    kind = {"Content-Type": KINDS[picture.suffix.lower()]}
    request = urllib.request.Request(f"{url}predict", picture.read_bytes(), kind)  # noqa: S310 - our own service
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        record = json.load(answer)
    return said(record)


def by_page(page: Page, picture: Path) -> Said:
    """What the page shows a person who chose the picture."""
    page.locator("#bars").evaluate("bars => bars.replaceChildren()")  # so that the next ones are this picture's
    page.set_input_files("#file", picture)
    page.wait_for_selector("#bars li")
    shown = re.search(r"([\d.]+)\s*%", page.locator("#bars li").first.inner_text())
    return page.locator("#said").inner_text(), shown.group(1) if shown else ""


def said(record: dict[str, Any]) -> Said:
    """The label of a record, and the share of the most probable one, which is not it when the model is unsure."""
    return record["label"], f"{100 * record['top'][0]['probability']:.1f}"
