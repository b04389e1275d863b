"""The clients and responses in docs/api.md, with a real service."""

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Page

from helpers.browser import needs_chromium, open_browser
from helpers.command import environment
from helpers.service import BOOT, SAMPLES, Service, serving
from helpers.static_host import hosting
from modiste.web.schemas import PredictionOptions

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
URL = "http://127.0.0.1:8000/"


def blocks(language: str) -> list[str]:
    """Return the blocks of code in a language."""
    return re.findall(rf"```{language}\n(.+?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the photos that the clients send."""
    (tmp_path / "boot.png").write_bytes(BOOT)
    shutil.copy(SAMPLES / "coat.jpg", tmp_path)
    return tmp_path


def run(command: list[str], folder: Path) -> str:
    """Run a client and return its output."""
    finished = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_commands_of_curl_work(service: Service, folder: Path) -> None:
    """A body, a form and JSON; the latter two with file names."""
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    (block,) = blocks("sh")
    body, form, with_json = (
        json.loads(run(["bash", "-ec", line.replace(URL, service.url)], folder)) for line in block.strip().splitlines()
    )
    assert (body["label"], len(body["top"])) == ("Ankle boot", 3)
    assert [(record["file"], record["label"], len(record["top"])) for record in form] == [
        ("boot.png", "Ankle boot", 1),
        ("coat.jpg", "Coat", 1),
    ]
    assert (with_json["file"], with_json["label"]) == ("boot.png", "Ankle boot")


@pytest.mark.parametrize(("client", "lines"), [(0, ["boot.png Ankle boot", "coat.jpg Coat"]), (1, ["Ankle boot"])])
def test_the_clients_in_python_work(client: int, lines: list[str], service: Service, folder: Path) -> None:
    """One with requests, one with the standard library."""
    output = run([sys.executable, "-c", blocks("python")[client].replace(URL, service.url)], folder).splitlines()
    assert len(output) == len(lines)
    assert all(line.startswith(start) for line, start in zip(output, lines, strict=True))


@pytest.mark.slow
def test_the_client_with_requests_retries_behind_a_proxy(service: Service, folder: Path) -> None:
    """After a 502 without a body, as Caddy sends it while an instance restarts."""
    statuses = [502, 503]

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = (
                (statuses.pop(), [])
                if statuses
                else service.ask("POST", self.path, body, self.headers["Content-Type"])[:2]
            )
            content = json.dumps(answer).encode() if answer else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        Thread(target=proxy.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{proxy.server_address[1]}/"
        output = run([sys.executable, "-c", blocks("python")[0].replace(URL, url)], folder)
        proxy.shutdown()
    assert output.startswith("boot.png Ankle boot")
    assert not statuses


def test_the_client_without_packages_prints_the_error(service: Service, folder: Path) -> None:
    """The reason why a photo cannot be used is in the body of the response."""
    (folder / "boot.png").write_bytes(b"")
    output = run([sys.executable, "-c", blocks("python")[1].replace(URL, service.url)], folder)
    assert "empty" in output


def test_the_responses_are_those_of_the_service(service: Service) -> None:
    """The record of the sample and the error of a truncated photo, apart from the id of the request."""
    record, error = (rounded(block) for block in blocks("json"))
    assert rounded(json.dumps(service.ask("POST", "/predict", BOOT)[1])) == record
    actual = service.ask("POST", "/predict", BOOT[:200])[1]
    assert actual == error | {"request_id": actual["request_id"]}


def rounded(text: str) -> dict[str, object]:
    """Parse JSON with three decimals: the last digits depend on the processor."""
    return json.loads(text, parse_float=lambda number: round(float(number), 3))


def test_every_option_path_and_status_is_described(service: Service) -> None:
    """Those of the OpenAPI description, and no other options."""
    _, description, _ = service.ask("GET", "/openapi.json")
    assert [path for path in description["paths"] if f"{path}`" not in PAGE] == []
    responses = description["paths"]["/predict"]["post"]["responses"]
    assert re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE) == sorted({*responses, "500"} - {"200"})
    table = PAGE.partition("| option |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(PredictionOptions.model_fields)


@pytest.fixture(scope="module")
def other_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Service]]:
    """A page of another site, with the functions of the documentation, and a service that allows it."""
    folder = tmp_path_factory.mktemp("other-site")
    with hosting(folder) as host, open_browser() as browser:
        origin = host.url.replace("127.0.0.1", "localhost").rstrip("/")
        with serving(f"--allow-origin={origin}") as service:
            code = "\n".join(blocks("javascript")).replace(URL, service.url)
            (folder / "index.html").write_text(f"<!doctype html><title>Shop</title><script>{code}</script>")
            page = browser.new_page()
            page.goto(origin)
            yield page, service


@needs_chromium
def test_the_functions_in_javascript_work(other_page: tuple[Page, Service]) -> None:
    """On a page of another origin: files of a form, and a data URL as JSON, which needs a preflight."""
    page, _ = other_page
    records = page.evaluate(
        "bytes => predict([new File([new Uint8Array(bytes)], 'boot.png'), new File(['x'], 'text.png')])", list(BOOT)
    )
    assert [(record["file"], record["label"]) for record in records] == [("boot.png", "Ankle boot"), ("text.png", None)]
    data_url = f"data:image/png;base64,{base64.b64encode(BOOT).decode()}"
    assert page.evaluate("predictDataUrl", data_url)["label"] == "Ankle boot"
    assert "JPEG, PNG or WebP" in page.evaluate(
        "predictDataUrl('data:image/png;base64,AAAA').catch((error) => error.message)"
    )


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("status", [502, 503])
def test_the_function_in_javascript_retries(status: int, other_page: tuple[Page, Service]) -> None:
    """Also after a 502 without Retry-After, as a proxy sends it while an instance restarts."""
    page, _ = other_page
    statuses = [status]
    page.route("**/predict", lambda route: route.fulfill(status=statuses.pop()) if statuses else route.continue_())
    records = page.evaluate("bytes => predict([new File([new Uint8Array(bytes)], 'boot.png')])", list(BOOT))
    page.unroute("**/predict")
    assert (records[0]["label"], statuses) == ("Ankle boot", [])


@needs_chromium
def test_other_pages_cannot_use_the_functions(other_page: tuple[Page, Service]) -> None:
    """A page that the service does not allow reads no response."""
    page, service = other_page
    page.goto(page.url.replace("localhost", "127.0.0.1"))
    assert page.evaluate("predict([new File(['x'], 'a.png')]).then(() => 'read', (error) => error.name)") == "TypeError"
    assert service.ask("GET", "/health/ready")[0] == 200
