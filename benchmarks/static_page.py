"""Compare the page of `modiste export --web`, in Chromium without a network, with `modiste predict`, and time it.

    python benchmarks/static_page.py PHOTOS...          # nothing else may be running

The model `photo` gets 1,000 of the photos below the folders, and `fashion-mnist` as many images of Fashion-MNIST that
are held out of training, as PNG. It writes results/static-page.json.
"""

import base64
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import timing
from playwright.sync_api import expect, sync_playwright

from modiste.data import sources
from modiste.imaging import png
from modiste.imaging.photo_files import find_photos
from modiste.inference import model_file
from modiste.recipes.config import DataConfig
from modiste.runs import environment, results

WARM_UP = 5
"""Photos that are predicted before the clock runs: WebAssembly is compiled in two tiers."""

PREDICT = """async (photo) => {
    window.predictor ??= await (await import("./predictor.js")).createPredictor();
    const blob = new Blob([Uint8Array.from(atob(photo), (character) => character.charCodeAt(0))]);
    const start = performance.now();
    const record = await window.predictor.predict(blob);
    return { ...record, milliseconds: performance.now() - start };
}"""

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder without a line for each request."""

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def open_page(folder: Path) -> Iterator[Any]:
    """Open the page, wait until it is saved for use without a connection, and stop its host."""
    handler = partial(QuietHandler, directory=str(folder))
    host = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=host.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{host.server_address[1]}/")
        expect(page.locator("#offline")).to_be_visible(timeout=120_000)
        host.shutdown()
        host.server_close()
        page.reload()
        yield page
        browser.close()


def compare(model: str, photos: list[Path]) -> dict[str, Any]:
    """Predict the photos by command and page; return how many labels are equal, and the time for each photo."""
    command = [sys.executable, "-m", "modiste", "predict", "--model", model, "--top=100", "--json", *map(str, photos)]
    expected = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        export = [sys.executable, "-m", "modiste", "export", model, "--web", str(site), "--json"]
        sizes = json.loads(subprocess.run(export, stdout=subprocess.PIPE, check=True).stdout)
        with open_page(site) as page:
            records = [page.evaluate(PREDICT, base64.b64encode(photo.read_bytes()).decode()) for photo in photos]
    milliseconds = [record["milliseconds"] for record in records[WARM_UP:]]
    pairs = list(zip(expected, records, strict=True))
    return {
        "recipe": model,
        "commit": environment.describe()["commit"],
        "n": len(photos),
        "same_label": sum(by_command["label"] == by_page["label"] for by_command, by_page in pairs),
        "different": [describe(*pair) for pair in pairs if pair[0]["label"] != pair[1]["label"]],
        "largest_difference": max(difference(*pair) for pair in pairs if pair[0]["label"]),
        "threshold": model_file.load(model).calibration.threshold,
        "median_milliseconds": statistics.median(milliseconds),
        "p95_milliseconds": statistics.quantiles(milliseconds, n=20)[-1],
        "other_megabytes": sizes["other_megabytes"],
    }


def difference(by_command: dict[str, Any], by_page: dict[str, Any]) -> float:
    """Return the largest difference of a probability."""
    other = {each["label"]: each["probability"] for each in by_page["top"]}
    return max(abs(float(each["probability"]) - float(other[each["label"]])) for each in by_command["top"])


def describe(by_command: dict[str, Any], by_page: dict[str, Any]) -> dict[str, Any]:
    """Return both predictions of a photo with the highest probabilities."""
    first = {key: by_command[key] for key in ("file", "label", "top")} | {"top": by_command["top"][:2]}
    return first | {"page": {"label": by_page["label"], "top": by_page["top"][:2]}}


def write_images(folder: Path, count: int) -> list[Path]:
    """Write held-out images of Fashion-MNIST as PNG, and return their paths."""
    images = sources.open_training(DataConfig(), seed=0).validation.images[:count]
    paths = [folder / f"{index:04}.png" for index in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(png.encode(image))
    return paths


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--limit", default=1000, show_default=True, help="Photos, drawn at random.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("results/static-page.json"), show_default=True)
def main(folders: tuple[Path, ...], limit: int, out: Path) -> None:
    """Compare the page with the command, for both bundled models, and write the results file."""
    photos = [Path(photo) for folder in folders for photo in find_photos(folder).readable]
    chosen = random.Random(0).sample(photos, min(limit, len(photos)))  # noqa: S311  not for security
    with tempfile.TemporaryDirectory() as folder:
        images = write_images(Path(folder), limit)
        runs = [compare("photo", chosen), compare("fashion-mnist", images)]
    results.write(out, recipe="static-page", command=timing.current_command(), runs=runs)
    for run in runs:
        click.echo(f"{run['recipe']}: {run['same_label']} of {run['n']} labels, {run['median_milliseconds']:.0f} ms")


if __name__ == "__main__":
    main()
