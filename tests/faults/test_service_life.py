"""The service with many connections and at its end, and the end of `predict` (faults 20, 33 and 34)."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

from helpers.certificates import self_signed
from helpers.command import start
from helpers.service import BOOT, parse, post_head, serving
from modiste.training.signals import stop_request
from modiste.web import http_protocol

PREDICT = post_head(len(BOOT)) + BOOT

NEVER_ENDS = (
    "import threading; from modiste.inference.model import Model; "
    "Model._run_batch = lambda *_: print('runs', flush=True) or threading.Event().wait()"
)
"""Set-up of a process whose model never returns."""


def wait_for_line(process_output: object, text: str) -> None:
    """Read lines until one contains the text."""
    while text not in (line := process_output.readline()):  # type: ignore[attr-defined]
        assert line, "the process ended"


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_fault_34_a_prediction_that_never_ends_does_not_delay_the_end_of_the_service(stop: signal.Signals) -> None:
    """The first signal ends it with code 0 within the grace, and the client gets status 503."""
    setup = f"{NEVER_ENDS}; from modiste.web import server; server.SHUTDOWN_TIMEOUT = 1"
    with serving(setup=setup) as service, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(service.ask, "POST", "/predict", BOOT)
        wait_for_line(service.process.stdout, "runs")
        service.process.send_signal(stop)
        assert service.process.wait(20) == 0
        status, error, _ = answer.result()
        assert (status, error.keys()) == (503, {"error", "request_id"})


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times", [1, 2])
def test_fault_34_a_prediction_that_never_ends_does_not_block_a_signal(
    number: signal.Signals, times: int, tmp_path: Path
) -> None:
    """One, or a second one while the command ends, ends `predict` with code 128 + signal and one line."""
    (tmp_path / "boot.png").write_bytes(BOOT)
    code = f"{NEVER_ENDS}; from modiste.cli.main import main; main()"
    with start(tmp_path, "predict", "boot.png", code=code) as process:
        wait_for_line(process.stdout, "runs")
        process.send_signal(number)
        assert process.stderr
        lines = process.stderr.readline() + process.stderr.readline()  # click begins a new line
        assert lines.strip() == "modiste: Stopped."
        for _ in range(1, times):
            process.send_signal(number)
        try:
            assert process.wait(20) == 128 + number
        finally:
            process.kill()
        assert process.stderr.read() == ""


@pytest.mark.slow
def test_fault_34_a_closed_terminal_ends_a_prediction_as_a_signal_does(tmp_path: Path) -> None:
    """What it writes to the terminal then is no error, and the exit code is that of the signal."""
    (tmp_path / "boot.png").write_bytes(BOOT)
    own_terminal = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"  # so that the system sends SIGHUP
    code = f"{own_terminal}; {NEVER_ENDS}; from modiste.cli.main import main; main()"
    arguments = [sys.executable, "-c", code, "predict", "boot.png", "--out=a.jsonl"]
    master, terminal = pty.openpty()
    with subprocess.Popen(
        arguments, cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as process:
        os.close(terminal)
        while b"runs" not in os.read(master, 10_000):
            assert process.poll() is None
        os.close(master)
        try:
            assert process.wait(20) == 129
        finally:
            process.kill()


def test_fault_34_an_ignored_signal_stops_nothing() -> None:
    """As that of the terminal after `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_request() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop()
            signal.raise_signal(signal.SIGTERM)
            assert stop()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
def test_fault_20_a_second_signal_logs_one_line_however_many_requests_are_open() -> None:
    """Each gets status 503; no traceback is printed."""
    with serving(setup=NEVER_ENDS, stderr=True) as service:
        connections = [socket.create_connection(service.address, timeout=30) for _ in range(40)]
        for connection in connections:
            connection.sendall(PREDICT)
        wait_for_line(service.process.stdout, "runs")
        while b"modiste_requests_in_flight 41.0" not in service.ask("GET", "/metrics")[1]:
            time.sleep(0.05)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0
        answers = [connection.recv(100) for connection in connections]
        for connection in connections:
            connection.close()
        assert {answer.split()[1] for answer in answers} == {b"503"}
        assert service.process.stderr
        assert service.process.stderr.read() == "modiste: stopped without waiting for 40 open requests\n"


SLOW_TICK = """
import time
from modiste.web.server import _Server
on_tick = _Server.on_tick
async def slow(self, counter):
    if counter == 20:
        print("busy", flush=True)
        time.sleep(1)
    return await on_tick(self, counter)
_Server.on_tick = slow"""
"""Set-up of a service that reads nothing for a second, and then sees at once whether it is to end."""


@pytest.mark.slow
def test_fault_20_a_request_that_came_before_the_signal_is_answered() -> None:
    """Also when it is not read yet."""
    with serving(setup=SLOW_TICK) as service, socket.create_connection(service.address, timeout=30) as connection:
        wait_for_line(service.process.stdout, "busy")
        connection.sendall(PREDICT)
        service.process.send_signal(signal.SIGTERM)
        response = connection.recv(1000)
        assert service.process.wait(20) == 0
    assert response.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503"))
    assert b"200" in response[:15] or b"retry-after: 1" in response.lower()


@pytest.mark.slow
def test_fault_20_the_address_is_printed_when_signals_are_handled() -> None:
    """A signal right after the address ends the service with code 0, not with that of the signal."""
    for _ in range(3):
        with serving() as service:
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(20) == 0


@pytest.mark.slow
def test_fault_33_a_rejection_is_delayed() -> None:
    """Clients that retry at once do not take the time of accepted requests."""
    with serving(setup="from modiste.web import work_queue; work_queue.MAX_REQUESTS = 0") as service:
        start_time = time.monotonic()
        assert service.ask("POST", "/predict", BOOT)[0] == 503
        assert time.monotonic() - start_time > 1
        assert service.ask("GET", "/health/ready")[0] == 200


@pytest.mark.slow
def test_fault_33_connections_above_the_limit_get_503() -> None:
    """In the form of every error; the service recovers."""
    setup = "from modiste.web import http_protocol; http_protocol.MAX_CONNECTIONS = 2"
    with serving(setup=setup) as service:
        held = [socket.create_connection(service.address) for _ in range(2)]
        time.sleep(0.5)
        status, headers, body = parse(service.send(b""))
        assert (status, json.loads(body).keys(), headers["retry-after"]) == (503, {"error", "request_id"}, "1")
        for connection in held:
            connection.close()
        time.sleep(0.5)
        assert service.ask("GET", "/about")[0] == 200


@pytest.mark.slow
def test_fault_33_connections_are_limited_by_the_files_that_the_system_allows() -> None:
    """More of them log nothing, and the service recovers."""
    setup = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))"
    with serving(setup=setup, stderr=True) as service:
        held = [socket.create_connection(service.address, timeout=30) for _ in range(600)]
        time.sleep(1)
        for connection in held:
            connection.close()
        deadline = time.monotonic() + 30
        while service.ask("GET", "/health/ready")[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(30) == 0
        assert service.process.stderr
        assert service.process.stderr.read() == ""


@pytest.mark.slow
def test_fault_33_handshakes_of_tls_count_as_connections_and_end_soon(tmp_path: Path) -> None:
    """Those above the limit are closed at once, all others after some seconds, and the service goes on."""
    cert, key = self_signed(tmp_path, "IP:127.0.0.1")
    setup = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))"  # for 68 connections
    with serving(f"--tls-cert={cert}", f"--tls-key={key}", setup=setup) as service, ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(service.address, timeout=15)) for _ in range(160)]
        time.sleep(0.5)
        open_ones = [each for each in silent if not is_closed(each)]
        assert 0 < len(open_ones) <= 68 + http_protocol.MAX_LINGERING
        for connection in open_ones:
            with suppress(ConnectionError):
                assert connection.recv(1) == b""  # at the end of its time
        response = requests.get(f"{service.url}health/ready", verify=cert, timeout=30)
        assert response.status_code == 200
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(30) == 0


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has closed a connection on which it sends nothing."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    finally:
        connection.settimeout(15)
