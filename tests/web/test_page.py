"""The page in a real browser: every way in, an error, both languages, keyboard and camera."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from helpers.service import SAMPLES, Service

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

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Debian's package chromium, which .ci/run installs")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser, with a camera that shows a test picture."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield opened
        opened.close()


@pytest.fixture(params=["en-US"])
def page(browser: Browser, service: Service, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, opened in a language; nothing may be wrong in its console, and nothing may come from elsewhere."""
    context = browser.new_context(locale=request.param)
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda asked: wrong.append(asked.url) if is_foreign(asked.url, service) else None)
    opened.goto(service.url)
    expect(opened.locator("#samples button")).to_have_count(9)
    yield opened
    context.close()
    assert [text for text in wrong if "415" not in text] == []


def is_foreign(url: str, service: Service) -> bool:
    """Whether something is loaded from another place than the service."""
    return not url.startswith((service.url, "blob:", "data:"))


def give(page: Page, event: str, kind: str, transfer: str, picture: Path) -> None:
    """Drop or paste a file, as a browser tells it to the page."""
    page.evaluate(
        """([event, kind, transfer, bytes]) => {
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array(bytes)], "x.png", { type: "image/png" }));
            const options = { bubbles: true, cancelable: true, [transfer]: files };
            document.body.dispatchEvent(new window[kind](event, options));
        }""",
        [event, kind, transfer, list(picture.read_bytes())],
    )


def test_a_chosen_file_is_told(page: Page) -> None:
    """Label, five bars, and what the network preview."""
    page.set_input_files("#file", SAMPLES / "dress.png")
    expect(page.locator("#said")).to_have_text("Dress")
    expect(page.locator("#bars li")).to_have_count(5)
    expect(page.locator("#bars li").first).to_contain_text("Dress")
    assert page.locator("#seen").evaluate("image => image.decode().then(() => image.naturalWidth)") == 28


def test_a_dropped_file_is_told(page: Page) -> None:
    """Anywhere on the page."""
    give(page, "drop", "DragEvent", "dataTransfer", SAMPLES / "bag.png")
    expect(page.locator("#said")).to_have_text("Bag")


def test_a_pasted_picture_is_told(page: Page) -> None:
    """From the clipboard."""
    give(page, "paste", "ClipboardEvent", "clipboardData", SAMPLES / "trouser.png")
    expect(page.locator("#said")).to_have_text("Trouser")


def test_a_sample_is_told_by_keyboard_alone(page: Page) -> None:
    """Samples are buttons: focus and Enter."""
    page.locator("#samples button").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Bag")


def test_a_drawing_is_told(page: Page) -> None:
    """After each stroke; it can be wiped."""
    page.click("#draw")
    box = page.locator("#drawing").bounding_box()
    assert box
    for x in (100, 180):
        page.mouse.move(box["x"] + x, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + x, box["y"] + 240, steps=5)
        page.mouse.up()
    expect(page.locator("#bars li")).to_have_count(5)
    inked = "canvas => canvas.getContext('2d').getImageData(0, 0, 280, 280).data.some((v, i) => i % 4 < 3 && v)"
    assert page.locator("#drawing").evaluate(inked)
    page.click("#clear")
    assert not page.locator("#drawing").evaluate(inked)


def test_the_camera_is_told_live(page: Page) -> None:
    """Five frames a second or more, until it is switched off."""
    page.click("#camera")
    expect(page.locator("#bars li")).to_have_count(5)
    page.wait_for_timeout(2000)
    found = re.match(r"([\d.]+) pictures a second", page.locator("#rate").inner_text())
    assert found
    assert float(found[1]) >= 5
    expect(page.locator("#live")).to_be_hidden()
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("#live")).to_be_in_viewport()
    assert page.locator("#live").inner_text() == page.locator("#said").inner_text()
    page.click("#camera")
    expect(page.locator("#video")).to_be_hidden()
    expect(page.locator("#bars li")).to_have_count(0)
    assert page.locator("#video").evaluate("video => video.srcObject") is None


def test_the_camera_off_and_on_again_sends_no_more_than_before(page: Page) -> None:
    """One frame at a time, also where an answer comes only after it was switched on again."""
    page.evaluate(
        """() => {
            const real = window.fetch;
            window.most = window.inFlight = 0;
            window.fetch = async (...asked) => {
                window.most = Math.max(window.most, ++window.inFlight);
                await new Promise((done) => setTimeout(done, 1500));
                return real(...asked).finally(() => window.inFlight--);
            };
        }"""
    )
    page.click("#camera")
    page.wait_for_timeout(1000)
    page.click("#camera")
    page.click("#camera")
    page.wait_for_timeout(2000)
    page.evaluate("window.most = 0")
    page.wait_for_timeout(2000)
    assert page.evaluate("window.most") == 1


def test_an_answer_stays_when_its_heat_map_fails(page: Page) -> None:
    """The label came first; a server without room for the rest takes nothing of it away."""
    page.route(re.compile("heatmap=true"), lambda route: route.fulfill(status=415, json={"error": "No room."}))
    with page.expect_response(re.compile("heatmap=true")):
        page.set_input_files("#file", SAMPLES / "dress.png")
    page.wait_for_timeout(300)
    expect(page.locator("#said")).to_have_text("Dress")
    expect(page.locator("#bars li")).to_have_count(5)


def test_a_file_that_is_no_picture_is_told_why(page: Page) -> None:
    """In the page's words, and the next picture is told again."""
    page.set_input_files("#file", {"name": "x.png", "mimeType": "image/png", "buffer": b"<html>"})
    expect(page.locator("#said")).to_contain_text("JPEG, PNG or WebP")
    expect(page.locator("#bars li")).to_have_count(0)
    page.set_input_files("#file", SAMPLES / "dress.png")
    expect(page.locator("#said")).to_have_text("Dress")


@pytest.mark.parametrize("page", ["zh-CN"], indirect=True)
def test_the_page_speaks_the_browsers_language_and_the_other(page: Page) -> None:
    """Labels and errors too; the choice is kept."""
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    page.set_input_files("#file", {"name": "x.png", "mimeType": "image/png", "buffer": b"<html>"})
    expect(page.locator("#said")).to_contain_text("图片")
    page.set_input_files("#file", SAMPLES / "ankle-boot.png")
    expect(page.locator("#said")).to_have_text("短靴")
    page.click("#language")
    expect(page.locator("#said")).to_have_text("Ankle boot")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("[data-text]:not(#said):empty")).to_have_count(0)


def test_both_languages_have_the_same_texts(page: Page) -> None:
    """No text is missing in one of them."""
    keys = page.evaluate("import('/texts.js').then(({ TEXTS }) => Object.values(TEXTS).map(Object.keys))")
    assert keys[0] == keys[1]


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    """On a small phone as on a desktop."""
    page.set_viewport_size({"width": width, "height": 800})
    page.set_input_files("#file", SAMPLES / "ankle-boot.png")
    expect(page.locator("#bars li")).to_have_count(5)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_api_page_lists_every_call(page: Page, service: Service) -> None:
    """Made from the description, without anything from elsewhere."""
    page.goto(f"{service.url}docs")
    expect(page.locator("#calls section")).to_have_count(5)
