"""The table of several photos in the page, in a real browser."""

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from helpers.browser import needs_chromium, payload
from helpers.photos import saved
from helpers.service import SAMPLES
from modiste.inference import prediction_csv
from modiste.inference.prediction import Prediction

pytestmark = needs_chromium

NAMES = ("dress", "bag", "trouser")
"""Of samples."""


def test_several_photos_are_rows_of_a_table(page: Page) -> None:
    """Each has a thumbnail, its name, its class and the probability, and the reason where it cannot be used."""
    page.set_input_files("#file-input", [*map(payload, NAMES), payload("broken", b"<html>")])
    expect(page.locator("#progress")).to_have_text("4 photos, 1 of which could not be used")
    rows = page.locator("#rows tr")
    expect(rows.locator("img")).to_have_count(3)
    assert [row.locator("td").nth(1).inner_text() for row in rows.all()][:3] == ["Dress", "Bag", "Trouser"]
    expect(rows.nth(3).locator(".error")).to_contain_text("JPEG, PNG or WebP")
    page.click("#photos thead button:text('File')")
    assert column(page, "th") == ["bag.png", "broken.png", "dress.png", "trouser.png"]
    page.click("#photos thead button:text('Probability')")
    values = [float(value.rstrip("%")) for value in column(page, "td:last-child")[:3]]
    assert values == sorted(values, reverse=True)
    expect(page.locator("#photos thead th").nth(2)).to_have_attribute("aria-sort", "descending")
    rows.locator("th button", has_text="bag.png").click()
    expect(page.locator("#status")).to_have_text("Bag")
    page.click("#remove-button")
    expect(page.locator("#photos")).to_be_hidden()


def test_photos_can_be_added_right_after_all_were_removed(page: Page) -> None:
    """While requests for the former ones still run."""
    page.set_input_files("#file-input", [payload(name) for name in NAMES * 3])
    page.click("#remove-button")
    page.set_input_files("#file-input", list(map(payload, NAMES)))
    expect(page.locator("#progress")).to_have_text("3 photos predicted")
    expect(page.locator("#rows tr")).to_have_count(3)


def column(page: Page, cell: str) -> list[str]:
    """The texts of a column of the table."""
    return [row.locator(cell).inner_text() for row in page.locator("#rows tr").all()]


@pytest.mark.slow
def test_a_busy_service_is_asked_again(page: Page) -> None:
    """After the seconds of Retry-After; no photo of the table is lost."""
    responses = [503, 503, 502]

    def respond(route: Route) -> None:
        if not responses:
            return route.continue_()
        return route.fulfill(status=responses.pop(), json={"error": "Full."}, headers={"Retry-After": "1"})

    page.route("**/predict?*", respond)
    page.set_input_files("#file-input", [SAMPLES / f"{name}.png" for name in NAMES])
    expect(page.locator("#progress")).to_have_text("3 photos predicted")
    assert not responses


def test_photos_that_the_service_did_not_answer_can_be_tried_again(page: Page) -> None:
    """With one button, which is there for them alone: a broken photo stays as it is."""
    page.route("**/predict?*", lambda route: route.fulfill(status=408, json={"error": "Slow."}))
    page.set_input_files("#file-input", [payload("dress"), payload("bag")])
    expect(page.locator("#progress")).to_have_text("2 photos, 2 of which could not be used")
    page.unroute("**/predict?*")
    page.set_input_files("#file-input", [payload("trouser"), payload("broken", b"<html>")])
    expect(page.locator("#progress")).to_have_text("4 photos, 3 of which could not be used")
    page.click("#retry-button")
    expect(page.locator("#progress")).to_have_text("4 photos, 1 of which could not be used")
    assert column(page, "td:nth-child(3)")[:3] == ["Dress", "Bag", "Trouser"]
    expect(page.locator("#retry-button")).to_be_hidden()


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 360, 1200])
def test_the_table_fits_a_phone(page: Page, width: int) -> None:
    """No heading breaks within a word, and a long name takes three lines at most."""
    page.set_viewport_size({"width": width, "height": 800})
    name = "IMG_20260412_143355_HDR_portrait_of_the_blue_coat_in_the_hall_copy"
    page.set_input_files("#file-input", [payload(name, (SAMPLES / "dress.png").read_bytes()), payload("bag")])
    expect(page.locator("#progress")).to_have_text("2 photos predicted")
    page.click("#photos thead button:text('Probability')")
    for heading in page.locator("#photos thead th").all():
        assert heading.locator("button").evaluate("button => button.offsetHeight") < 40
        assert heading.evaluate("cell => cell.scrollWidth <= cell.clientWidth")
    height = page.locator("#rows th button").first.evaluate("button => button.offsetHeight")
    assert height < 100
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_memory_stays_flat_over_hundreds_of_photos(page: Page, tmp_path: Path) -> None:
    """200 photos at once, twice: nothing of the first ones is left after the second ones."""
    with Image.open(SAMPLES / "ankle-boot.png") as boot:
        content = saved(boot.resize((400, 400)))
    files = [tmp_path / f"{number}.png" for number in range(200)]
    for file in files:
        file.write_bytes(content)
    sizes = []
    for _ in range(2):
        page.set_input_files("#file-input", files)
        expect(page.locator("#progress")).to_have_text("200 photos predicted", timeout=300_000)
        expect(page.locator("#rows img")).to_have_count(200)
        page.click("#remove-button")
        sizes.append(heap_size(page))
    assert sizes[1] < sizes[0] + 2 * 2**20


def heap_size(page: Page) -> int:
    """Bytes of JavaScript that are in use."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return int(session.send("Runtime.getHeapUsage")["usedSize"])


def test_the_csv_of_the_page_equals_that_of_the_command(page: Page) -> None:
    """Of the same records, with names that look like formulas; the download begins with a byte order mark."""
    names = ("=1+1.png", "'=x.png", "-1.png", 'a "b", c.png', "käse.png", 'a\n"\x9bä\u202e', '"a.png')
    records = [Prediction(name, "Bag", 0.5, (("Bag", 0.5), ("Dress", 0.25)), "m").as_dict() for name in names]
    records.append(Prediction("x.png", None, None, (), "m", "@ error").as_dict())
    script = "async (records) => (await import('/csv.js')).toCsv(records, 3)"
    expected = prediction_csv.format_header(3) + "".join(prediction_csv.format_row(record, 3) for record in records)
    assert page.evaluate(script, records) == expected
    page.set_input_files("#file-input", list(map(payload, NAMES)))
    expect(page.locator("#csv-button")).to_be_enabled()
    with page.expect_download() as download:
        page.click("#csv-button")
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0] == prediction_csv.BOM + prediction_csv.format_header(3).strip()
    assert [line.split(",")[:2] for line in lines[1:]] == [[f"{name}.png", name.capitalize()] for name in NAMES]
