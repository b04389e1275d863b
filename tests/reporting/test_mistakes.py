"""mistakes.csv and mistakes.html: what is wrong, in which files, and how labels are corrected."""

import csv
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.models import tiny_model
from helpers.photos import fill
from helpers.runs import write_run
from modiste.data import sources
from modiste.data.split import Split
from modiste.imaging.thumbnails import thumbnail_url
from modiste.recipes import named, settings
from modiste.reporting import mistakes
from modiste.reporting.evaluate import evaluate
from modiste.runs import files
from modiste.runs.folder import Run

NAMES = ["coat", "<b>hat</b>"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run on ten photos, of which a model of brightness gets three wrong: one of bright and two of dark."""
    for part in ("train", "test"):
        for name, shades in (("dark", (0, 10, 20, 250, 200)), ("bright", (255, 250, 240, 230, 30))):
            fill(tmp_path / "data" / part / name, 5, lambda n, shades=shades: Image.new("L", (28, 28), shades[n]))
    recipe = settings.with_settings(named.sprint(), {"data.val_fraction": 0.2})
    run = write_run(tmp_path / "run", recipe, tmp_path / "data")
    run.model.write_bytes(tiny_model(("dark", "bright")))
    return run


def read(run: Run) -> list[dict[str, str]]:
    """The rows of mistakes.csv."""
    with run.mistakes_table.open(newline="") as file:
        return list(csv.DictReader(file))


def test_mistakes_are_listed_with_their_files(run: Run) -> None:
    """All of them, the most confident first."""
    scores = evaluate(run.path)
    rows = read(run)
    assert [row["file"] for row in rows] == ["test/dark/3.png", "test/bright/4.png", "test/dark/4.png"]
    assert {(row["true_label"], row["predicted_label"]) for row in rows} == {("dark", "bright"), ("bright", "dark")}
    probabilities = [float(row["probability"]) for row in rows]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(rows) == scores.n - round(scores.accuracy * scores.n) == 3


def test_images_without_files_are_named_by_their_index(tmp_path: Path) -> None:
    """In the split that they are stored in: a held-out image is one of train."""
    run = write_run(tmp_path / "run", blind=1)
    evaluate(run.path)
    assert [row["file"] for row in read(run)] == ["test#0", "test#10"]
    evaluate(run.path, "validation")
    table = files.read_text(run.path / "validation" / "mistakes.csv")
    names = [row["file"] for row in csv.DictReader(table.splitlines())]
    train = sources.open_source(run.recipe().data).part("train")
    assert names
    assert all(re.fullmatch(r"train#[0-9]+", name) and train.labels[int(name[6:])] == 0 for name in names)


def test_the_page_has_each_mistake_and_no_external_resource(run: Run) -> None:
    """With its image, its classes and its file."""
    evaluate(run.path)
    page = run.mistakes_page.read_text()
    assert page.count("<figure ") == page.count("data:image/png") == 3
    assert all(f'data-file="{row["file"]}"' in page for row in read(run))
    assert "dark as bright (2)" in page
    assert not re.search(r"https?://|src=\"(?!data:)|<link", page)


def test_names_are_escaped_in_the_page_and_quoted_in_the_table(tmp_path: Path) -> None:
    """A class or a file may be called anything, and is read as it was."""
    images = np.zeros((2, 8, 8), np.uint8)
    split = Split("test", images, np.array([1, 0]), names=('a,"b".png', "=<script>.png"))
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    found = mistakes.find_mistakes(split, probabilities, NAMES)
    rows = list(csv.reader(mistakes.to_csv(found).splitlines()))
    assert rows[1] == ['a,"b".png', "<b>hat</b>", "coat", "0.9000"]
    from helpers.scores import compute_scores

    page = mistakes.to_html("run", found, split, compute_scores(probabilities, split.labels, tuple(NAMES)))
    assert "<b>hat" not in page
    assert "<script>.png" not in page
    paths = tmp_path / "mistakes.html", tmp_path / "mistakes.csv"
    for path, text in zip(paths, (page, mistakes.to_csv(found)), strict=True):
        path.write_text(text)
    assert [mistake.file for mistake, _ in mistakes.read_shown(*paths, 2)] == list(split.names)


def test_without_mistakes_there_is_a_page(tmp_path: Path) -> None:
    """It says that there are none."""
    run = write_run(tmp_path / "run")
    evaluate(run.path)
    assert read(run) == []
    assert "0 of 20 test images are predicted wrongly" in run.mistakes_page.read_text()


def test_photos_are_embedded_small() -> None:
    """As JPEG of limited size; small images as they are."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    assert thumbnail_url(noise, 160).startswith("data:image/jpeg;base64,")
    assert len(thumbnail_url(noise, 160)) < 40_000
    assert thumbnail_url(noise[:28, :28, 0], 160).startswith("data:image/png;base64,")


def test_corrected_labels_of_held_out_images_are_used_by_the_same_run(run: Run) -> None:
    """The images are those that it held out, whatever their labels are now; the scores say what was corrected."""
    validation = sources.open_validation(run.recipe().data, run.recipe().seed)
    content = files.read_json(run.environment)
    content["data"]["validation"]["sha256"] = validation.sha256()
    content["data"]["validation_images_sha256"] = validation.images_sha256()
    files.write_json(run.environment, content)
    before = evaluate(run.path, "validation")
    assert validation.names
    name = validation.names[0]
    corrections = Path(run.recipe().data.source, "corrections.csv")
    corrections.write_text(f"file,label\n{name},{'bright' if '/dark/' in name else 'dark'}\n")
    after = evaluate(run.path, "validation")
    assert after.accuracy != before.accuracy
    assert "corrections.csv gives 1 of these images another label." in after.notes


def test_the_support_of_a_class_does_not_depend_on_the_predictions(run: Run) -> None:
    """It is the number of images with that label, for any model."""
    supports = []
    for names in (("dark", "bright"), ("bright", "dark")):
        run.model.write_bytes(tiny_model(names))
        supports.append({each.name: each.support for each in evaluate(run.path).per_class})
    labels = Counter(path.parent.name for path in Path(run.recipe().data.source, "test").glob("*/*.png"))
    assert supports == [labels, labels]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Debian's chromium")
def test_the_page_filters_and_saves_corrections(run: Run, tmp_path: Path) -> None:
    """A pair of classes hides the others; a corrected label is saved as corrections.csv, which training reads."""
    from playwright.sync_api import sync_playwright

    evaluate(run.path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(run.mistakes_page.as_uri())
        page.select_option("#filter", json.dumps(["bright", "dark"]))
        assert page.locator("figure:visible").get_attribute("data-file") == "test/bright/4.png"
        assert page.locator("#save").is_disabled()
        page.locator("figure:visible select").select_option("dark")
        with page.expect_download() as download:
            page.click("#save")
        download.value.save_as(tmp_path / "data" / download.value.suggested_filename)
        browser.close()
    assert (tmp_path / "data" / "corrections.csv").read_text() == "file,label\ntest/bright/4.png,dark\n"
    assert sources.open_test(run.recipe().data, lambda: None).n_corrected == 1
