"""The page in a real browser: every input, errors, both languages, keyboard and camera."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from helpers.browser import needs_chromium, payload
from helpers.models import tiny_model
from helpers.photos import saved
from helpers.service import SAMPLES, Service, serving
from modiste.cli.predict import predict
from modiste.inference.calibration import Calibration

pytestmark = needs_chromium


def dispatch_file(page: Page, event: str, event_class: str, transfer_property: str, photo: Path) -> None:
    """Dispatch a drop or paste event with a file."""
    page.evaluate(
        """([event, eventClass, transferProperty, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "x.png", { type: "image/png" }));
            const options = { bubbles: true, cancelable: true, [transferProperty]: transfer };
            document.body.dispatchEvent(new window[eventClass](event, options));
        }""",
        [event, event_class, transfer_property, list(photo.read_bytes())],
    )


def test_a_chosen_file_is_predicted(page: Page) -> None:
    """The page shows the class, five probabilities, and the image that the model receives."""
    page.set_input_files("#file-input", SAMPLES / "dress.png")
    expect(page.locator("#status")).to_have_text("Dress")
    expect(page.locator("#probabilities li")).to_have_count(5)
    expect(page.locator("#probabilities li").first).to_contain_text("Dress")
    expect(page.locator("#preview figcaption")).to_contain_text("28 × 28 pixels, in grayscale")
    assert page.locator("#preview img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 28


def test_a_photo_is_predicted_by_the_photo_model(page: Page) -> None:
    """The page names the model and shows its input of 224 pixels in color, then the heat map."""
    page.set_input_files("#file-input", SAMPLES / "coat.jpg")
    expect(page.locator("#details")).to_have_text("Model: photo")
    expect(page.locator("#preview figcaption")).to_have_text("Model input: the photo resized to 224 × 224 pixels.")
    expect(page.locator("#heatmap figcaption")).to_contain_text("Heat map for “Coat”")
    assert page.locator("#heatmap img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 224


def test_a_dropped_file_is_predicted(page: Page) -> None:
    """A file can be dropped anywhere on the page."""
    dispatch_file(page, "drop", "DragEvent", "dataTransfer", SAMPLES / "bag.png")
    expect(page.locator("#status")).to_have_text("Bag")


def test_a_pasted_photo_is_predicted(page: Page) -> None:
    """A photo can be pasted from the clipboard."""
    dispatch_file(page, "paste", "ClipboardEvent", "clipboardData", SAMPLES / "trouser.png")
    expect(page.locator("#status")).to_have_text("Trouser")


def test_a_sample_is_predicted_by_keyboard_alone(page: Page) -> None:
    """Samples are buttons that take focus and Enter."""
    page.locator("#samples button").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("Bag")


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ({"Sneaker": 0.5, "Sandal": 0.3, "Bag": 0.15, "Ankle boot": 0.05}, "Shoe: sneaker or sandal"),
        ({"Sneaker": 0.4, "Sandal": 0.3, "Ankle boot": 0.3}, "Shoe: sneaker, sandal or ankle boot"),
        ({"Sneaker": 0.9, "Sandal": 0.05, "Bag": 0.05}, "Sneaker"),
        ({"Bag": 0.5, "Sandal": 0.3, "Sneaker": 0.2}, "Bag"),
    ],
)
def test_close_kinds_of_shoe_are_one_answer(page: Page, probabilities: dict[str, float], expected: str) -> None:
    """With the sum of their probabilities, above a row for each of them, as the command prints them."""
    top = [{"label": label, "probability": value} for label, value in probabilities.items()]
    record = {"label": top[0]["label"], "probability": top[0]["probability"], "top": top, "model": "photo"}
    page.route("**/predict?*", lambda route: route.fulfill(json=record))
    page.set_input_files("#file-input", SAMPLES / "dress.png")
    expect(page.locator("#status")).to_have_text(expected)
    members = expected.count(",") + expected.count(" or ") + 1 if "Shoe" in expected else 0
    expect(page.locator("#probabilities .member")).to_have_count(members)
    calibration = Calibration(label_groups=((0, 1, 2),))
    names = ("Sandal", "Sneaker", "Ankle boot", "Bag")
    close = calibration.close_labels(np.array([probabilities.get(name, 0) for name in names]))
    assert len(close) == members


@pytest.mark.parametrize("width", [390, 1200])
def test_the_answer_comes_right_after_the_picture(page: Page, width: int) -> None:
    """Below it on a phone, beside it on a wide screen; the buttons come after both."""
    page.set_viewport_size({"width": width, "height": 844})
    page.set_input_files("#file-input", SAMPLES / "ankle-boot.png")
    expect(page.locator("#status")).to_have_text("Ankle boot")
    expect(page.locator("#photo")).to_be_visible()
    picture, answer, inputs = (page.locator(id_).bounding_box() for id_ in ("#picture", "#status", "#inputs"))
    assert picture
    assert answer
    assert inputs
    assert picture["y"] < inputs["y"]
    if width < 700:
        assert picture["y"] + picture["height"] < answer["y"] < picture["y"] + picture["height"] + 50
        assert answer["y"] < inputs["y"]
        expect(page.locator("#status")).to_be_in_viewport()
    else:
        assert answer["x"] > picture["x"] + picture["width"]


def test_a_drawing_by_keyboard_is_predicted(page: Page) -> None:
    """Arrow keys move, the space bar lowers the pen and lifts it, after which it is predicted, Delete clears."""
    page.click("#draw-button")
    page.keyboard.press("Space")
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator("#probabilities li")).to_have_count(5)
    page.keyboard.press("Delete")
    expect(page.locator("#status")).to_have_text("No photo selected.")


def test_a_broken_file_shows_no_broken_image(page: Page) -> None:
    """The message is in its place."""
    page.set_input_files("#file-input", payload("x", b"\x89PNG\r\n\x1a\nbroken"))
    expect(page.locator("#status")).to_have_class("error")
    expect(page.locator("#photo")).to_be_hidden()
    expect(page.locator("#hint")).to_be_visible()


def test_a_model_of_own_classes_has_its_texts(browser: Browser, tmp_path: Path) -> None:
    """Its classes are in the first sentence, and no samples or drawings are offered that it was not trained for."""
    (tmp_path / "own.onnx").write_bytes(tiny_model(("cup", "plate"), size=32, channels=3))
    with serving(f"--model={tmp_path / 'own.onnx'}") as own, browser.new_context(locale="en-US") as context:
        tab = context.new_page()
        tab.goto(own.url)
        expect(tab.locator("#lead")).to_have_text("Classify photos. Classes: cup, plate.")
        expect(tab.locator("#sample-area")).to_be_hidden()
        expect(tab.locator("#draw-button")).to_be_hidden()


def test_a_drawing_is_predicted(page: Page) -> None:
    """Each stroke is followed by a prediction, and the drawing can be cleared."""
    page.click("#draw-button")
    box = page.locator("#drawing").bounding_box()
    assert box
    for x in (100, 180):
        page.mouse.move(box["x"] + x, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + x, box["y"] + 240, steps=5)
        page.mouse.up()
    expect(page.locator("#probabilities li")).to_have_count(5)
    has_ink = "canvas => canvas.getContext('2d').getImageData(0, 0, 280, 280).data.some((v, i) => i % 4 < 3 && v)"
    assert page.locator("#drawing").evaluate(has_ink)
    page.click("#clear-button")
    assert not page.locator("#drawing").evaluate(has_ink)


SHAPES = {
    "Trouser": [((100, y), (100 + w, y)) for y, w in ((30, 80), (50, 80), (70, 80))]
    + [((x, y), (x + 15, y)) for y in range(90, 260, 20) for x in (95, 170)],
    "Bag": [((60, 70), (60, 130)), ((60, 70), (210, 70)), ((210, 70), (210, 130))]
    + [((40, y), (240, y)) for y in range(130, 250, 15)],
    "Dress": [((110, y), (170, y)) for y in range(30, 130, 15)]
    + [((110 - y // 10, y), (170 + y // 10, y)) for y in range(130, 260, 15)],
}
"""Lines that fill a shape, in pixels of the canvas."""


@pytest.mark.slow
@pytest.mark.parametrize("label", SHAPES)
def test_a_drawing_of_a_shape_is_recognized(page: Page, label: str) -> None:
    """Filled with the pen, whose gray is as uneven as that of cloth: an even one is unlike all images of training."""
    page.click("#draw-button")
    box = page.locator("#drawing").bounding_box()
    assert box
    for start, end in SHAPES[label]:
        for move, button in ((start, page.mouse.down), (end, page.mouse.up)):
            page.mouse.move(box["x"] + move[0], box["y"] + move[1])
            button()
    expect(page.locator("#status")).to_have_text(label)


def test_an_image_of_nothing_names_the_nearest_class(page: Page, tmp_path: Path) -> None:
    """With its share among the classes, whose bars sum to 100 %, although the record has less for all of them."""
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    noise[0] = noise[-1] = 0
    (tmp_path / "noise.png").write_bytes(saved(Image.fromarray(noise)))
    page.set_input_files("#file-input", tmp_path / "noise.png")
    expect(page.locator("#status")).to_have_text("none of these")
    first = page.locator("#probabilities li").first
    share = first.locator("b").inner_text()
    assert float(share.rstrip("%")) > 10
    name = first.locator("span").first.inner_text()
    details = f"the nearest class is “{name}”, {share}. The bars compare the classes alone."
    expect(page.locator("#details")).to_contain_text(details)
    printed = CliRunner().invoke(predict, [str(tmp_path / "noise.png")]).stdout
    assert printed.startswith(f"none of these; nearest: {name} {share.rstrip('%')} %")


@pytest.mark.slow
@pytest.mark.parametrize("button", ["#samples button", "#camera-button", "#draw-button"])
def test_a_phone_shows_what_a_button_opens(page: Page, button: str) -> None:
    """Although the page is scrolled to the buttons, below an earlier prediction."""
    page.set_viewport_size({"width": 360, "height": 640})
    page.set_input_files("#file-input", SAMPLES / "coat.jpg")
    expect(page.locator("#heatmap")).to_be_visible()
    page.locator(button).first.scroll_into_view_if_needed()
    expect(page.locator("#status")).not_to_be_in_viewport()
    page.locator(button).first.click()
    shown = {"#samples button": "#status", "#camera-button": "#video", "#draw-button": "#drawing"}[button]
    expect(page.locator(shown)).to_be_in_viewport(ratio=0.9)


@pytest.mark.slow
def test_the_camera_is_predicted_live(page: Page) -> None:
    """At least five frames per second are predicted until the camera is switched off."""
    page.click("#camera-button")
    expect(page.locator("#probabilities li")).to_have_count(5)
    page.wait_for_timeout(2000)
    rate = re.match(r"([\d.]+) frames per second", page.locator("#frame-rate").inner_text())
    assert rate
    assert float(rate[1]) >= 5
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("#status")).to_be_in_viewport()
    page.click("#camera-button")
    expect(page.locator("#video")).to_be_hidden()
    expect(page.locator("#probabilities li")).to_have_count(0)
    assert page.locator("#video").evaluate("video => video.srcObject") is None


@pytest.mark.slow
def test_the_camera_sends_one_frame_at_a_time(page: Page) -> None:
    """This also holds when it is switched off and on again while a response is on its way."""
    page.evaluate(
        """() => {
            const realFetch = window.fetch;
            window.maxInFlight = window.inFlight = 0;
            window.fetch = async (...args) => {
                window.maxInFlight = Math.max(window.maxInFlight, ++window.inFlight);
                await new Promise((resolve) => setTimeout(resolve, 1500));
                return realFetch(...args).finally(() => window.inFlight--);
            };
        }"""
    )
    page.click("#camera-button")
    page.wait_for_timeout(1000)
    page.click("#camera-button")
    page.click("#camera-button")
    page.wait_for_timeout(2000)
    page.evaluate("window.maxInFlight = 0")
    page.wait_for_timeout(2000)
    assert page.evaluate("window.maxInFlight") == 1


def test_a_prediction_stays_when_its_heat_map_fails(page: Page) -> None:
    """An error in the second request does not remove the result of the first one."""
    page.route(re.compile("heatmap=true"), lambda route: route.fulfill(status=415, json={"error": "Queue full."}))
    with page.expect_response(re.compile("heatmap=true")):
        page.set_input_files("#file-input", SAMPLES / "dress.png")
    page.wait_for_timeout(300)
    expect(page.locator("#status")).to_have_text("Dress")
    expect(page.locator("#probabilities li")).to_have_count(5)


def test_a_file_that_is_not_a_photo_is_an_error(page: Page) -> None:
    """The page shows the reason, and the next photo is predicted."""
    page.set_input_files("#file-input", payload("x", b"<html>"))
    expect(page.locator("#status")).to_contain_text("JPEG, PNG or WebP")
    expect(page.locator("#probabilities li")).to_have_count(0)
    page.set_input_files("#file-input", SAMPLES / "dress.png")
    expect(page.locator("#status")).to_have_text("Dress")


@pytest.mark.parametrize("page", ["zh-CN"], indirect=True)
def test_the_page_has_the_language_of_the_browser(page: Page) -> None:
    """Class names and errors are translated too; a change of language is remembered."""
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.set_input_files("#file-input", payload("x", b"<html>"))
    expect(page.locator("#status")).to_contain_text("图片")
    page.set_input_files("#file-input", SAMPLES / "ankle-boot.png")
    expect(page.locator("#status")).to_have_text("短靴")
    page.click("#language-button")
    expect(page.locator("#status")).to_have_text("Ankle boot")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("[data-text]:empty")).to_have_count(0)


def test_both_languages_have_the_same_texts(page: Page) -> None:
    """No text is missing in one of them."""
    keys = page.evaluate("import('/texts.js').then(({ TEXTS }) => Object.values(TEXTS).map(Object.keys))")
    assert keys[0] == keys[1]


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 360, 390, 1200])
def test_nothing_is_wider_than_the_screen(page: Page, service: Service, width: int) -> None:
    """The page and that of the API fit phones and desktops."""
    page.set_viewport_size({"width": width, "height": 800})
    page.set_input_files("#file-input", SAMPLES / "ankle-boot.png")
    expect(page.locator("#probabilities li")).to_have_count(5)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(f"{service.url}docs")
    expect(page.locator("#operations section")).to_have_count(5)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
