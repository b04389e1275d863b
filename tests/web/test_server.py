"""Start, load, timeouts and shutdown of the service."""

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from PIL import Image
from starlette.requests import Request
from starlette.types import Message

from helpers.command import run_in_process
from helpers.photos import saved
from helpers.service import BOOT, SAMPLES, Service, form, post_head, serving
from modiste.web import request_reader, work_queue
from modiste.web.http_error import HttpError
from modiste.web.request_reader import RequestReader
from modiste.web.work_queue import WorkQueue


def test_fault_24_a_port_in_use_is_an_error(tmp_path: Path) -> None:
    """The command prints one line and exits with code 2 (fault 24)."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        finished = run_in_process(tmp_path, "serve", f"--port={port}", code=2)
    assert len(finished.stderr.splitlines()) == 1
    assert "--port" in finished.stderr


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_fault_21_without_a_valid_model_it_does_not_listen(tmp_path: Path, content: bytes | None) -> None:
    """A missing or damaged model file is an error with exit code 2 (fault 21)."""
    if content is not None:
        (tmp_path / "m.onnx").write_bytes(content)
    finished = run_in_process(tmp_path, "serve", "--port=0", "--model=m.onnx", code=2)
    assert finished.stdout == ""
    assert "m.onnx" in finished.stderr


def test_a_burst_is_answered_or_rejected_with_retry_after() -> None:
    """With one thread and many clients every status is 200 or 503, and the service recovers (fault 18)."""
    with serving("--threads=1") as service, ThreadPoolExecutor(40) as pool:
        photos = form(*[("a", BOOT)] * 30)
        responses = list(pool.map(lambda _: service.ask("POST", "/predict", *photos), range(120)))
        assert {status for status, _, _ in responses} == {200, 503}
        assert all(headers["retry-after"] == "1" for status, _, headers in responses if status == 503)
        assert service.ask("GET", "/health/ready")[0] == 200
        assert service.ask("POST", "/predict", BOOT)[0] == 200


@pytest.mark.slow
def test_a_signal_lets_accepted_photos_finish() -> None:
    """A form whose photos are being predicted is answered, then the process exits with code 0 (fault 20)."""
    photo = saved(Image.effect_noise((1800, 1200), 80), "JPEG")
    setup = "from modiste.web import server; server.SHUTDOWN_TIMEOUT = 200"  # a busy machine needs more than the grace
    with serving("--threads=1", setup=setup) as service, ThreadPoolExecutor(1) as pool:
        future = pool.submit(service.ask, "POST", "/predict", *form(*[("a", photo)] * 20))
        while b"modiste_queue_in_use 0.0" in service.ask("GET", "/metrics")[1]:
            time.sleep(0.01)
        service.process.send_signal(signal.SIGTERM)
        status, records, _ = future.result()
        assert (status, len(records)) == (200, 20)
        assert service.process.wait(30) == 0


@pytest.mark.slow
def test_after_a_signal_new_photos_are_rejected() -> None:
    """A request whose body was incomplete at the signal gets status 503 (fault 20)."""
    with serving() as service, socket.create_connection(service.address, timeout=30) as connection:
        connection.sendall(post_head(len(BOOT)) + BOOT[:100])
        time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert service.process.poll() is None
        connection.sendall(BOOT[100:])
        response = b"".join(iter(lambda: connection.recv(65536), b""))
        assert service.process.wait(30) == 0
    assert b"503" in response.partition(b"\r\n")[0]
    assert b"stopping" in response


@pytest.mark.slow
def test_a_second_signal_stops_at_once() -> None:
    """A client that never completes its body does not delay the exit (fault 20)."""
    with serving() as service, socket.create_connection(service.address) as connection:
        connection.sendall(post_head(1000))
        time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(5) == 0


def test_requests_on_an_open_connection_are_answered_at_once(service: Service) -> None:
    """Head and body of a response are two packets, of which the second must not wait for the first one's receipt."""
    seconds = []
    with closing(HTTPConnection(*service.address, timeout=60)) as connection:
        for _ in range(20):
            started = time.perf_counter()
            connection.request("POST", "/predict", BOOT, {"Content-Type": "image/png"})
            assert connection.getresponse().read()
            seconds.append(time.perf_counter() - started)
    assert min(seconds[5:]) < 0.03  # a receipt comes after 0.04


@pytest.mark.slow
def test_an_idle_connection_is_closed() -> None:
    """A request that is never completed does not occupy a connection forever (fault 12)."""
    with serving(setup="from modiste.web import server; server.IDLE_TIMEOUT = 0.5") as service:
        assert service.send(b"GET / HT") == b""
        request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert service.send(request + b"G").count(b"HTTP/1.1") == 1  # the second request is never completed


PIPELINED = b"GET /samples/coat.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n" * 299
LAST_REQUEST = b"GET /samples/coat.jpg HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def connect_slow_reader(service: Service) -> socket.socket:
    """Open a connection with a small receive buffer and request three hundred samples on it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**15)
    connection.connect(service.address)
    connection.sendall(PIPELINED + LAST_REQUEST)
    return connection


def wait_for_in_flight(service: Service, requests: int) -> None:
    """Wait until this many requests are in flight, including the one for the metrics."""
    deadline = time.monotonic() + 20
    while f"modiste_requests_in_flight {requests}.0" not in service.ask("GET", "/metrics")[1].decode():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_client_that_does_not_read_is_disconnected() -> None:
    """Unread responses occupy no connection forever and do not delay the shutdown (faults 12 and 20)."""
    setup = "from modiste.web import server; server.IDLE_TIMEOUT = 2; server.SHUTDOWN_TIMEOUT = 1"
    with serving(setup=setup) as service, connect_slow_reader(service):
        wait_for_in_flight(service, 2)
        wait_for_in_flight(service, 1)
        with connect_slow_reader(service):
            wait_for_in_flight(service, 2)
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(15) == 0


@pytest.mark.slow
def test_a_client_that_reads_slowly_gets_everything() -> None:
    """The timeout starts again whenever something is read."""
    with serving(setup="from modiste.web import server; server.IDLE_TIMEOUT = 1") as service:
        with connect_slow_reader(service) as connection:
            start, received = time.monotonic(), 0
            while part := connection.recv(2**15):
                received += len(part)
                time.sleep(0.03)
        assert time.monotonic() - start > 2
        assert received > 300 * len((SAMPLES / "coat.jpg").read_bytes())


@pytest.mark.slow
def test_too_many_open_requests_are_rejected_with_retry_after() -> None:
    """Above the limit the status is 503, health checks still work, and the service recovers (fault 18)."""
    with serving(setup="from modiste.web import admission; admission.MAX_OPEN_REQUESTS = 1") as service:
        with socket.create_connection(service.address) as slow:
            slow.sendall(post_head(1000))
            time.sleep(0.5)
            status, content, headers = service.ask("GET", "/about")
            assert (status, headers["retry-after"], sorted(content)) == (503, "1", ["error", "request_id"])
            assert service.ask("GET", "/health/live")[0] == 200
        time.sleep(0.5)
        assert service.ask("GET", "/about")[0] == 200


def test_fault_12_a_slow_body_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends single bytes gets status 408 (fault 12)."""
    monkeypatch.setattr(request_reader, "BODY_TIMEOUT", 0.2)

    async def receive_byte() -> Message:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"image/png")]}
    reader = RequestReader()

    async def read() -> None:
        async with reader.hold_upload(Request(scope, receive_byte)):
            pass

    with pytest.raises(HttpError) as caught:
        asyncio.run(read())
    assert caught.value.status == 408
    assert reader.total_bytes == 0


def test_the_bytes_of_all_requests_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that would exceed the limit of all requests gets status 503 (fault 11)."""
    monkeypatch.setattr(request_reader, "MAX_TOTAL", 100)
    reader = RequestReader()

    def request(size: int) -> Request:
        async def receive() -> Message:
            return {"type": "http.request", "body": bytes(size), "more_body": False}

        return Request({"type": "http", "method": "POST", "headers": [(b"content-type", b"image/png")]}, receive)

    async def read_two() -> None:
        async with reader.hold_upload(request(80)) as upload:
            assert ([len(photo) for photo in upload.photos], upload.is_form) == ([80], False)
            async with reader.hold_upload(request(80)):
                pass

    with pytest.raises(HttpError) as caught:
        asyncio.run(read_two())
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "1")
    assert reader.total_bytes == 0


@pytest.mark.parametrize("places", [1, 2])
def test_the_place_of_a_request_stays_empty_for_a_moment_where_all_are_taken(
    places: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the next one to come gets it, not always the client that left it and asks again at once."""
    monkeypatch.setattr(work_queue, "MAX_REQUESTS", places)

    async def submit_again() -> list[bool]:
        queue = WorkQueue(1)
        await queue.submit([lambda: None])
        await asyncio.sleep(0)
        at_once = queue.is_full
        await asyncio.sleep(2 * work_queue.MAX_PAUSE)
        return [at_once, queue.is_full]

    assert asyncio.run(submit_again()) == [places == 1, False]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_predictions_have_a_lower_priority_than_the_event_loop() -> None:
    """So that health checks and rejections do not wait for them where cores are few."""

    async def predict() -> int:
        (niceness,) = await WorkQueue(1).submit([lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())])
        return niceness

    assert asyncio.run(predict()) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + work_queue.NICENESS)


def test_fault_18_a_queue_counts_the_jobs_in_it() -> None:
    """A job that fails releases its cost; a closing queue rejects new jobs."""
    queue = WorkQueue(threads=1, capacity=2)

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(queue.submit([fail]))
    assert queue.in_use == 0
    with pytest.raises(HttpError, match="queue of the service is full"):
        asyncio.run(queue.submit([fail] * 3))
    queue.closing = True
    with pytest.raises(HttpError, match="stopping"):
        asyncio.run(queue.submit([fail]))


def test_a_rejected_request_is_not_kept_in_memory() -> None:
    """An error that is raised has no frames of earlier requests, which would hold their photos (fault 11)."""

    def job() -> None: ...

    text, queue = bytes([ord("!")] * 9), WorkQueue(threads=1, capacity=2)
    count, reference = sys.getrefcount(text), weakref.ref(job)  # bytes have no weak reference
    with pytest.raises(HttpError):
        request_reader._decode_base64(text)
    with pytest.raises(HttpError):
        asyncio.run(queue.submit([job] * 3))
    queue.closing = True
    with pytest.raises(HttpError):
        asyncio.run(queue.submit([job]))
    del job
    gc.collect()
    assert (sys.getrefcount(text), reference()) == (count, None)


def test_a_job_that_waits_too_long_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waiting time is limited, however long the jobs of other requests take (fault 18)."""
    monkeypatch.setattr(work_queue, "MAX_WAIT", 0.05)
    queue = WorkQueue(threads=1)
    asyncio.run(queue.submit([lambda: time.sleep(0.2), lambda: None]))  # jobs of the same request may wait longer

    async def submit_two() -> None:
        await asyncio.gather(queue.submit([lambda: time.sleep(0.2)]), queue.submit([str]))

    with pytest.raises(HttpError, match="queue of the service is full"):
        asyncio.run(submit_two())


def test_an_expensive_job_takes_more_capacity() -> None:
    """An empty queue accepts a job above its capacity; a busy one rejects it; all of its cost is released."""
    queue = WorkQueue(threads=1, capacity=4)

    async def submit_in_turn() -> list[str]:
        expensive = asyncio.create_task(queue.submit([lambda: time.sleep(0.2)], cost=9))
        await asyncio.sleep(0.05)
        with pytest.raises(HttpError, match="queue of the service is full"):
            await queue.submit([str], cost=2)
        await expensive
        return await queue.submit([str], cost=2)

    assert asyncio.run(submit_in_turn()) == [""]
    assert queue.in_use == 0
