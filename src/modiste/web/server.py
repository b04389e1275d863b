"""The server around the application: where it listens, and how it stops."""

import errno
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from modiste.errors import STOP_SIGNALS, SettingError
from modiste.inference.model import Predictor
from modiste.web.app import create
from modiste.web.work_queue import WorkQueue

GRACE = 20
"""Seconds that accepted requests have to finish in."""

SILENCE = 20.0
"""Seconds that a connection has for the head of a request, for what it still sends after the answer, and to read."""

UNREAD = 2**18
"""Bytes of an answer that the system takes off our hands for each connection: few, so that we see who reads."""

LOCAL = ("127.0.0.1", "localhost", "[::1]")


def serve(predictor: Predictor, queue: WorkQueue, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until a signal asks to stop; a second one waits for nothing but the pictures that are at work.

    Args:
        predictor: answers.
        queue: where pictures wait for it.
        host: address to listen at.
        port: likewise; 0 takes a free one.
        ready: is given the address of the page once it can be opened.

    Raises:
        SettingError: nobody can listen there.
    """
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it tells of every broken form
    listening = _listen(host, port)
    name, number = listening.getsockname()[:2]
    local = name in ("127.0.0.1", "::1")
    # a page of a stranger's that resolves to this machine still calls it by the stranger's name
    app = create(predictor, queue, LOCAL if local else ())
    config = uvicorn.Config(
        app,
        http="h11",  # bounds what may come before a body, which the faster parser does not
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    ready(f"http://{f'[{name}]' if ':' in name else name}:{number}/")
    try:
        _Server(config, queue).run(sockets=[listening])
    finally:
        queue.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.create_server(address[:2], family=family, backlog=1024)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD)  # connections inherit it
    except (OSError, OverflowError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number and number > 0 else "no such address"
        option = "--port" if number == errno.EADDRINUSE else "--host or --port"
        raise SettingError(f"Nobody can listen at {host} port {port} ({reason}). Choose another {option}.") from None
    return listening


def _is_silent(connection: Any) -> bool:
    """Whether nothing is asked of us yet, all is answered and still something comes, or nobody reads the answer."""
    cycle = getattr(connection, "cycle", None)
    unread = cycle is not None and connection.flow.write_paused
    return cycle is None or unread or (cycle.response_complete and connection.timeout_keep_alive_task is None)


class _Server(uvicorn.Server):
    """Stops with exit code 0: the first signal lets nothing more in and finishes the rest, the second ends it."""

    def __init__(self, config: uvicorn.Config, queue: WorkQueue) -> None:
        super().__init__(config)
        self.queue = queue
        self.silent: dict[Any, tuple[float, int]] = {}
        """Since when, and how much of an answer is unread."""

    async def on_tick(self, counter: int) -> bool:
        """Close connections that begin a request and do not end it, or do not read, after a while.

        uvicorn waits for them for ever.
        """
        now, before, self.silent = time.monotonic(), self.silent, {}
        for connection in filter(_is_silent, self.server_state.connections):
            unread = connection.transport.get_write_buffer_size()
            since, was_unread = before.get(connection, (now, unread))
            self.silent[connection] = since if unread == was_unread else now, unread
            if now - since > SILENCE and unread == was_unread:
                connection.transport.abort()  # to close it would wait until all is read
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = self.queue.closing = True
