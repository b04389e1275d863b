"""The HTTP server around the application: its socket, its timeouts and its shutdown."""

import asyncio
import errno
import logging
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from modiste.errors import SettingError, caught_signals
from modiste.inference.model import Predictor
from modiste.web.app import create_app
from modiste.web.http_protocol import MAX_CONNECTIONS, MAX_LINGERING, HttpProtocol
from modiste.web.settings import ServerSettings
from modiste.web.tls_handshake import TlsHandshake
from modiste.web.work_queue import WorkQueue

log = logging.getLogger(__name__)

OTHER_FILES = MAX_LINGERING + 64
"""Open files beside those of connections: of rejected ones, and of the process itself. New connections need three times
as many as are accepted at once, until those above the limit are closed."""

SHUTDOWN_TIMEOUT = 20
"""Seconds that accepted requests have to finish after a stop signal."""

READ_SECONDS = 0.1
"""Seconds after a stop signal in which what clients sent before it is still read, and answered or rejected."""

IDLE_TIMEOUT = 20.0
"""Seconds after which a connection without progress is closed: no complete request head, or a response not read."""

SEND_BUFFER = 2**18
"""Bytes of a response that the kernel buffers for each connection: few, so that unread responses are noticed."""

ACCEPTED_AT_ONCE = 64
"""New connections that are accepted before other events are handled."""

OUTSIDE = {"0.0.0.0": ("127.0.0.1", "192.0.2.1"), "::": ("[::1]", "2001:db8::1")}  # noqa: S104  not the default
"""For each address that listens on all interfaces, that of this machine and one of a network for documentation."""


def serve(
    predictor: Predictor, queue: WorkQueue, settings: ServerSettings, on_ready: Callable[[Sequence[str]], None]
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; a second signal stops without waiting for open requests.

    Args:
        predictor: the loaded models.
        queue: runs the predictions.
        settings: how the service is reached.
        on_ready: called with the URLs of the page once requests are answered and signals are handled:
            that for this machine first, then that for the local network if there is another one.

    Raises:
        SettingError: the address or port cannot be used.
    """
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it logs every malformed form
    listener = _listen(settings.host, settings.port)
    port = listener.getsockname()[1]
    open_files = _raise_file_limit()
    accepted_at_once = max(1, min(ACCEPTED_AT_ONCE, open_files // 16))
    free_files = open_files - OTHER_FILES - 3 * accepted_at_once
    HttpProtocol.max_connections = max(1, min(MAX_CONNECTIONS, free_files))
    if settings.tls_cert:
        TlsHandshake.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        TlsHandshake.context.load_cert_chain(settings.tls_cert, settings.tls_key)
    config = uvicorn.Config(
        create_app(predictor, queue, _accepted_hosts(settings), settings.allow_origins, settings.root_path),
        http=TlsHandshake if settings.tls_cert else HttpProtocol,
        loop="asyncio",  # under load, uvloop lets new connections wait for seconds
        backlog=accepted_at_once,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
    )
    scheme = "https" if settings.tls_cert else "http"
    urls = [f"{scheme}://{each}:{port}/" for each in _reachable_hosts(listener)]
    try:
        _Server(config, queue, partial(on_ready, urls)).run(sockets=[listener])
    finally:
        queue.close()


def _accepted_hosts(settings: ServerSettings) -> list[str]:
    """Return the names of this machine and those of the settings.

    With DNS rebinding, a page of another site has a name that resolves to this machine, but it sends that name.
    """
    own = socket.gethostname().lower()
    name = own.partition(".")[0]
    return ["localhost", own, name, f"{name}.local", settings.host.lower(), *settings.allow_hosts]


def _reachable_hosts(listener: socket.socket) -> list[str]:
    """Return the hosts in the URLs of a socket: if it listens on all interfaces, this machine and its LAN address."""
    address = listener.getsockname()[0]
    if address not in OUTSIDE:
        return [_url_host(address)]
    local, outside = OUTSIDE[address]
    with socket.socket(listener.family, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect((outside, 9))  # sends nothing, but chooses the interface
        return [local, _url_host(probe.getsockname()[0])]
    return [local]


def _url_host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=MAX_CONNECTIONS)
        # inherited by connections; asyncio sets the latter only where the listener names its protocol, as this cannot
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (OSError, OverflowError, UnicodeError) as error:
        code = getattr(error, "errno", None)
        reason = os.strerror(code) if code and code > 0 else "no such address"
        option = "--port" if code == errno.EADDRINUSE else "--host or --port"
        raise SettingError(f"Cannot listen on {host} port {port} ({reason}). Choose another {option}.") from None
    return listener


def _raise_file_limit() -> int:
    """Let the process open a file for each connection, as far as the system allows; return how many files it may open.

    Shells often set 1,024.
    """
    wanted = MAX_CONNECTIONS + OTHER_FILES + 3 * ACCEPTED_AT_ONCE
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def _is_stalled(connection: Any) -> bool:
    """Return whether the client has not sent a request head, does not read, or sends after the response."""
    cycle = getattr(connection, "cycle", None)
    is_unread = cycle is not None and connection.flow.write_paused
    return cycle is None or is_unread or (cycle.response_complete and connection.timeout_keep_alive_task is None)


class _Server(uvicorn.Server):
    """Exits with code 0 after a signal: the first one rejects new requests, the second one ends the process."""

    def __init__(self, config: uvicorn.Config, queue: WorkQueue, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.queue, self.on_ready = queue, on_ready
        self.stalled: dict[Any, tuple[float, int]] = {}
        """Since when each connection makes no progress, and the bytes of its response that are not read."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections; signals are handled already."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(MAX_CONNECTIONS)  # asyncio has one number for the connections that wait, and this
        self.on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for accepted requests; after a second signal, log how many are not waited for."""
        await asyncio.sleep(READ_SECONDS)  # uvicorn closes connections without a request, even one that is not read yet
        await super().shutdown(sockets)
        if self.force_exit and self.server_state.tasks:
            log.warning("modiste: stopped without waiting for %d open requests", len(self.server_state.tasks))

    async def on_tick(self, counter: int) -> bool:
        """Close connections without progress for `IDLE_TIMEOUT`; uvicorn itself would wait forever."""
        now, previous, self.stalled = time.monotonic(), self.stalled, {}
        for connection in filter(_is_stalled, self.server_state.connections):
            unread = connection.transport.get_write_buffer_size()
            since, unread_before = previous.get(connection, (now, unread))
            self.stalled[connection] = since if unread == unread_before else now, unread
            if now - since > IDLE_TIMEOUT and unread == unread_before:
                connection.transport.abort()  # close() would wait until everything is read
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        handlers = {each: signal.signal(each, self.handle_exit) for each in caught_signals()}
        try:
            yield
        finally:
            for each, handler in handlers.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = self.queue.closing = True
