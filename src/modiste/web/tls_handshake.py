"""TLS in front of `HttpProtocol`: a connection counts, and has a time limit, from its first byte on."""

import asyncio
import ssl
from typing import Any

from modiste.web.http_protocol import MAX_LINGERING, HttpProtocol

HANDSHAKE_TIMEOUT = 5.0
"""Seconds; a handshake takes two exchanges of packets."""


class TlsHandshake(asyncio.Protocol):
    """A connection whose handshake is not complete; asyncio's own are counted by nobody, and may take a minute.

    Args:
        options: of the protocol that gets the connection afterwards.
    """

    context: ssl.SSLContext
    """Set before the server starts."""

    transport: asyncio.Transport

    def __init__(self, **options: Any) -> None:
        self.options, self.connections = options, options["server_state"].connections
        self.received, self.is_lost = b"", False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the handshake, or close the connection when too many are open."""
        transport.pause_reading()  # what is read now would be missing in the handshake
        self.transport = transport
        self.connections.add(self)
        if len(self.connections) > HttpProtocol.max_connections + MAX_LINGERING:
            transport.abort()
        else:
            self.task = asyncio.get_running_loop().create_task(self._handshake())

    def data_received(self, data: bytes) -> None:
        """Keep what arrives with the end of the handshake."""
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        """End before or with the handshake."""
        self.is_lost = True
        self.connections.discard(self)

    def shutdown(self) -> None:
        """Close the connection at the end of the server."""
        self.transport.abort()

    async def _handshake(self) -> None:
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self.transport, self, self.context, server_side=True, ssl_handshake_timeout=HANDSHAKE_TIMEOUT
            )
        except OSError:  # SSLError and TimeoutError are among them
            self.transport.abort()
            return
        finally:
            self.connections.discard(self)
        if transport and not self.is_lost:
            protocol = HttpProtocol(**self.options)
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            if self.received:
                protocol.data_received(self.received)
