"""The service under load: latency, memory, and its end (faults 20, 32 and 33).

The limits of time hold on an idle machine, where the long form is run; the short form has wide ones.
"""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from PIL import Image

from faults.counts import IS_LONG, count
from faults.fuzz import TESTS
from helpers.load import Load, keep_sending
from helpers.memory import peak_of_tree
from helpers.photos import saved
from helpers.service import BOOT, SAMPLES, Service, form, post_head, serving
from modiste.web.server import SHUTDOWN_TIMEOUT

PREDICT = post_head(len(BOOT)) + BOOT

SIGNALS, REQUESTS = (20, 100_000) if IS_LONG else (3, 5000)
"""Ends of a service, and requests before all of them together."""

SENDING = 64
"""Connections until a signal: fewer than the requests that the queue takes, so that none is rejected before."""

CONNECTIONS = (300, 600, 1500) if IS_LONG else (300,)
LOAD_SECONDS = 20 if IS_LONG else 6
HEALTH_SECONDS, ANSWER_SECONDS = (0.1, 0.5) if IS_LONG else (1.0, 10.0)
"""99th percentiles of new connections: of health checks, and of accepted photos."""


@pytest.mark.slow
def test_fault_20_no_accepted_request_is_lost_when_the_service_ends() -> None:
    """Each that was sent before SIGTERM gets its answer; the process ends with code 0 within the grace."""
    with count("sigterm", [20], "requests until and after SIGTERM") as counts:
        counts.measured["signals"] = SIGNALS
        for number in range(SIGNALS):
            with serving("--threads=1") as service:
                signaled: list[float] = []

                def end(load: Load, service: Service = service, signaled: list[float] = signaled) -> None:
                    if not signaled and load.answers.total() * SIGNALS >= REQUESTS:
                        signaled.append(time.monotonic())
                        service.process.send_signal(signal.SIGTERM)

                load = keep_sending(service.address, SENDING, PREDICT, on_answer=end)
                code = service.process.wait(2 * SHUTDOWN_TIMEOUT)
                seconds = time.monotonic() - signaled[0]
            lost = sum(sent_at < signaled[0] for sent_at in load.unanswered)
            counts.n += load.answers.total()
            counts.failures += [f"signal {number}: {fault}" for fault in load.faults]
            if lost or code or seconds > SHUTDOWN_TIMEOUT or not load.answers.keys() <= {200, 503}:
                outcome = f"{lost} lost, exit code {code}, {seconds:.1f} s, {dict(load.answers)}"
                counts.failures.append(f"signal {number}: {outcome}")
        assert counts.n >= REQUESTS


@pytest.mark.slow
@pytest.mark.parametrize("connections", CONNECTIONS)
def test_fault_33_new_connections_are_answered_beside_many_that_send_all_the_time(connections: int) -> None:
    """Health checks and predictions on new ones, as fast as those on connections that are open."""
    tried = f"requests on {connections} connections that send all the time, and on new ones"
    with (
        count(f"connections-{connections}", [33], tried) as counts,
        serving("--threads=1") as service,
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        ThreadPoolExecutor(2) as clients,
    ):
        loading = pool.submit(keep_sending, service.address, connections, PREDICT, LOAD_SECONDS)
        probes = [
            clients.submit(ask_until, loading.done, service, *request)
            for request in (("GET", "/health/ready"), ("POST", "/predict", BOOT))
        ]
        load, (checks, predictions) = loading.result(), (probe.result() for probe in probes)
        answers = load.answers + predictions.answers
        counts.n = answers.total() + checks.answers.total()
        counts.failures = [*load.faults, *checks.faults, *predictions.faults]
        health, new, kept = (float(np.percentile(each.seconds, 99)) for each in (checks, predictions, load))
        counts.measured = {"health_p99_s": health, "new_p99_s": new, "kept_p99_s": kept, "accepted": answers[200]}
        assert set(checks.answers) == {200}
        assert answers.keys() <= {200, 503}
        assert health <= HEALTH_SECONDS
        assert new <= min(ANSWER_SECONDS, 2 * kept + HEALTH_SECONDS)
        assert service.ask("POST", "/predict", BOOT)[0] == 200


def ask_until(is_done: Callable[[], bool], service: Service, method: str, path: str, body: bytes | None = None) -> Load:
    """Send requests on new connections until something is done."""
    load = Load()
    while not is_done():
        begin = time.monotonic()
        status, _, headers = service.ask(method, path, body)
        load.answers[status] += 1
        if status == 200:
            load.seconds.append(time.monotonic() - begin)
        elif headers.get("retry-after") != "1":
            load.faults.append(f"{path}: status {status} without Retry-After")
        time.sleep(0.01)
    return load


@pytest.mark.slow
@pytest.mark.parametrize("threads", [2, 16])
def test_fault_32_the_service_stays_below_a_gigabyte(threads: int) -> None:
    """With its children, whatever is sent: large photos of 70 MB each when decoded, forms of many photos, HEIC."""
    large = saved(Image.new("RGBA", (4000, 4000), (10, 20, 30, 200)), compress_level=1)
    coat, heic = (SAMPLES / "coat.jpg").read_bytes(), (TESTS / "assets" / "photo-1.heic").read_bytes()
    forms = form(*[("a", coat + bytes(2**20))] * 30)
    photos = [coat, large, heic] * 8
    with (
        count(f"memory-{threads}-threads", [32], "requests with large photos, forms and HEIC") as counts,
        serving(f"--threads={threads}") as service,
        ThreadPoolExecutor(16) as pool,
        peak_of_tree(service.process.pid) as peak,
    ):
        answers = [pool.submit(service.ask, "POST", "/predict", photo, "application/octet-stream") for photo in photos]
        answers += [pool.submit(service.ask, "POST", "/predict", *forms) for _ in range(2)]
        assert {answer.result()[0] for answer in answers} <= {200, 503}
        counts.n, counts.measured = len(answers), {"peak_mb": round(peak() / 1e6)}
        assert peak() < 10**9
