"""How the service starts, bears load, and stops."""

import asyncio
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from starlette.requests import Request
from starlette.types import Message

from helpers.command import inside
from helpers.pictures import saved
from helpers.service import BOOT, SAMPLES, Service, form, serving
from modiste.web import request_reader
from modiste.web import work_queue as desk_module
from modiste.web.http_error import HttpError
from modiste.web.work_queue import WorkQueue


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    """One line, exit code 2 (fault 24)."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = inside(tmp_path, "serve", f"--port={port}", code=2)
    assert len(done.stderr.splitlines()) == 1
    assert "--port" in done.stderr


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_without_its_model_it_never_listens(tmp_path: Path, content: bytes | None) -> None:
    """Missing or damaged, it ends with one line and exit code 2 (fault 21)."""
    if content is not None:
        (tmp_path / "m.onnx").write_bytes(content)
    done = inside(tmp_path, "serve", "--port=0", "--model=m.onnx", code=2)
    assert done.stdout == ""
    assert "m.onnx" in done.stderr


def test_a_burst_is_answered_or_told_to_come_back() -> None:
    """With one thread and many clients, nothing but 200 and 503 with Retry-After, and then all is well (fault 18)."""
    with serving("--threads=1") as service, ThreadPoolExecutor(40) as pool:
        photo = form(*[("a", BOOT)] * 30)
        answers = list(pool.map(lambda _: service.ask("POST", "/predict", *photo), range(120)))
        assert {status for status, _, _ in answers} == {200, 503}
        assert all(headers["retry-after"] == "1" for status, _, headers in answers if status == 503)
        assert service.ask("GET", "/health/ready")[0] == 200
        assert service.ask("POST", "/predict", BOOT)[0] == 200


def test_a_signal_lets_accepted_pictures_finish() -> None:
    """A form of pictures that are at work is answered as ever, then it ends with exit code 0 (fault 20)."""
    photo = saved(Image.effect_noise((1800, 1200), 80), "JPEG")
    with serving("--threads=1") as service, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(service.ask, "POST", "/predict", *form(*[("a", photo)] * 20))
        while b"modiste_queue_in_use 0.0" in service.ask("GET", "/metrics")[1]:
            time.sleep(0.01)
        service.process.send_signal(signal.SIGTERM)
        status, told, _ = asked.result()
        assert (status, len(told)) == (200, 20)
        assert service.process.wait(30) == 0


def test_a_signal_lets_nobody_in_any_more() -> None:
    """Whose picture was not whole yet is told that the service is stopping (fault 20)."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(
        BOOT
    )
    with serving() as service, socket.create_connection(service.address, timeout=30) as connection:
        connection.sendall(head + BOOT[:100])
        time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert service.process.poll() is None
        connection.sendall(BOOT[100:])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert service.process.wait(30) == 0
    assert b"503" in answer.partition(b"\r\n")[0]  # it came before the picture was whole
    assert b"stopping" in answer


def test_a_second_signal_ends_at_once() -> None:
    """A client that never sends the rest does not hold it up (fault 20)."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n"
    with serving() as service, socket.create_connection(service.address) as connection:
        connection.sendall(head)
        time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(5) == 0


def test_a_silent_connection_is_closed() -> None:
    """Who never asks for anything keeps no place for ever (fault 12)."""
    with serving(changed="from modiste.web import server; server.SILENCE = 0.5") as service:
        assert service.send(b"GET / HT") == b""
        whole = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert service.send(whole + b"G").count(b"HTTP/1.1") == 1  # a second one is begun, and never ended


MANY = b"GET /samples/coat.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n" * 299
LAST = b"GET /samples/coat.jpg HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def connected(service: Service) -> socket.socket:
    """A connection whose end takes little at a time, with three hundred samples asked for."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**15)
    connection.connect(service.address)
    connection.sendall(MANY + LAST)
    return connection


def wait_for(service: Service, requests: int) -> None:
    """Wait until so many requests are in flight, that for the metrics among them."""
    deadline = time.monotonic() + 20
    while f"modiste_requests_in_flight {requests}.0" not in service.ask("GET", "/metrics")[1].decode():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_who_does_not_read_is_let_go() -> None:
    """Answers that nobody takes keep no place, and do not hold up the end of the service (faults 12 and 20)."""
    changed = "from modiste.web import server; server.SILENCE = 2; server.GRACE = 1"
    with serving(changed=changed) as service, connected(service):
        wait_for(service, 2)
        wait_for(service, 1)
        with connected(service):
            wait_for(service, 2)
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(15) == 0


def test_who_reads_slowly_gets_it_all() -> None:
    """However long it takes, as long as something is read."""
    with serving(changed="from modiste.web import server; server.SILENCE = 1") as service:
        with connected(service) as connection:
            began, got = time.monotonic(), 0
            while part := connection.recv(2**15):
                got += len(part)
                time.sleep(0.03)
        assert time.monotonic() - began > 2
        assert got > 300 * len((SAMPLES / "coat.jpg").read_bytes())


def test_a_crowd_is_told_to_come_back() -> None:
    """More requests at a time than the service holds: 503 with Retry-After, and none is lost (fault 18)."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n"
    with serving(changed="from modiste.web import watch; watch.MOST = 1") as service:
        with socket.create_connection(service.address) as slow:
            slow.sendall(head)
            time.sleep(0.5)
            status, told, headers = service.ask("GET", "/about")
            assert (status, headers["retry-after"], sorted(told)) == (503, "1", ["error", "request_id"])
            assert service.ask("GET", "/health/live")[0] == 200
        time.sleep(0.5)
        assert service.ask("GET", "/about")[0] == 200


def test_a_slow_body_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who drips is told so (fault 12)."""
    monkeypatch.setattr(request_reader, "SECONDS", 0.2)

    async def drip() -> Message:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"image/png")]}
    taking = request_reader.RequestReader()

    async def take() -> None:
        async with taking.pictures(Request(scope, drip)):
            pass

    with pytest.raises(HttpError) as caught:
        asyncio.run(take())
    assert caught.value.status == 408
    assert taking.held == 0


def test_what_all_requests_hold_together_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more body than there is memory for is told to come back (fault 11)."""
    monkeypatch.setattr(request_reader, "MAX_HELD", 100)
    taking = request_reader.RequestReader()

    def request(size: int) -> Request:
        async def receive() -> Message:
            return {"type": "http.request", "body": bytes(size), "more_body": False}

        return Request({"type": "http", "method": "POST", "headers": [(b"content-type", b"image/png")]}, receive)

    async def both() -> None:
        async with taking.pictures(request(80)) as ([first], is_form):
            assert (len(first), is_form) == (80, False)
            async with taking.pictures(request(80)):
                pass

    with pytest.raises(HttpError) as caught:
        asyncio.run(both())
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "1")
    assert taking.held == 0


def test_a_desk_counts_who_is_inside() -> None:
    """Work that fails gives its place back; a closed queue lets nobody in."""
    queue = WorkQueue(threads=1, room=2)

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(queue.submit([fail]))
    assert queue.in_use == 0
    with pytest.raises(HttpError, match="wait already"):
        asyncio.run(queue.submit([fail] * 3))
    queue.closing = True
    with pytest.raises(HttpError, match="stopping"):
        asyncio.run(queue.submit([fail]))


def test_who_waits_for_too_long_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the pictures before are, what is let in has an answer in bounded time (fault 18)."""
    monkeypatch.setattr(desk_module, "PATIENCE", 0.05)
    queue = WorkQueue(threads=1)
    asyncio.run(
        queue.submit([lambda: time.sleep(0.2), lambda: None])
    )  # for its own pictures it waits as long as it takes

    async def both() -> None:
        await asyncio.gather(queue.submit([lambda: time.sleep(0.2)]), queue.submit([str]))

    with pytest.raises(HttpError, match="wait already"):
        asyncio.run(both())


def test_what_takes_longer_takes_more_room() -> None:
    """An idle queue takes it all the same; a busy one has no room for it, and gets all of its own back."""
    queue = WorkQueue(threads=1, room=4)

    async def one_after_the_other() -> list[str]:
        long = asyncio.create_task(queue.submit([lambda: time.sleep(0.2)], cost=9))
        await asyncio.sleep(0.05)
        with pytest.raises(HttpError, match="wait already"):
            await queue.submit([str], cost=2)
        await long
        return await queue.submit([str], cost=2)

    assert asyncio.run(one_after_the_other()) == [""]
    assert queue.in_use == 0
