"""The page without a server: the folder that `modiste export --web` writes, in a real browser."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from helpers.browser import collect_problems, needs_chromium, payload
from helpers.models import tiny_model
from helpers.photos import saved
from helpers.service import SAMPLES
from helpers.static_host import StaticHost, hosting
from modiste import inference
from modiste.errors import InputError
from modiste.imaging.preprocess import to_image, to_photo
from modiste.imaging.resize import RESIZE_MODES, enlarge_center
from modiste.inference.model import Model
from modiste.inference.outliers import image_statistics
from modiste.web.static_site import Site

RANDOM = np.random.default_rng(0)
TO_IMAGES = """async ([photo, models]) => {
    const { decode } = await import("/decode.js");
    const { enlargeCenter, toImage } = await import("/preprocess.js");
    const decoded = await decode(new Blob([Uint8Array.from(atob(photo), (character) => character.charCodeAt(0))]));
    const images = models.map((model) => toImage(decoded, model));
    return images.map((image) => [image, enlargeCenter(image, 0.8)].map(({ data }) => [...data]));
}"""
"""The images of a photo in base64 for some models, and the enlarged centers of these."""

PREDICT = """async (photos) => {
    const { predict } = await (await import("/predictor.js")).createPredictor();
    const decode = (photo) => new Blob([Uint8Array.from(atob(photo), (character) => character.charCodeAt(0))]);
    return Promise.all(photos.map((photo) => predict(decode(photo))));
}"""
"""The records of photos in base64."""

GRAY = {"image_size": 28, "channels": 1, "is_on_black": True, "resize_mode": "squash"}
SCALED = [{"image_size": 64, "channels": 3, "is_on_black": True, "resize_mode": mode} for mode in RESIZE_MODES]
MODELS = [GRAY, *SCALED, {"image_size": 33, "channels": 1, "is_on_black": False, "resize_mode": "letterbox"}]


def load(model: str | bytes) -> Model:
    """Load one model."""
    (loaded,) = inference.load(model, threads=1).models
    return loaded


def boot(side: int, resample: Image.Resampling, mode: str = "RGB") -> Image.Image:
    """An image of Fashion-MNIST, enlarged."""
    with Image.open(SAMPLES / "ankle-boot.png") as image:
        return image.resize((side, side), resample).convert(mode)


def padded() -> Image.Image:
    """An enlarged image of Fashion-MNIST on a larger black one."""
    image = Image.new("RGB", (500, 400))
    image.paste(boot(280, Image.Resampling.BILINEAR), (130, 60))
    return image


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    """An image of noise."""
    return Image.fromarray(RANDOM.integers(0, 256, (height, width, channels), dtype=np.uint8))


def opened(name: str) -> Image.Image:
    """A sample photo."""
    with Image.open(SAMPLES / name) as photo:
        return photo.convert("RGB")


PHOTOS: dict[str, Callable[[], Image.Image]] = {
    "coat": lambda: opened("coat.jpg"),
    "gray coat": lambda: opened("coat.jpg").convert("L"),
    "image of Fashion-MNIST": lambda: boot(28, Image.Resampling.NEAREST, "L"),
    "enlarged by nearest neighbor": lambda: boot(56, Image.Resampling.NEAREST),
    "enlarged bilinearly": lambda: boot(333, Image.Resampling.BILINEAR),
    "enlarged and reduced": lambda: boot(1000, Image.Resampling.BICUBIC),
    "padded": padded,
    "on white": lambda: Image.fromarray(255 - np.asarray(boot(280, Image.Resampling.BILINEAR))),
    "plain": lambda: Image.new("RGB", (50, 40), (200, 190, 180)),
    "wide": lambda: noise(131, 43),
    "tall": lambda: noise(17, 300),
    "transparent": lambda: noise(60, 70, 4),
    "palette": lambda: noise(60, 70).quantize(16),
    "large": lambda: noise(210, 230).resize((2101, 2303), Image.Resampling.BICUBIC),
}


@pytest.fixture(scope="module")
def host(write: Callable[[Model], Site]) -> Iterator[StaticHost]:
    """A host with the site of the bundled model `photo`."""
    with hosting(write(load("photo")).folder) as running:
        yield running


@pytest.fixture(scope="module")
def page(browser: Browser, host: StaticHost) -> Iterator[Page]:
    """The site, opened once; errors and requests to other hosts fail the last test."""
    with browser.new_context(locale="en-US") as context:
        tab = open_page(context.new_page(), host.url)
        yield tab
        assert tab.problems == []  # type: ignore[attr-defined]


def open_page(tab: Page, url: str) -> Page:
    """Open a site and wait until its model is loaded."""
    tab.problems = collect_problems(tab, url)  # type: ignore[attr-defined]
    tab.goto(url)
    expect(tab.locator("#models li")).to_have_count(1)
    return tab


def largest_differences(page: Page, content: bytes, models: list[dict[str, object]]) -> list[int]:
    """Between the gray levels of the images that JavaScript and Python make of a photo, and of their centers."""
    differences = []
    for model, pixels in zip(models, page.evaluate(TO_IMAGES, [encode(content), models]), strict=True):
        image = to_image(content, *model.values())  # type: ignore[arg-type]
        expected = [image.ravel().tolist(), enlarge_center(image, 0.8).ravel().tolist()]
        differences.append(int(np.abs(np.array(pixels) - np.array(expected)).max()))
    return differences


def encode(content: bytes) -> str:
    """A photo in base64."""
    return base64.b64encode(content).decode()


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("name", PHOTOS)
def test_images_equal_those_of_python(name: str, page: Page) -> None:
    """To the gray level, in every way to make them; within one where a photo is transparent."""
    content = saved(PHOTOS[name]())
    tolerance = 1 if name == "transparent" else 0
    assert max(largest_differences(page, content, MODELS)) <= tolerance


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_is_applied(kind: str, page: Page) -> None:
    """All eight of EXIF, in each format."""
    photo = PHOTOS["coat"]().resize((40, 30))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
        content = saved(photo, kind, exif=exif, **options)
        assert largest_differences(page, content, [SCALED[1]])[0] <= (4 if kind == "JPEG" else 0)


@pytest.mark.slow
@needs_chromium
def test_color_profiles_are_ignored(page: Page) -> None:
    """As in Python, where a model was trained on pixels without them."""
    photo, plain = PHOTOS["coat"](), saved(PHOTOS["coat"]())
    gamma = b"\x00\x00\x00\x04gAMA\x00\x01\x86\xa0\x31\xe8\x96\x5f"  # 1.0, right after the header
    assert largest_differences(page, plain[:33] + gamma + plain[33:], [SCALED[0]]) == [0]
    assert (np.asarray(to_photo(plain)) == np.asarray(photo)).all()


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize(
    "metadata",
    [
        {"temperature": "2.5", "threshold": "0.6", "label_groups": '[["dark", "gray"]]'},
        {"temperature": "0.02", "tta_threshold": "1", "tta_crop": "0.7", "resize_mode": "letterbox"},
    ],
)
def test_records_equal_those_of_python(
    metadata: dict[str, str], browser: Browser, write: Callable[[Model], Site]
) -> None:
    """Label and probabilities, with temperature, threshold, groups and test-time augmentation."""
    weights = RANDOM.normal(size=(32 * 32 * 3, 3)).astype(np.float32) / 1e5
    model = load(tiny_model(("dark", "gray", "bright"), 32, 3, weights, metadata))
    photos = [saved(noise(*size)) for size in ((40, 40), (90, 30), (20, 50))]
    expected = [prediction.as_dict() for prediction in model.predict(photos, top=3)]
    with hosting(write(model).folder) as host, browser.new_context() as context:
        tab = open_page(context.new_page(), host.url)
        records = tab.evaluate(PREDICT, list(map(encode, photos)))
    for record, other in zip(records, expected, strict=True):
        assert [record[key] for key in ("label", "model", "error")] == [
            other[key] for key in ("label", "model", "error")
        ]
        assert [each["label"] for each in record["top"]] == [each["label"] for each in other["top"]]
        values = [[each["probability"] for each in one["top"]] for one in (record, other)]
        np.testing.assert_allclose(values[0], values[1], atol=1e-4)
        assert record["probability"] == pytest.approx(other["probability"], abs=1e-4)


@pytest.mark.slow
@needs_chromium
def test_the_page_works_without_a_connection(browser: Browser, write: Callable[[Model], Site], tmp_path: Path) -> None:
    """After the first visit, from all that the service worker saved; several photos get the labels of the command."""
    model = load("fashion-mnist")
    with hosting(write(model).folder) as host, browser.new_context(locale="en-US") as context:
        tab = open_page(context.new_page(), host.url)
        expect(tab.locator("#privacy")).to_have_text("Photos do not leave this device: the model runs in this browser.")
        expect(tab.locator("#offline")).to_be_visible()
        host.stop()
        tab.reload()
        expect(tab.locator("#samples img")).to_have_count(6)
        photos = [*sorted(SAMPLES.glob("*.*g")), tmp_path / "noise.png"]
        photos[-1].write_bytes(saved(noise(28, 28)))
        tab.set_input_files("#file-input", photos)
        expect(tab.locator("#progress")).to_have_text("10 photos predicted")
        labels = [tab.locator("#rows tr").nth(row).locator("td").nth(1).inner_text() for row in range(len(photos))]
        assert labels == [prediction.label for prediction in model.predict(photos)]
        assert labels[-1] == "none of these"
        tab.locator("#samples button").first.click()
        expect(tab.locator("#status")).to_have_text("Ankle boot")
        expect(tab.locator("#preview img")).to_be_visible()
        tab.click("#camera-button")
        expect(tab.locator("#frame-rate")).to_contain_text("frames per second")
        tab.click("#camera-button")
        assert tab.problems == []  # type: ignore[attr-defined]


STATISTICS = """async (images) => {
    const { imageStatistics } = await import("/outliers.js");
    return images.map(([side, data]) => imageStatistics({ width: side, data }));
}"""


@needs_chromium
def test_statistics_of_images_equal_those_of_python(page: Page) -> None:
    """Of noise, a gradient and an image of Fashion-MNIST, of sides that are and are not a multiple of 4."""
    images = [RANDOM.integers(0, 256, (side, side), dtype=np.uint8) for side in (28, 33)]
    images += [
        np.add.outer(np.arange(28), np.arange(28)).astype(np.uint8),
        np.asarray(PHOTOS["image of Fashion-MNIST"]()),
    ]
    found = page.evaluate(STATISTICS, [[len(image), image.ravel().tolist()] for image in images])
    expected = [image_statistics(image[None])[0] for image in images]
    np.testing.assert_allclose(found, expected, atol=2e-6)


@needs_chromium
def test_a_broken_photo_is_an_error(page: Page) -> None:
    """In the language of the page; the next photo is predicted."""
    page.set_input_files("#file-input", payload("x", b"<html>"))
    expect(page.locator("#status")).to_contain_text("JPEG, PNG or WebP")
    whole = (SAMPLES / "coat.jpg").read_bytes()
    page.set_input_files("#file-input", payload("x", whole[:600]))
    expect(page.locator("#status")).to_contain_text("truncated")
    page.set_input_files("#file-input", SAMPLES / "coat.jpg")
    expect(page.locator("#status")).to_have_text("Coat")


@pytest.mark.slow
@needs_chromium
def test_the_number_of_pixels_is_limited_by_format(page: Page) -> None:
    """As in Python, whose messages the page shows; a JPEG may have three times as many, and is reduced."""
    large, small = Image.new("L", (9000, 8000)), Image.new("L", (30, 7))
    decode = """async (photo) => {
        const { decode } = await import("/decode.js");
        const bytes = Uint8Array.from(atob(photo), (character) => character.charCodeAt(0));
        return decode(new Blob([bytes])).then(({ width, height }) => [width, height], (error) => error.message);
    }"""
    for photo in (saved(large.convert("1")), saved(small)):
        with pytest.raises(InputError) as refused:
            to_photo(photo)
        assert page.evaluate(decode, encode(photo)) == str(refused.value)
    assert page.evaluate(decode, encode(saved(large, "JPEG"))) == [1286, 1143]
    page.set_input_files("#file-input", payload("x", saved(small)))
    expect(page.locator("#status")).to_have_text(str(refused.value))


@needs_chromium
def test_nothing_can_be_sent_to_another_host(page: Page) -> None:
    """Neither by the page nor by its worker: both have the policy of the page."""
    send = "fetch('http://127.0.0.2:9/').then(() => 'sent', (error) => error.name)"
    page.problems.clear()  # type: ignore[attr-defined]
    worker = f"""() => new Promise((resolve) => {{
        const source = "postMessage(await ({send}));";
        const url = URL.createObjectURL(new Blob([source], {{ type: "text/javascript" }}));
        const worker = new Worker(url, {{ type: "module" }});
        worker.onmessage = ({{ data }}) => resolve(data);
    }})"""
    blocked = []
    page.on("console", lambda message: blocked.append("Content Security Policy" in message.text))
    assert page.evaluate(send) == "TypeError"
    assert page.evaluate(worker) == "TypeError"
    assert blocked
    assert all(blocked)
    page.problems.clear()  # type: ignore[attr-defined]
