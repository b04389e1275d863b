"""modiste behind the real nginx and Caddy, with the files in `deploy/`: prefix, TLS, large bodies, camera, restarts."""

import json
import signal
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, expect

from helpers.browser import needs_chromium, open_browser
from helpers.proxy import NAME, PREFIX, Proxy, caddy, free_port, needs_caddy, needs_nginx, nginx
from helpers.service import BOOT, SAMPLES, Service, form, serving

MIB = 2**20
MIN_REQUESTS = 50
OPTIONS = (f"--root-path={PREFIX}", f"--allow-host={NAME}")

both = pytest.mark.parametrize(
    "proxy", [pytest.param(nginx, marks=needs_nginx), pytest.param(caddy, marks=needs_caddy)], indirect=True
)


@pytest.fixture(scope="module")
def instance() -> Iterator[Service]:
    """A service with the options of `deploy/modiste@.service`."""
    with serving(*OPTIONS) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(
    request: pytest.FixtureRequest, instance: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """A proxy in front of one instance, which stands for both of the file."""
    with request.param(tmp_path_factory.mktemp("proxy"), [instance.address[1]] * 2) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that finds the name of the example on this machine, as one in the network would."""
    with open_browser(f"--host-resolver-rules=MAP {NAME} 127.0.0.1") as running:
        yield running


def padded(photo: bytes, size: int) -> bytes:
    """Return a PNG of this many bytes: with a chunk that decoders skip."""
    content = b"paDd" + bytes(size - len(photo) - 12)
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    end = len(photo) - 12  # the last chunk
    return photo[:end] + chunk + photo[end:]


def status_of(proxy: Proxy, body: bytes) -> int:
    """Send a body that is too large: a connection that is closed while it is sent stands for the status 413."""
    try:
        return proxy.post(body).status_code
    except requests.ConnectionError:
        return 413


@both
def test_the_api_is_below_the_prefix(proxy: Proxy) -> None:
    """Bodies, forms and JSON are predicted; the address without a slash leads to the page."""
    assert proxy.post(BOOT).json()["label"] == "Ankle boot"
    records = proxy.post(*form(("bag.png", (SAMPLES / "bag.png").read_bytes()), ("boot.png", BOOT))).json()
    assert [(record["file"], record["label"]) for record in records] == [
        ("bag.png", "Bag"),
        ("boot.png", "Ankle boot"),
    ]
    assert proxy.post(json.dumps({"image": "bm8="}).encode(), "application/json").status_code == 415
    assert proxy.request("GET", "openapi.json").json()["servers"] == [{"url": PREFIX}]
    without_slash = proxy.request("GET", "../modiste", allow_redirects=False)
    assert without_slash.is_redirect
    assert without_slash.headers["Location"].endswith("/modiste/")


@both
def test_a_photo_of_20_mib_passes(proxy: Proxy) -> None:
    """A larger one is rejected by modiste, one above the limit of forms by the proxy."""
    largest = padded(BOOT, 20 * MIB)
    assert len(largest) == 20 * MIB
    assert proxy.post(largest).json()["label"] == "Ankle boot"
    assert status_of(proxy, padded(BOOT, 20 * MIB + 1)) == 413
    assert status_of(proxy, bytes(65 * MIB)) == 413


@both
def test_the_metrics_are_not_public(proxy: Proxy, instance: Service) -> None:
    """The proxy rejects them, however they are addressed; Prometheus reads them from the instance."""
    for path in ("metrics", "/metrics", "modiste/metrics"):
        assert proxy.request("GET", path).status_code in (403, 404), path
    assert instance.ask("GET", "/metrics")[0] == 200


@both
@needs_chromium
def test_page_camera_and_documentation_work_in_a_browser(proxy: Proxy, browser: Browser) -> None:
    """Under the name of the proxy over TLS: browsers open the camera of a phone only there."""
    context = browser.new_context(ignore_https_errors=True, locale="en-US")
    page = context.new_page()
    failed: list[str] = []
    page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
    page.goto(proxy.name_url)
    page.set_input_files("#file-input", SAMPLES / "dress.png")
    expect(page.locator("#status")).to_have_text("Dress")
    page.click("#camera-button")
    expect(page.locator("#video")).to_be_visible()
    expect(page.locator("#frame-rate")).to_contain_text("frames per second", timeout=20_000)
    page.goto(f"{proxy.name_url}docs")
    expect(page.locator("#operations section")).to_have_count(5)
    expect(page.locator("#code")).to_contain_text(f"{proxy.name_url}predict")
    context.close()
    assert failed == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "again"),
    [pytest.param(nginx, set(), marks=needs_nginx), pytest.param(caddy, {502, 503}, marks=needs_caddy)],
)
def test_no_request_is_lost_while_an_instance_is_restarted(
    program: Callable[[Path, list[int]], AbstractContextManager[Proxy]], again: set[int], tmp_path: Path
) -> None:
    """Each of two instances is stopped under load and started again; every photo gets its prediction.

    nginx sends it to the other instance; behind Caddy, the client may have to send it again.
    """
    ports = [free_port(), free_port()]
    statuses: list[int] = []
    stop = threading.Event()

    def send(proxy: Proxy) -> None:
        while not stop.is_set():
            statuses.append(proxy.post(BOOT).status_code)

    def restart(service: Service, port: int) -> Service:
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(30) == 0
        seen_without = len(statuses)
        restarted = stack.enter_context(serving(*OPTIONS, f"--port={port}"))
        assert len(statuses) > seen_without  # the other instance answered meanwhile
        return restarted

    with ExitStack() as stack:
        services = [stack.enter_context(serving(*OPTIONS, f"--port={port}")) for port in ports]
        proxy = stack.enter_context(program(tmp_path, ports))
        pool = stack.enter_context(ThreadPoolExecutor(4))
        stack.callback(stop.set)
        senders = [pool.submit(send, proxy) for _ in range(4)]
        for service, port in zip(services, ports, strict=True):
            restart(service, port)
        deadline = time.monotonic() + 60
        while len(statuses) <= MIN_REQUESTS and time.monotonic() < deadline:  # a rejected request waits
            time.sleep(0.05)
        stop.set()
        for sender in senders:
            sender.result()
    assert len(statuses) > MIN_REQUESTS
    assert {200} <= set(statuses) <= {200} | again
