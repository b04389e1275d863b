"""The HTTP API: predictions, errors, limits, and hostile requests."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from helpers.command import run_in_process
from helpers.memory import peak
from helpers.models import tiny_model
from helpers.service import BOOT, SAMPLES, Service, form, post_head, serving
from modiste.imaging.file_format import is_heic_supported
from modiste.inference import bundled_files
from modiste.labels import FASHION_MNIST
from modiste.web.request_reader import PHOTO_TYPES

MIB = 2**20


def test_a_record_equals_that_of_the_command(service: Service, tmp_path: Path) -> None:
    """A photo sent as the body gives the record of `modiste predict --json`, to the last digit."""
    status, response, _ = service.ask("POST", "/predict?top=3", BOOT)
    (printed,) = json.loads(
        run_in_process(tmp_path, "predict", "--json", "--top=3", str(SAMPLES / "ankle-boot.png")).stdout
    )
    assert status == 200
    assert response == printed | {"file": ""}
    assert response["label"] == "Ankle boot"


def test_a_form_gives_a_list_in_the_order_of_its_files(service: Service) -> None:
    """A damaged file gives a record with an error and does not affect the others."""
    names = ["dress", "bag", "trouser"]
    files = [(f"{name}.png", (SAMPLES / f"{name}.png").read_bytes()) for name in names]
    status, response, _ = service.ask("POST", "/predict", *form(*files, ("x.png", b"not a photo")))
    assert status == 200
    assert [record["label"] for record in response] == ["Dress", "Bag", "Trouser", None]
    assert [record["file"] for record in response] == ["dress.png", "bag.png", "trouser.png", "x.png"]
    assert "JPEG, PNG or WebP" in response[3]["error"]


def test_a_preview_can_be_requested(service: Service) -> None:
    """The image that the model receives is a PNG in a data URL."""
    _, response, _ = service.ask("POST", "/predict?preview=true", BOOT)
    assert response["preview"].startswith("data:image/png;base64,iVBOR")


def test_a_model_that_fails_is_a_server_error(tmp_path: Path) -> None:
    """A model that returns NaN gives status 500 and no label (fault 23)."""
    path = tmp_path / "nan.onnx"
    path.write_bytes(tiny_model(weights=np.full((784, 2), np.nan, np.float32)))
    with serving(f"--model={path}") as service:
        for body, content_type in ((BOOT, "image/png"), form(("a.png", BOOT))):
            status, response, _ = service.ask("POST", "/predict", body, content_type)
            assert (status, sorted(response)) == (500, ["error", "request_id"])
            assert "The model failed" in response["error"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"", "image/png", 415, "empty"),
        (b"x", "image/png", 415, "too short"),
        (b"<html></html>", "image/png", 415, "text"),
        (b"%PDF-1.7 and more", "image/jpeg", 415, "PDF"),
        (BOOT, "text/plain", 415, "Content-Type"),
        (BOOT[:200], "image/png", 422, "truncated"),
        (b"x", "multipart/form-data", 400, "form"),
        (form(fields=10)[0], form()[1], 400, "form"),
        (form()[0], form()[1], 400, "no file"),
        (form(*[("a", BOOT)] * 40)[0], form()[1], 400, "too many files or fields. Send up to 32 files"),
        (form(("a", b""))[0], form()[1], 415, "empty"),
        (form(("a", BOOT), ("b", BOOT))[0][:-50], form()[1], 400, "last boundary"),
    ],
    ids=str,
)
def test_fault_13_an_unusable_request_is_an_error(
    service: Service, body: bytes, content_type: str, status: int, reason: str
) -> None:
    """The status gives the category and the message the reason (faults 1, 2 and 13)."""
    actual, response, _ = service.ask("POST", "/predict", body, content_type)
    record = response[0] if isinstance(response, list) else response
    assert actual == status
    assert reason in record["error"]


@pytest.mark.parametrize("query", ["top=-7", "top=x", "top=1001", "preview=perhaps"])
def test_an_invalid_parameter_is_named(service: Service, query: str) -> None:
    """The message names the parameter and what it must be, but does not repeat its value."""
    status, response, _ = service.ask("POST", f"/predict?{query}", BOOT)
    assert status == 400
    name, _, value = query.partition("=")
    rule = {"top": "an integer from 1 to 100", "preview": "true or false"}[name]
    assert (f"{name} must be {rule}" in response["error"], value in response["error"]) == (True, False)


@pytest.mark.parametrize(
    ("path", "body", "content_type"),
    [
        ("/predict?tpo=1", BOOT, "image/png"),
        ("/predict", *form(("a.png", BOOT), options={"tpo": "1"})),
        ("/predict", b'{"image": "aGVsbG8=", "tpo": 1}', "application/json"),
    ],
    ids=["query", "form", "JSON"],
)
def test_an_unknown_option_is_an_error(service: Service, path: str, body: bytes, content_type: str) -> None:
    """A typo is not ignored; the message lists the options, but does not repeat what was sent."""
    status, response, _ = service.ask("POST", path, body, content_type)
    assert (status, "tpo" in response["error"]) == (400, False)
    assert "The options are top, preview, heatmap, model." in response["error"]


def test_the_content_types_that_are_read_are_listed(service: Service) -> None:
    """In the error of another one; `/about` has those of photos for choosers of files, HEIC with its decoder alone."""
    _, response, _ = service.ask("POST", "/predict", BOOT, "text/plain")
    assert all(each in response["error"] for each in PHOTO_TYPES)
    expected = [
        each for each in PHOTO_TYPES if each.startswith("image/") and (is_heic_supported() or "hei" not in each)
    ]
    assert service.ask("GET", "/about")[1]["photo_types"] == expected


@pytest.mark.parametrize("path", ["/nothing", "/..%2f..%2fetc%2fpasswd", "//etc/passwd", "/page.js/../../app.py"])
def test_a_path_that_does_not_exist_is_404(service: Service, path: str) -> None:
    """No path reaches other files (fault 17)."""
    status, response, headers = service.ask("GET", path)
    assert status == 404
    assert response["request_id"] == headers["x-request-id"]


def test_another_method_is_405(service: Service) -> None:
    """`/predict` accepts POST only."""
    assert service.ask("GET", "/predict")[0] == 405
    assert service.ask("OPTIONS", "/predict", Origin="http://evil.example")[0] == 405


@pytest.mark.parametrize("path", ["/", "/page.css", "/samples/bag.png"])
def test_head_is_get_without_a_body(service: Service, path: str) -> None:
    """Link checkers send HEAD requests."""
    status, content, headers = service.ask("HEAD", path)
    _, expected, _ = service.ask("GET", path)
    assert (status, content) == (200, b"")
    assert int(headers["content-length"]) == len(expected)


def test_another_host_name_is_rejected(service: Service) -> None:
    """A third-party page whose name resolves to this machine cannot use the API (fault 17)."""
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", ""):
        status, response, _ = service.ask("GET", "/about", Host=host)
        assert (status, response.keys()) == (400, {"error", "request_id"})
    assert service.ask("GET", "/about", Host="localhost:1234")[0] == 200


def test_other_pages_cannot_read_responses(service: Service) -> None:
    """There are no CORS headers, and the page loads nothing from other hosts."""
    _, _, headers = service.ask("GET", "/", Origin="http://evil.example")
    assert "access-control-allow-origin" not in headers
    assert headers["content-security-policy"].startswith("default-src 'self'")


def test_fault_16_nothing_is_fetched_for_a_client(tmp_path: Path) -> None:
    """A URL or path in the body, form or query opens no file and no connection (fault 16)."""
    log = tmp_path / "log"
    hook = (
        f"import sys; log = open({str(log)!r}, 'w', buffering=1); "
        "sys.addaudithook(lambda event, args: event in ('open', 'socket.connect') and log.write(f'{event} {args}\\n'))"
    )
    with serving(setup=hook) as service:
        service.ask("POST", "/predict", BOOT)  # opens what is loaded lazily
        before = log.read_text()
        for url in (f"http://127.0.0.1:{service.address[1]}/samples/bag.png", "file:///etc/passwd", "/etc/passwd"):
            assert service.ask("POST", f"/predict?url={url}&file={url}", BOOT)[0] == 400
            assert service.ask("POST", "/predict", url.encode())[0] == 415
            assert service.ask("POST", "/predict", *form((url, url.encode())))[0] == 415
        assert service.ask("POST", "/predict", BOOT)[0] == 200
        assert log.read_text() == before


def test_a_body_over_the_limit_is_rejected_by_its_length(service: Service) -> None:
    """Content-Length is checked before the body is read; of a form, the message says to send fewer (fault 11)."""
    head = post_head(99999999).replace(b"Host", b"Connection: close\r\nHost")
    for kind, advice in (
        (b"image/png", b"Send a smaller photo."),
        (b"multipart/form-data", b"Send smaller photos, or "),
    ):
        response = service.send(head.replace(b"image/png", kind))
        assert b" 413 " in response.partition(b"\r\n")[0]
        assert advice in response


def test_fault_11_a_chunked_body_over_the_limit_is_rejected(service: Service) -> None:
    """Chunks are counted while they arrive, so memory stays bounded (fault 11)."""
    before = peak(service.process.pid)

    def chunks() -> Iterator[bytes]:
        for _ in range(64):
            yield bytes(MIB)

    try:
        status = service.ask("POST", "/predict", chunks())[0]
    except (BrokenPipeError, ConnectionResetError):
        status = 413  # the server closed the connection early
    assert status == 413
    assert peak(service.process.pid) - before < 100 * MIB


def test_an_oversized_head_is_rejected(service: Service) -> None:
    """The size of the request head is limited too (fault 11)."""
    try:
        response = service.send(b"GET / HTTP/1.1\r\nX: " + b"x" * MIB)
    except ConnectionError:
        response = b"HTTP/1.1 400 closed early"
    assert b" 400 " in response.partition(b"\r\n")[0]


def test_a_compressed_body_is_rejected(service: Service) -> None:
    """Its decompressed size is unknown (fault 11)."""
    assert service.ask("POST", "/predict", BOOT, **{"Content-Encoding": "gzip"})[0] == 415


def test_a_photo_may_arrive_in_chunks_of_one_byte(service: Service) -> None:
    """The size of the chunks does not change the prediction (fault 12)."""
    status, response, _ = service.ask("POST", "/predict", (BOOT[i : i + 1] for i in range(len(BOOT))))
    assert (status, response["label"]) == (200, "Ankle boot")


def test_clients_that_disconnect_leave_nothing_behind(service: Service) -> None:
    """After many of them only the current request is in flight, and others are served (fault 12)."""
    for _ in range(200):
        with socket.create_connection(service.address) as connection:
            connection.sendall(post_head(1000) + b"half")
    assert service.ask("POST", "/predict", BOOT)[0] == 200
    deadline = time.monotonic() + 10
    while b"modiste_requests_in_flight 1.0" not in service.ask("GET", "/metrics")[1]:
        assert time.monotonic() < deadline


def test_fault_22_every_request_is_counted_once(service: Service) -> None:
    """Two hundred requests from eight threads add two hundred to the counter (fault 22, with one worker)."""

    def total() -> float:
        lines = service.ask("GET", "/metrics")[1].decode().splitlines()
        matching = [line for line in lines if line.startswith('modiste_requests_total{path="/predict",status="200"}')]
        return sum(float(line.split()[-1]) for line in matching)

    before = total()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: service.ask("POST", "/predict", BOOT)[0], range(200)))
    assert statuses == [200] * 200
    assert total() - before == 200


def test_fault_15_an_error_contains_no_details_of_the_server(service: Service) -> None:
    """No message has a path, traceback, memory address or library name (fault 15)."""
    errors = [
        service.ask("POST", "/predict", body)[1] for body in (b"", b"x" * 100, BOOT[:100], BOOT[:40] + bytes(400))
    ]
    errors.append(service.ask("GET", "/nothing")[1])
    for error in errors:
        assert error.keys() == {"error", "request_id"}
        assert not [
            part for part in ("/root", "site-packages", "Traceback", "0x", "PIL", "Error(") if part in str(error)
        ]


def test_health_and_models(service: Service) -> None:
    """The health checks pass, and `/about` lists the models with the scores in their files."""
    assert service.ask("GET", "/health/live")[:2] == (200, {"status": "live"})
    assert service.ask("GET", "/health/ready")[:2] == (200, {"status": "ready"})
    models = service.ask("GET", "/about")[1]["models"]
    assert [model["name"] for model in models] == list(bundled_files.NAMES)
    assert (models[0]["image_size"], models[0]["channels"], len(models[0]["class_names"])) == (28, 1, 10)
    assert models[0]["scores"]["test"]["accuracy"] > 0.9
    assert models[1]["scores"]["folds"]["n"] > 2000


@pytest.mark.parametrize(("channels", "suffixes"), [(1, {"png"}), (3, {"jpg"})])
def test_samples_fit_the_loaded_model(channels: int, suffixes: set[str], tmp_path: Path) -> None:
    """Photos for models of RGB photos, images of Fashion-MNIST for gray ones; both of its own classes."""
    (tmp_path / "model.onnx").write_bytes(tiny_model(("Coat", "Dress"), channels=channels))
    with serving(f"--model={tmp_path / 'model.onnx'}") as service:
        samples = service.ask("GET", "/about")[1]["samples"]
        assert {each["file"].rpartition(".")[2] for each in samples} == suffixes
        assert {each["label"] for each in samples} <= set(FASHION_MNIST)
        assert [service.ask("GET", f"/{each['file']}")[0] for each in samples] == [200] * len(samples)


def test_a_model_can_be_chosen_by_name(service: Service) -> None:
    """Without a name each photo is predicted by the model that fits; an unknown name is an error."""
    for name in bundled_files.NAMES:
        assert service.ask("POST", f"/predict?model={name}", BOOT)[1]["model"] == name
    assert service.ask("POST", "/predict", BOOT)[1]["model"] == bundled_files.NAMES[0]
    status, response, _ = service.ask("POST", "/predict?model=none", BOOT)
    assert status == 400
    assert response["error"] == f"No model has this name. Use one of {', '.join(bundled_files.NAMES)}."


def test_the_openapi_description_lists_every_path(service: Service) -> None:
    """It includes the body of `/predict`, and the API page is generated from it."""
    _, description, _ = service.ask("GET", "/openapi.json")
    assert description["paths"].keys() == {"/predict", "/health/live", "/health/ready", "/metrics", "/about"}
    assert "multipart/form-data" in description["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert b"docs.js" in service.ask("GET", "/docs")[1]
