"""Requests at the edge of HTTP, and those of third-party pages (faults 16, 17 and 42)."""

import json
import socket

import pytest

from helpers.service import BOOT, Service, serving

HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(BOOT)


def parse(response: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return the status, headers and body of a response."""
    head, _, body = response.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, body


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
        connection.sendall(HEAD.replace(b"1.1", version, 1) + BOOT)
        connection.shutdown(socket.SHUT_WR)
        response = b"".join(iter(lambda: connection.recv(65536), b""))
    status, _, body = parse(response)
    assert (status, json.loads(body)["label"]) == (200, "Ankle boot")


def test_fault_42_a_half_closed_client_gets_the_answers_of_all_its_requests(service: Service) -> None:
    """Pipelined ones, too, and the connection is closed after the last one."""
    with socket.create_connection(service.address, timeout=30) as connection:
        connection.sendall((HEAD + BOOT) * 3 + b"GET /about HTT")
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


def test_fault_17_an_allowed_origin_can_send_photos() -> None:
    """The settings of the application list such origins."""
    with serving("--allow-origin=https://shop.example") as service:
        site = {"Sec-Fetch-Site": "cross-site"}
        assert service.ask("POST", "/predict", BOOT, Origin="https://shop.example", **site)[0] == 200
        assert service.ask("POST", "/predict", BOOT, Origin="https://other.example", **site)[0] == 403
