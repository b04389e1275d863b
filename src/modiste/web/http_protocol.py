"""What uvicorn's HTTP protocol lacks: errors below the application as JSON, half-closed clients, and a limit."""

from asyncio import Transport
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from modiste.web.http_error import RETRY_AFTER, HttpError, error_response, new_request_id
from modiste.web.middleware import SECURITY_HEADERS

MAX_CONNECTIONS = 4096
"""Open connections, with or without a request; the process needs a file descriptor for each."""

MAX_LINGERING = 32
"""Connections above the limit that get a response; further ones are closed at once, to free their file descriptors."""

LINGER = 2.0
"""Seconds in which what a client still sends is read after an error: closing at once could destroy the response."""

TOO_MANY_CONNECTIONS = HttpError(503, "The service has too many open connections. Retry in a second.", RETRY_AFTER)
NOT_HTTP = HttpError(
    400,
    "The request is not valid HTTP, its head is too large, or its body has too many small chunks. Send it with an HTTP "
    "client.",
)

MAX_HEAD = 2**16
"""Bytes of the head of a request."""

SMALL_CHUNK, MAX_SMALL_CHUNKS = 64, 4096
"""Bytes below which a piece of a body is small, and how many of these a request may have. Each takes as much time as 64
KiB in one piece, in which no other request is answered."""


class _Connection(h11.Connection):
    """Limits the small pieces of a body."""

    small_chunks = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self.small_chunks = 0
        elif isinstance(event, h11.Data):
            self.small_chunks += len(event.data) < SMALL_CHUNK
            if self.small_chunks > MAX_SMALL_CHUNKS:
                raise h11.RemoteProtocolError("too many small chunks")
        return event


class HttpProtocol(H11Protocol):
    """One connection; h11 limits the size of the request head, unlike the faster parser."""

    max_connections = MAX_CONNECTIONS
    """Fewer where the system allows the process fewer open files."""

    is_half_closed = False
    """The client has sent its requests and closed its side, and waits for the response."""

    is_rejected = False
    """The last response is sent; what the client still sends is discarded."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn = _Connection(h11.SERVER, MAX_HEAD)

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Accept a connection, or close it, with status 503 if possible, when too many are open."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections + MAX_LINGERING:
            transport.abort()
        elif len(self.connections) > self.max_connections:
            self._respond_and_close(TOO_MANY_CONNECTIONS)

    def data_received(self, data: bytes) -> None:
        """Handle what the client sends, or discard it after an error."""
        if not self.is_rejected:
            super().data_received(data)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Keep the connection open for the response when the client has sent a whole request; TLS cannot do this."""
        self.is_half_closed = self.scheme == "http" and self._has_complete_request()
        return self.is_half_closed

    def on_response_complete(self) -> None:
        """Continue with the next request; close a half-closed connection after the last one."""
        super().on_response_complete()
        if self.is_half_closed and not self._has_complete_request() and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Respond to bytes that are no HTTP request; `msg`, uvicorn's reason, is not sent."""
        self._respond_and_close(NOT_HTTP)

    def _has_complete_request(self) -> bool:
        cycle = cast("object | None", self.cycle)  # None before the first request, other than uvicorn declares
        return cycle is not None and not self.cycle.response_complete and not self.cycle.more_body

    def _respond_and_close(self, error: HttpError) -> None:
        """Respond in the form of all errors, without the application, which has no request."""
        request_id = new_request_id()
        response = error_response(error, request_id)
        response.headers.update({**SECURITY_HEADERS, "X-Request-ID": request_id, "Connection": "close"})
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):  # otherwise a response has begun
            headers = [*self.server_state.default_headers, *response.raw_headers]
            events = (h11.Response(status_code=error.status, headers=headers), h11.Data(data=bytes(response.body)))
            for event in (*events, h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.is_rejected = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(LINGER, self.transport.abort)
        else:  # TLS
            self.transport.close()
