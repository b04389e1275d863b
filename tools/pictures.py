"""Draw the screenshots in `docs/`, or check that they are up to date.

    python tools/pictures.py              draw all of them
    python tools/pictures.py page         draw docs/page.png alone
    python tools/pictures.py --check      exit with 1 if one of them shows something else than the program does now

A screenshot differs from machine to machine by its fonts. Therefore the text that it shows is written to a file beside
it, docs/page.txt for docs/page.png, and the check compares this text. Numbers may differ by `TOLERANCE`: the last digit
of a probability depends on the CPU. It needs Playwright and Debian's package chromium.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SAMPLE = ROOT / "src" / "modiste" / "assets" / "samples" / "coat.jpg"
RUNS = [ROOT / "results" / "runs" / name / "seed-0" for name in ("classic-cnn", "classic-resnet18")]

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--font-render-hinting=none"]
SIZE = "last => [innerWidth, document.querySelector(last).getBoundingClientRect().bottom + scrollY]"
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
TOLERANCE = 0.15


class Screenshot(NamedTuple):
    """A PNG file and the text that it shows, one line per line on the page."""

    png: bytes
    text: str


def draw_page(browser: Browser) -> Screenshot:
    """Start the server, open its page, give it the sample photo and wait for the prediction and the heat map."""
    with serve() as url, open_page(browser, url, 1280) as page:
        page.set_input_files("#file-input", SAMPLE)
        expect(page.locator("#heatmap")).to_be_visible(timeout=60_000)
        expect(page.locator("#samples img")).to_have_count(9)
        return take_screenshot(page, ["body"])


def draw_report(browser: Browser) -> Screenshot:
    """Write the report of two published runs and show it from its title to the end of the section on the data."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.html"
        command = [sys.executable, "-m", "modiste", "report", *map(str, RUNS), f"--out={out}"]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  our own command
        with open_page(browser, out.as_uri(), 1000) as page:
            return take_screenshot(page, ["header", "#introduction", "#data"])


PICTURES: dict[str, Callable[[Browser], Screenshot]] = {"page": draw_page, "report": draw_report}


@contextmanager
def serve() -> Iterator[str]:
    """Run `modiste serve` on a free port; yields its URL."""
    command = [sys.executable, "-m", "modiste", "serve", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  our own command
        try:
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


@contextmanager
def open_browser(chromium: str) -> Iterator[Browser]:
    """Start the system's Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Browser, url: str, width: int) -> Iterator[Page]:
    """Open a page in English, in light colors and without animations, in a window of this width in pixels."""
    options = {"locale": "en-US", "timezone_id": "UTC", "color_scheme": "light", "reduced_motion": "reduce"}
    with browser.new_context(viewport={"width": width, "height": 800}, **options) as context:
        page = context.new_page()
        page.goto(url)
        yield page


def take_screenshot(page: Page, selectors: list[str]) -> Screenshot:
    """Take a screenshot from the top of the page to the end of the last selected element, with the text of all."""
    page.evaluate("Promise.all([...document.images].filter((image) => image.src).map((image) => image.decode()))")
    width, height = page.evaluate(SIZE, selectors[-1])
    clip = {"x": 0, "y": 0, "width": width, "height": height}
    png = page.screenshot(full_page=True, animations="disabled", clip=clip)
    lines = "\n".join(page.locator(selector).inner_text() for selector in selectors).splitlines()
    return Screenshot(png, "".join(f"{' '.join(line.split())}\n" for line in lines if line.strip()))


def is_same(text: str, other: str) -> bool:
    """Return whether two texts have the same words, and numbers that differ by at most `TOLERANCE`."""
    if NUMBER.sub("0", text) != NUMBER.sub("0", other):
        return False
    pairs = zip(NUMBER.findall(text), NUMBER.findall(other), strict=True)
    return all(abs(float(a.replace(",", "")) - float(b.replace(",", ""))) <= TOLERANCE for a, b in pairs)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(PICTURES)))
@click.option("--check", is_flag=True, help="Compare the texts and write nothing.")
def main(names: tuple[str, ...], check: bool) -> None:
    """Draw the screenshots in docs/, or check that they are up to date."""
    chromium = shutil.which("chromium")
    if not chromium and check:
        click.echo("chromium is not installed: the screenshots are not checked")
        return
    if not chromium:
        raise click.ClickException("chromium is not installed. Install Debian's package chromium.")
    stale = []
    with open_browser(chromium) as browser:
        for name in names or PICTURES:
            screenshot = PICTURES[name](browser)
            path = DOCS / f"{name}.txt"
            if not check:
                path.with_suffix(".png").write_bytes(screenshot.png)
                path.write_text(screenshot.text, encoding="utf-8")
            elif not path.exists() or not is_same(path.read_text(encoding="utf-8"), screenshot.text):
                stale.append(f"docs/{name}.png")
    if stale:
        raise click.ClickException(f"{' and '.join(stale)} out of date. Run 'python tools/pictures.py'.")


if __name__ == "__main__":
    main()
