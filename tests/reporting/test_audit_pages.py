"""The gallery and the page for verdicts, as files and in a real browser."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from modiste.experiments.verdicts import VERDICTS, read_verdicts
from modiste.reporting.audit_pages import pages
from modiste.reporting.audit_pages.pages import DuplicateCard, SuspectCard, VerdictCard

CHROMIUM = shutil.which("chromium")
URL = pages.image_url(np.zeros((28, 28), np.uint8))
SCORE = {"n": 10, "accuracy": 0.9, "interval_images": (0.6, 0.98), "is_interval_approximate": True}
SUMMARY = {
    "splits": [{"split": "train", "images": 1000, "suspects": 2, "label_issues": 1}],
    "duplicates": [{"splits": ["train", "test"], "pairs": 1, "different_labels": 1}],
    "accuracies": [{"method": "sprint", "split": "test", "all": SCORE, "without_suspects": SCORE}
                   | {"without_duplicates": SCORE, "without_both": None}],
}  # fmt: skip


def test_the_gallery_shows_suspects_and_pairs(tmp_path: Path) -> None:
    """Given and suggested label, both images of a pair, accuracies with intervals; names are escaped."""
    suspect = SuspectCard(URL, "a/<i>.png", "Coat", 0.012, "Dress", 0.95)
    pair = DuplicateCard((URL, URL), ("one.png", "two.png"), ("Bag", "Shirt"), 0.987, flipped=True)
    pages.write_gallery(tmp_path / "index.html", SUMMARY, {"train": [suspect], "test": []}, [pair])
    html = (tmp_path / "index.html").read_text()
    for text in (
        "a/&lt;i&gt;.png", "<b>Coat</b> 1.2%", "<b>Dress</b> 95.0%", "Every label is the most probable one.", "two.png",
        "similarity 0.987, mirrored", "90.00% (60.00 to 98.00) (approximate), n = 10", "1,000", "train and test",
        "Of these, label issues", "Without label issues",
    ):  # fmt: skip
        assert text in html
    assert "Without suspects" not in html
    assert 'src="http' not in html
    assert 'href="http' not in html


def test_a_gallery_may_be_empty(tmp_path: Path) -> None:
    """Without near-duplicates it says so."""
    pages.write_gallery(tmp_path / "index.html", SUMMARY | {"duplicates": []}, {"train": []}, [])
    assert "There are none." in (tmp_path / "index.html").read_text()


def test_a_name_cannot_end_the_script(tmp_path: Path) -> None:
    """The list of names is data, whatever it holds."""
    card = VerdictCard(URL, "</script><b>.png", "Coat")
    pages.write_verdict_page(tmp_path / "v.html", "test", [card], VERDICTS)
    html = (tmp_path / "v.html").read_text()
    assert "</script><b>" not in html
    names = html.partition('id="names">')[2].partition("</script>")[0]
    assert json.loads(names) == [card.name]


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="needs Debian's package chromium, which .ci/run installs")
def test_verdicts_are_saved_by_the_page(tmp_path: Path) -> None:
    """By keys and buttons, with a correction; not before every image has a verdict and both fields are filled in."""
    cards = [VerdictCard(URL, f"test#{index}", "Coat") for index in range(3)]
    pages.write_verdict_page(tmp_path / "v.html", "test", cards, VERDICTS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(accept_downloads=True)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto((tmp_path / "v.html").as_uri())
        page.keyboard.press("1")
        page.get_by_role("button", name="unsure").click()
        page.get_by_role("button", name="save").click()
        assert "1 images have no verdict yet" in page.inner_text("#message")
        page.keyboard.press("1")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("2")  # instead of unsure
        page.get_by_role("button", name="save").click()
        assert "Fill in both fields first" in page.inner_text("#message")
        page.reload()  # the verdicts stay
        page.fill("#annotator", "Ada 1")
        page.fill("#method", "by eye")
        with page.expect_download() as download:
            page.get_by_role("button", name="save").click()
        download.value.save_as(tmp_path / "verdicts.json")
        browser.close()
    verdicts = read_verdicts(tmp_path / "verdicts.json")
    assert verdicts.by_image == {"test#0": "right", "test#1": "wrong", "test#2": "right"}
    assert (verdicts.annotators, verdicts.method) == ("Ada 1", "by eye")
    assert problems == []
