"""Requests at the edge of HTTP, of third-party pages, and to models that fail (faults 14, 17, 19, 39 and 42)."""

import asyncio
import json
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from starlette.requests import Request

from helpers.memory import MEGABYTE, peak_growth
from helpers.models import tiny_model
from helpers.photos import clothes, saved
from helpers.service import BOOT, Service, form, parse, post_head, serving
from modiste.web.http_error import HttpError
from modiste.web.request_reader import RequestReader

PREDICT = post_head(len(BOOT)) + BOOT

NOT_HTTP = {
    "TLS": b"\x16\x03\x01 hello\r\n\r\n",
    "version": b"GET / HTTP/11\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "large head": b"GET / HTTP/1.1\r\nX: " + b"x" * 2**18,
}


@pytest.mark.parametrize("content", NOT_HTTP.values(), ids=NOT_HTTP)
def test_fault_42_what_is_not_http_gets_an_error_as_any_other(service: Service, content: bytes) -> None:
    """JSON with a request id, the security headers, and no word of the client's."""
    status, headers, body = parse(service.send(content))
    error = json.loads(body)
    assert status == 400
    assert error.keys() == {"error", "request_id"}
    assert error["request_id"] == headers["x-request-id"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["connection"] == "close"


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_fault_42_a_client_that_closes_its_side_gets_its_answer(service: Service, version: bytes) -> None:
    """As `nc -N` does: it sends the request, closes its side, and reads."""
    with socket.create_connection(service.address, timeout=30) as connection:
        connection.sendall(PREDICT.replace(b"1.1", version, 1))
        connection.shutdown(socket.SHUT_WR)
        response = b"".join(iter(lambda: connection.recv(65536), b""))
    status, _, body = parse(response)
    assert (status, json.loads(body)["label"]) == (200, "Ankle boot")


def test_fault_42_a_half_closed_client_gets_the_answers_of_all_its_requests(service: Service) -> None:
    """Pipelined ones, too, and the connection is closed after the last one."""
    with socket.create_connection(service.address, timeout=30) as connection:
        connection.sendall(PREDICT * 3 + b"GET /about HTT")
        connection.shutdown(socket.SHUT_WR)
        response = b"".join(iter(lambda: connection.recv(65536), b""))
    assert response.count(b"HTTP/1.1 200") == 3


SITES = [
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"}, 200),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({}, 200),
]


@pytest.mark.parametrize(("headers", "status"), SITES, ids=str)
def test_fault_17_a_page_of_another_site_cannot_send_photos(
    service: Service, headers: dict[str, str], status: int
) -> None:
    """Browsers tell where a request comes from; other clients send neither header."""
    actual, response, _ = service.ask("POST", "/predict", BOOT, **headers)
    assert actual == status
    assert status == 200 or response.keys() == {"error", "request_id"}
    assert service.ask("GET", "/about", **headers)[0] == 200  # a browser does not let the page read this


def test_fault_17_the_own_page_can_send_photos(service: Service) -> None:
    """Its origin is the host of the request; that of another port is another one."""
    host, port = service.address
    assert service.ask("POST", "/predict", BOOT, Origin=f"http://{host}:{port}")[0] == 200
    assert service.ask("POST", "/predict", BOOT, Origin=f"http://{host}:1")[0] == 403


def test_fault_17_of_two_origins_none_counts(service: Service) -> None:
    """Whichever comes first, and also of those that a browser's own header says."""
    host, port = service.address
    own, other = f"Origin: http://{host}:{port}\r\n", "Origin: http://evil.example\r\n"
    sites = ("Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: cross-site\r\n")
    for headers in (own + other, other + own, "".join(sites)):
        head = post_head(len(BOOT)).replace(b"localhost", f"{host}:{port}".encode())
        sent = head.replace(b"\r\n", b"\r\nConnection: close\r\n" + headers.encode(), 1)
        assert parse(service.send(sent + BOOT))[0] == 403


def test_fault_17_an_allowed_origin_can_send_photos() -> None:
    """The settings of the application list such origins."""
    with serving("--allow-origin=https://shop.example") as service:
        site = {"Sec-Fetch-Site": "cross-site"}
        assert service.ask("POST", "/predict", BOOT, Origin="https://shop.example", **site)[0] == 200
        assert service.ask("POST", "/predict", BOOT, Origin="https://other.example", **site)[0] == 403


def test_fault_19_a_photo_that_cannot_be_used_does_not_change_the_others_of_its_form(service: Service) -> None:
    """Each of 31 others has the record that it has alone."""
    photos = [saved(clothes(60 + number, 40)) for number in range(31)]
    alone = [service.ask("POST", "/predict", photo)[1] for photo in photos]
    status, records, _ = service.ask("POST", "/predict", *form(*[("a", each) for each in [BOOT[:200], *photos]]))
    assert (status, len(records)) == (200, 32)
    assert records[0]["error"]
    assert [record | {"file": ""} for record in records[1:]] == alone


BAD_JSON = {
    "deep": b"[" * 10**5,
    "deep object": b'{"image":' * 10**4,
    "NaN": b'{"image": NaN}',
    "number": b'{"image": 1e999}',
    "not base64": b'{"image": "\\ud800"}',
    "dimensions": b'{"image": [[-1, 99999999999999999999]]}',
    "batch": b'{"image": []}',
    "empty": b"",
    "not text": b"\xff\xfe\x00",
    "option": b'{"image": "aGk=", "top": 1e308}',
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON)
def test_fault_14_json_that_is_no_photo_is_an_error(service: Service, body: bytes) -> None:
    """However deep, and whatever its numbers: status 400."""
    status, error, _ = service.ask("POST", "/predict", body, "application/json")
    assert status == 400
    assert error.keys() == {"error", "request_id"}


LONG_JSON = {
    "lists": b'{"image":[' + b"[]," * (7 * MEGABYTE) + b"[]]}",
    "keys": b'{"image":"",' + b'"k":0,' * (4 * MEGABYTE) + b'"k":0}',
    "images": b'{"image":"",' + b'"image":"",' * (2 * MEGABYTE) + b'"k":0}',
    "spaces": b'{"image":"' + b"AB " * (9 * MEGABYTE) + b'"}',
    "escapes": b'{"image":"' + b"\\/" * (13 * MEGABYTE) + b'"}',
    "name": b'{"image":"","file":"' + b"x/" * (13 * MEGABYTE) + b'"}',
}


@pytest.mark.parametrize("body", LONG_JSON.values(), ids=LONG_JSON)
def test_fault_32_long_json_takes_little_time_and_memory(body: bytes) -> None:
    """Whatever it is: in the time of the event loop, no other request is answered."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def read() -> None:
        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]}
        async with RequestReader().hold_upload(Request(scope, receive)):
            pass

    def read_with_errors() -> None:
        with suppress(HttpError):
            asyncio.run(read())

    begin = time.thread_time()
    growth = peak_growth(read_with_errors)
    assert time.thread_time() - begin < 0.1
    assert growth < 4 * len(body)


@pytest.mark.parametrize(("size", "count"), [(1, 200_000), (63, 20_000)])
def test_fault_12_a_body_of_very_many_small_chunks_is_rejected(service: Service, size: int, count: int) -> None:
    """Reading each takes time in which no other request is answered; of larger ones, there may be any number."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"%x\r\n%s\r\n" % (size, b"x" * size) * count
    status, headers, body = parse(service.send(head + chunks + b"0\r\n\r\n"))
    assert (status, headers["connection"], b"too many small chunks" in body) == (400, "close", True)
    assert service.ask("POST", "/predict", (bytes(64) for _ in range(10_000)))[0] == 415


def test_fault_42_health_checks_of_proxies_are_answered(service: Service) -> None:
    """By HEAD, and by HTTP/1.0 without a host."""
    for path in ("/health/live", "/health/ready"):
        assert service.ask("HEAD", path)[:2] == (200, b"")
        status, _, body = parse(service.send(f"GET {path} HTTP/1.0\r\n\r\n".encode()))
        assert (status, json.loads(body)["status"]) == (200, path.rpartition("/")[2])


@pytest.mark.parametrize("values", [[5.0, -4.0], [0.2, 0.2], [1.5, 0.5]], ids=str)
def test_fault_39_values_that_are_not_probabilities_are_not_served(values: list[float], tmp_path: Path) -> None:
    """A model whose probabilities are negative, or do not sum to 1, gives status 500 and no label."""
    model = onnx.load_model_from_string(tiny_model())
    (softmax,) = (node for node in model.graph.node if node.op_type == "Softmax")
    zero = onnx.numpy_helper.from_array(np.zeros((2, 2), np.float32), "zero")
    added = onnx.numpy_helper.from_array(np.array([values], np.float32), "values")
    model.graph.initializer.extend([zero, added])
    model.graph.node.remove(softmax)
    model.graph.node.append(onnx.helper.make_node("MatMul", ["logits", "zero"], ["nothing"], name="nothing"))
    model.graph.node.append(onnx.helper.make_node("Add", ["nothing", "values"], ["probabilities"], name="values"))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with serving(f"--model={tmp_path / 'model.onnx'}") as service:
        status, error, _ = service.ask("POST", "/predict", BOOT)
    assert (status, error.keys()) == (500, {"error", "request_id"})
