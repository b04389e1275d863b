"""The API, asked as a client asks it, and the faults that a stranger may bring."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from helpers.command import inside
from helpers.memory import peak
from helpers.models import tiny_model
from helpers.service import BOOT, SAMPLES, Service, form, serving
from modiste.inference import bundled_files
from modiste.labels import FASHION_MNIST

MIB = 2**20


def test_a_picture_is_told_as_the_command_tells_it(service: Service, tmp_path: Path) -> None:
    """The body's record is that of `modiste predict --json`, to the last digit."""
    status, told, _ = service.ask("POST", "/predict?top=3", BOOT)
    (printed,) = json.loads(inside(tmp_path, "predict", "--json", "--top=3", str(SAMPLES / "ankle-boot.png")).stdout)
    assert status == 200
    assert told == printed | {"file": ""}
    assert told["label"] == "Ankle boot"


def test_a_form_of_many_is_a_list_in_their_order(service: Service) -> None:
    """A broken one is a record with its reason and spoils none of the others."""
    names = ["dress", "bag", "trouser"]
    files = [(f"{name}.png", (SAMPLES / f"{name}.png").read_bytes()) for name in names]
    status, told, _ = service.ask("POST", "/predict", *form(*files, ("x.png", b"no picture")))
    assert status == 200
    assert [record["label"] for record in told] == ["Dress", "Bag", "Trouser", None]
    assert "JPEG, PNG or WebP" in told[3]["error"]


def test_the_image_that_the_network_sees_can_be_asked_for(service: Service) -> None:
    """It is a PNG in a data URL."""
    _, told, _ = service.ask("POST", "/predict?preview=true", BOOT)
    assert told["preview"].startswith("data:image/png;base64,iVBOR")


def test_a_model_that_fails_is_told_as_that(tmp_path: Path) -> None:
    """What comes out of it is no number: neither a label nor a picture's fault (fault 23)."""
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(tiny_model(weights=np.full((784, 2), np.nan, np.float32)))
    with serving(f"--model={broken}") as service:
        for body, kind in ((BOOT, "image/png"), form(("a.png", BOOT))):
            status, told, _ = service.ask("POST", "/predict", body, kind)
            assert (status, sorted(told)) == (500, ["error", "request_id"])
            assert "The model failed" in told["error"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
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
        (form(*[("a", BOOT)] * 40)[0], form()[1], 400, "32 files"),
        (form(("a", b""))[0], form()[1], 415, "empty"),
        (form(("a", BOOT), ("b", BOOT))[0][:-50], form()[1], 400, "last boundary"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_one_sentence(service: Service, body: bytes, kind: str, status: int, words: str) -> None:
    """The status says whose fault it is, the sentence what to do (faults 1, 2 and 13)."""
    found, told, _ = service.ask("POST", "/predict", body, kind)
    record = told[0] if isinstance(told, list) else told
    assert found == status
    assert words in record["error"]


@pytest.mark.parametrize("query", ["top=0", "top=x", "top=1000", "preview=perhaps"])
def test_a_wrong_parameter_is_named(service: Service, query: str) -> None:
    """Nothing of the client's own text is in the answer."""
    status, told, _ = service.ask("POST", f"/predict?{query}", BOOT)
    assert status == 400
    assert query.partition("=")[0] in told["error"]


@pytest.mark.parametrize("path", ["/nothing", "/..%2f..%2fetc%2fpasswd", "//etc/passwd", "/page.js/../../app.py"])
def test_what_is_not_there_is_404(service: Service, path: str) -> None:
    """No path leads out of what was read at the start (fault 17)."""
    status, told, headers = service.ask("GET", path)
    assert status == 404
    assert told["request_id"] == headers["x-request-id"]


def test_another_method_is_405(service: Service) -> None:
    """Pictures are posted."""
    assert service.ask("GET", "/predict")[0] == 405
    assert service.ask("OPTIONS", "/predict", Origin="http://evil.example")[0] == 405


@pytest.mark.parametrize("path", ["/", "/page.css", "/samples/bag.png"])
def test_head_is_get_without_its_body(service: Service, path: str) -> None:
    """As a checker of links asks."""
    status, content, headers = service.ask("HEAD", path)
    _, whole, _ = service.ask("GET", path)
    assert (status, content) == (200, b"")
    assert int(headers["content-length"]) == len(whole)


def test_a_strangers_name_for_this_machine_is_refused(service: Service) -> None:
    """A page elsewhere that resolves to this machine cannot use it (fault 17)."""
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", ""):
        status, told, _ = service.ask("GET", "/about", Host=host)
        assert (status, told.keys()) == (400, {"error", "request_id"})
    assert service.ask("GET", "/about", Host="localhost:1234")[0] == 200


def test_no_header_lets_other_pages_read(service: Service) -> None:
    """No CORS; what a browser loads comes from here alone."""
    _, _, headers = service.ask("GET", "/", Origin="http://evil.example")
    assert "access-control-allow-origin" not in headers
    assert headers["content-security-policy"].startswith("default-src 'self'")


@pytest.mark.parametrize("name", ["../../x", "a\0b", "x" * 4096, "\u202egnp.exe"], ids=["up", "nul", "long", "rtl"])
def test_the_name_of_a_file_is_never_used(service: Service, name: str) -> None:
    """Whatever it is, it is not told and nothing is written (fault 13)."""
    status, told, _ = service.ask("POST", "/predict", *form((name, BOOT)))
    assert (status, told[0]["file"]) == (200, "") if isinstance(told, list) else status == 400


def test_nothing_is_fetched_for_a_client(tmp_path: Path) -> None:
    """For a URL or a path, in the body, a form or the query, no file and no connection is opened (fault 16)."""
    opened = tmp_path / "opened"
    hook = (
        f"import sys; told = open({str(opened)!r}, 'w', buffering=1); "
        "sys.addaudithook(lambda what, given: what in ('open', 'socket.connect') and told.write(f'{what} {given}\\n'))"
    )
    with serving(changed=hook) as service:
        service.ask("POST", "/predict", BOOT)  # what is opened once is opened now
        before = opened.read_text()
        for url in (f"http://127.0.0.1:{service.address[1]}/samples/bag.png", "file:///etc/passwd", "/etc/passwd"):
            assert service.ask("POST", f"/predict?url={url}&file={url}", url.encode())[0] == 415
            assert service.ask("POST", "/predict", *form((url, url.encode())))[0] == 415
        assert service.ask("POST", "/predict", BOOT)[0] == 200
        assert opened.read_text() == before


def test_a_body_over_the_limit_is_refused_before_it_is_sent(service: Service) -> None:
    """An honest length is believed (fault 11)."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 99999999\r\n\r\n"
    answer = service.send(head.replace(b"Host", b"Connection: close\r\nHost"))
    assert b" 413 " in answer.partition(b"\r\n")[0]


def test_a_body_of_unknown_length_is_refused_while_it_arrives(service: Service) -> None:
    """Chunks are counted; memory stays bounded (fault 11)."""
    before = peak(service.process.pid)

    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield bytes(MIB)

    try:
        status = service.ask("POST", "/predict", endless())[0]
    except (BrokenPipeError, ConnectionResetError):
        status = 413  # the server closed while we were still sending
    assert status == 413
    assert peak(service.process.pid) - before < 100 * MIB


def test_a_head_without_end_is_refused(service: Service) -> None:
    """What comes before a body is bounded too (fault 11)."""
    try:
        answer = service.send(b"GET / HTTP/1.1\r\nX: " + b"x" * MIB)
    except ConnectionError:
        answer = b"HTTP/1.1 400 closed while we were still sending"
    assert b" 400 " in answer.partition(b"\r\n")[0]


def test_a_compressed_body_is_refused(service: Service) -> None:
    """It would be as large as it likes (fault 11)."""
    assert service.ask("POST", "/predict", BOOT, **{"Content-Encoding": "gzip"})[0] == 415


def test_chunks_of_one_byte_are_one_picture(service: Service) -> None:
    """However small the parts are, the answer is the same (fault 12)."""
    status, told, _ = service.ask("POST", "/predict", (BOOT[i : i + 1] for i in range(len(BOOT))))
    assert (status, told["label"]) == (200, "Ankle boot")


def test_clients_that_go_away_leave_nothing_behind(service: Service) -> None:
    """After many of them the gauge is back at this request alone, and others are served (fault 12)."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\nhalf"
    for _ in range(200):
        with socket.create_connection(service.address) as connection:
            connection.sendall(head)
    assert service.ask("POST", "/predict", BOOT)[0] == 200
    deadline = time.monotonic() + 10
    while b"modiste_requests_in_flight 1.0" not in service.ask("GET", "/metrics")[1]:
        assert time.monotonic() < deadline


def test_every_request_is_counted_once(service: Service) -> None:
    """Two hundred from eight threads are two hundred more (fault 22, with one worker)."""

    def total() -> float:
        lines = service.ask("GET", "/metrics")[1].decode().splitlines()
        counted = [line for line in lines if line.startswith('modiste_requests_total{path="/predict",status="200"}')]
        return sum(float(line.split()[-1]) for line in counted)

    before = total()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: service.ask("POST", "/predict", BOOT)[0], range(200)))
    assert answers == [200] * 200
    assert total() - before == 200


def test_an_error_tells_nothing_of_the_machine(service: Service) -> None:
    """No path, traceback, address or library in any of them (fault 15)."""
    answers = [
        service.ask("POST", "/predict", body)[1] for body in (b"", b"x" * 100, BOOT[:100], BOOT[:40] + bytes(400))
    ]
    answers.append(service.ask("GET", "/nothing")[1])
    for answer in answers:
        assert answer.keys() == {"error", "request_id"}
        assert not [
            part for part in ("/root", "site-packages", "Traceback", "0x", "PIL", "Error(") if part in str(answer)
        ]


def test_health_is_told(service: Service) -> None:
    """Live and ready, and who answers, with what their files say of themselves."""
    assert service.ask("GET", "/health/live")[:2] == (200, {"status": "live"})
    assert service.ask("GET", "/health/ready")[:2] == (200, {"status": "ready"})
    models = service.ask("GET", "/about")[1]["models"]
    assert [model["model"] for model in models] == list(bundled_files.NAMES)
    assert (models[0]["size"], models[0]["channels"], len(models[0]["labels"])) == (28, 1, 10)
    assert models[0]["scores"]["test"]["accuracy"] > 0.9
    assert models[1]["scores"]["folds"]["n"] > 2000


@pytest.mark.parametrize(("channels", "kinds"), [(1, {"png"}), (3, {"png", "jpg"})])
def test_samples_are_such_as_a_model_takes(channels: int, kinds: set[str], tmp_path: Path) -> None:
    """Photos are offered where a model of photos answers, each with its label, and there they can be had."""
    (tmp_path / "model.onnx").write_bytes(tiny_model(channels=channels))
    with serving(f"--model={tmp_path / 'model.onnx'}") as service:
        samples = service.ask("GET", "/about")[1]["samples"]
        assert {each["file"].rpartition(".")[2] for each in samples} == kinds
        assert {each["label"] for each in samples} <= set(FASHION_MNIST)
        assert [service.ask("GET", f"/{each['file']}")[0] for each in samples] == [200] * len(samples)


def test_a_model_may_be_named(service: Service) -> None:
    """Else each picture gets the one that fits; a name that nobody has is told."""
    for name in bundled_files.NAMES:
        assert service.ask("POST", f"/predict?model={name}", BOOT)[1]["model"] == name
    assert service.ask("POST", "/predict", BOOT)[1]["model"] == bundled_files.NAMES[0]
    status, told, _ = service.ask("POST", "/predict?model=none", BOOT)
    assert (status, told["error"]) == (
        400,
        "There is no such model. Take one of " + ", ".join(bundled_files.NAMES) + ".",
    )


def test_the_description_names_every_path(service: Service) -> None:
    """OpenAPI has what there is, with the body of `/predict`; the API's page is made from it, from here alone."""
    _, description, _ = service.ask("GET", "/openapi.json")
    assert description["paths"].keys() == {"/predict", "/health/live", "/health/ready", "/metrics", "/about"}
    assert "multipart/form-data" in description["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert b"docs.js" in service.ask("GET", "/docs")[1]
