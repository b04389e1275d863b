"""Many keep-alive connections that send requests all the time, from one thread."""

import math
import resource
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

HEAD_END = b"\r\n\r\n"
TIMEOUT = 60.0
"""Seconds without any answer after which it fails."""


@dataclass
class Load:
    """What became of the requests.

    Args:
        answers: how many had each status.
        seconds: of each request with status 200, from its last byte to the last one of the answer.
        unanswered: when those were sent that got no answer before the server closed the connection, in seconds of
            `time.monotonic`.
        faults: answers that are not complete, or that have status 503 and no Retry-After.
    """

    answers: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    unanswered: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass
class _Exchange:
    sent_at: float = 0.0
    received: bytes = b""


def keep_sending(
    address: tuple[str, int],
    connections: int,
    request: bytes,
    seconds: float = math.inf,
    on_answer: Callable[[Load], None] = lambda _: None,
) -> Load:
    """Send a request on each connection, and the next one after each answer.

    Args:
        address: host and port.
        connections: their number.
        request: all of its bytes.
        seconds: after which it returns; otherwise when the server has closed all connections.
        on_answer: called after each answer.
    """
    _allow_open_files(connections + 64)
    load, end = Load(), time.monotonic() + seconds
    opened = [socket.create_connection(address, timeout=TIMEOUT) for _ in range(connections)]
    with selectors.DefaultSelector() as selector:
        for connection in opened:
            selector.register(connection, selectors.EVENT_READ, _Exchange())
        for key in list(selector.get_map().values()):
            _send(selector, key, request)
        while selector.get_map() and time.monotonic() < end:
            ready = selector.select(min(TIMEOUT, max(0.0, end - time.monotonic())))
            assert ready or time.monotonic() >= end, "the server does not answer"
            for key, _ in ready:
                if _receive(selector, key, load):
                    on_answer(load)
                    _send(selector, key, request)
    for connection in opened:
        connection.close()
    return load


def _send(selector: selectors.BaseSelector, key: selectors.SelectorKey, request: bytes) -> None:
    try:
        key.fileobj.sendall(request)  # type: ignore[union-attr]
        key.data.sent_at, key.data.received = time.monotonic(), b""
    except ConnectionError:
        selector.unregister(key.fileobj)


def _receive(selector: selectors.BaseSelector, key: selectors.SelectorKey, load: Load) -> bool:
    """Read what there is; return whether an answer is complete."""
    exchange: _Exchange = key.data
    try:
        content = key.fileobj.recv(2**16)  # type: ignore[union-attr]
    except ConnectionError:
        content = b""
    if not content:
        selector.unregister(key.fileobj)
        if exchange.received:
            load.faults.append(f"incomplete: {exchange.received[:200]!r}")
        else:
            load.unanswered.append(exchange.sent_at)
        return False
    exchange.received += content
    head, found, body = exchange.received.partition(HEAD_END)
    if not found or len(body) < int(head.lower().partition(b"content-length: ")[2].split()[0]):
        return False
    status = int(head.split()[1])
    load.answers[status] += 1
    if status == 200:
        load.seconds.append(time.monotonic() - exchange.sent_at)
    elif status == 503 and b"retry-after: " not in head.lower():
        load.faults.append(f"no Retry-After: {head!r}")
    return True


def _allow_open_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
