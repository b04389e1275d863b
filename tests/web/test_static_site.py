"""The page without a server: the folder that `modiste export --web` writes, in a real browser."""

import base64
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from helpers.browser import needs_chromium
from helpers.models import tiny_model
from helpers.photos import saved
from helpers.service import SAMPLES
from helpers.static_host import StaticHost, hosting
from modiste import inference
from modiste.cli.export import export
from modiste.errors import InputError, SettingError
from modiste.imaging.preprocess import to_image, to_photo
from modiste.imaging.resize import RESIZE_MODES, enlarge_center
from modiste.inference.model import Model
from modiste.web import onnxruntime_web
from modiste.web.static_site import Site, write_site

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
}


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Model], Site]:
    """Write the site of a model; skipped where the runtime cannot be downloaded, but not in CI."""
    try:
        onnxruntime_web.read_files()
    except InputError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return lambda model: write_site(model, tmp_path_factory.mktemp("site"))


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
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    own = (url, "blob:", "data:")
    tab.on("request", lambda request: None if request.url.startswith(own) else problems.append(request.url))
    tab.problems = problems  # type: ignore[attr-defined]
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


@needs_chromium
@pytest.mark.parametrize("name", PHOTOS)
def test_images_equal_those_of_python(name: str, page: Page) -> None:
    """To the gray level, in every way to make them; within one where a photo is transparent."""
    content = saved(PHOTOS[name]())
    tolerance = 1 if name == "transparent" else 0
    assert max(largest_differences(page, content, MODELS)) <= tolerance


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
def test_the_page_works_without_a_connection(browser: Browser, write: Callable[[Model], Site]) -> None:
    """After the first visit, from all that the service worker saved; several photos get the labels of the command."""
    model = load("fashion-mnist")
    with hosting(write(model).folder) as host, browser.new_context(locale="en-US") as context:
        tab = open_page(context.new_page(), host.url)
        expect(tab.locator("#privacy")).to_have_text("Photos do not leave this device: the model runs in this browser.")
        expect(tab.locator("#offline")).to_be_visible()
        host.stop()
        tab.reload()
        expect(tab.locator("#samples img")).to_have_count(6)
        photos = sorted(SAMPLES.glob("*.*g"))
        tab.set_input_files("#file-input", photos)
        expect(tab.locator("#progress")).to_have_text("9 photos predicted")
        labels = [tab.locator("#rows tr").nth(row).locator("td").nth(1).inner_text() for row in range(len(photos))]
        assert labels == [prediction.label for prediction in model.predict(photos)]
        tab.locator("#samples button").first.click()
        expect(tab.locator("#status")).to_have_text("Ankle boot")
        expect(tab.locator("#preview img")).to_be_visible()
        tab.click("#camera-button")
        expect(tab.locator("#frame-rate")).to_contain_text("frames per second")
        tab.click("#camera-button")
        assert tab.problems == []  # type: ignore[attr-defined]


@needs_chromium
def test_a_broken_photo_is_an_error(page: Page) -> None:
    """In the language of the page; the next photo is predicted."""
    page.set_input_files("#file-input", {"name": "x.png", "mimeType": "image/png", "buffer": b"<html>"})
    expect(page.locator("#status")).to_contain_text("JPEG, PNG or WebP")
    whole = (SAMPLES / "coat.jpg").read_bytes()
    page.set_input_files("#file-input", {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": whole[:600]})
    expect(page.locator("#status")).to_contain_text("truncated")
    page.set_input_files("#file-input", SAMPLES / "coat.jpg")
    expect(page.locator("#status")).to_have_text("Coat")


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


def test_the_folder_is_complete_and_small(write: Callable[[Model], Site]) -> None:
    """All files but the service worker are saved by it; beside the model there are at most 16 MB."""
    site = write(load("photo"))
    assert site.other_bytes < 16e6
    files = {str(path.relative_to(site.folder)) for path in site.folder.rglob("*") if path.is_file()}
    listed = json.loads((site.folder / "files.js").read_text().partition("FILES = ")[2].rstrip(";\n"))
    assert set(listed) == (files - {"service-worker.js", "files.js"}) | {"./"}
    assert sum((site.folder / name).stat().st_size for name in files) == site.model_bytes + site.other_bytes
    assert {"docs.html", "docs.js"}.isdisjoint(files)


def run(*arguments: object) -> str:
    """Run the command and return its output; errors are raised."""
    return CliRunner().invoke(export, [str(part) for part in arguments], catch_exceptions=False).output


@pytest.mark.slow
def test_the_command_writes_the_folder(tmp_path: Path, write: Callable[[Model], Site]) -> None:
    """Of a model file, and with the package of the runtime that is in the cache or named."""
    assert write
    (tmp_path / "own.onnx").write_bytes(tiny_model(("cup", "plate"), size=32, channels=3))
    result = json.loads(run(tmp_path / "own.onnx", "--web", tmp_path / "site", "--json"))
    assert result["other_megabytes"] < 16
    about = json.loads((tmp_path / "site" / "about.json").read_text())
    assert (about["models"][0]["name"], about["samples"]) == ("own", [])
    package = onnxruntime_web.cache_file()
    output = run(tmp_path / "own.onnx", "--web", tmp_path / "again", "--onnxruntime-web", package)
    assert f"python -m http.server --directory {tmp_path / 'again'}" in output
    assert (tmp_path / "again" / "files.js").read_bytes() == (tmp_path / "site" / "files.js").read_bytes()


def test_what_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with files, a runtime of another version or that cannot be downloaded, and options that do not fit."""
    model, package = tmp_path / "own.onnx", tmp_path / "other.tgz"
    model.write_bytes(tiny_model())
    package.write_bytes(b"another version")
    with pytest.raises(InputError, match="exists already"):
        run(model, "--web", tmp_path)
    with pytest.raises(InputError, match=r"SHA-512 is another.*npm pack onnxruntime-web@"):
        run(model, "--web", tmp_path / "site", "--onnxruntime-web", package)
    with pytest.raises(InputError, match="cannot be read"):
        run(model, "--web", tmp_path / "site", "--onnxruntime-web", tmp_path / "missing.tgz")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9/")
    with pytest.raises(InputError, match=r"127.0.0.1:9.* cannot be downloaded .*--onnxruntime-web"):
        run(model, "--web", tmp_path / "site")
    with pytest.raises(SettingError, match="--onnxruntime-web is without --web"):
        run(model, "--onnxruntime-web", package)
    with pytest.raises(SettingError, match="--web writes a folder"):
        run(model, "--web", tmp_path / "site", "--int8")
    assert not (tmp_path / "site").exists()


def test_a_download_is_verified_and_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a registry sends must have the pinned SHA-512; it is then in the cache."""
    (tmp_path / "onnxruntime-web" / "-").mkdir(parents=True)
    served = tmp_path / "onnxruntime-web" / "-" / onnxruntime_web.NAME
    served.write_bytes(b"another version")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with hosting(tmp_path) as registry:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", registry.url)
        with pytest.raises(InputError, match="has another SHA-512"):
            onnxruntime_web.read_files()
        package = small_package()
        served.write_bytes(package)
        monkeypatch.setattr(onnxruntime_web, "SHA512", hashlib.sha512(package).hexdigest())
        assert onnxruntime_web.read_files()["ort.js"] == b"content of ort.wasm.bundle.min.mjs"
    assert onnxruntime_web.read_files()["ort.wasm"] == b"content of ort-wasm-simd-threaded.wasm"  # from the cache


def small_package() -> bytes:
    """A package with the names of the runtime's files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name in onnxruntime_web.FILES:
            data = f"content of {name}".encode()
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()
