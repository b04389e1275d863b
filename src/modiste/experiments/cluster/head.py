"""The head of a Ray cluster: whether it still answers."""

import os
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

CONNECT_SECONDS = 5
CHECK_SECONDS = 2.0

HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
FRAME_HEADER_BYTES, FRAME_TYPE, SETTINGS = 9, 3, 4
"""How a client begins, and that the first frame of a server is one of settings (RFC 9113, sections 3.4 and 4.1)."""

TIMEOUT_VARIABLE = "RAY_gcs_rpc_server_reconnect_timeout_s"
"""Variable of Ray, and of its documentation: seconds after which Ray ends processes that have lost the head."""

DEFAULT_TIMEOUT = 60.0


class Head:
    """Asks the head in a thread of its own whether it is there, until the block ends.

    Ray waits for a head that is lost, then ends the process without an exception that could be caught. A quarter of
    that time is waited here; then who asks `is_lost` has another quarter, `timeout` in seconds, to end what it does.

    Args:
        address: HOST:PORT.
        on_lost: called in that thread when the head is lost.
    """

    def __init__(self, address: str, on_lost: Callable[[], None]) -> None:
        self.address, self.on_lost = address, on_lost
        self.timeout = float(os.environ.get(TIMEOUT_VARIABLE, DEFAULT_TIMEOUT)) / 4
        self._lost, self._ended = threading.Event(), threading.Event()

    def __enter__(self) -> Self:
        """Start to ask."""
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Cease to ask."""
        self._ended.set()
        self._thread.join()

    def is_lost(self) -> bool:
        """Return whether the head is lost."""
        return self._lost.is_set()

    def _poll(self) -> None:
        answered = time.monotonic()
        while not self._ended.wait(CHECK_SECONDS):
            if not connection_error(self.address):
                answered = time.monotonic()
            elif time.monotonic() - answered >= self.timeout:
                self._lost.set()
                self.on_lost()
                return


def connection_error(address: str) -> OSError | OverflowError | UnicodeError | None:
    """Connect to HOST:PORT; return why that fails."""
    try:
        _connect(address).close()
    except (OSError, OverflowError, UnicodeError) as error:  # of a port or a host that no machine can have
        return error
    return None


def speaks_http2(address: str) -> bool:
    """Return whether what listens at HOST:PORT answers in HTTP/2, as the head of a Ray cluster does by gRPC.

    Ray would try to connect to any other server without end.
    """
    try:
        with _connect(address) as connection:
            connection.sendall(HTTP2_PREFACE)
            answer = connection.recv(FRAME_HEADER_BYTES, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == FRAME_HEADER_BYTES and answer[FRAME_TYPE] == SETTINGS


def _connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), CONNECT_SECONDS)
