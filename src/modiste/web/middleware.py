"""What surrounds every request: an id, headers that keep a browser safe, and metrics for Prometheus."""

import secrets
import time
from collections.abc import Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modiste.web.http_error import HttpError, response

SAFE = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""A page that loads nothing from elsewhere and is framed by nobody."""

UNKNOWN_HOST = HttpError(400, "The service is not known by this name. Call it by its address.")

MOST = 1000
"""Requests at a time, most of which only send slowly; what is at work is bounded by the queue."""

BUSY = HttpError(503, "Too many requests wait already. Try again in a second.", {"Retry-After": "1"})

OTHER = "other"
"""Path of whatever is asked for and does not exist: clients do not decide how many metrics there are."""


class ServiceMetrics:
    """What `/metrics` tells."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        self.requests = Counter("modiste_requests_total", "By path and status.", ["path", "status"], registry=own)
        self.seconds = Histogram("modiste_request_seconds", "From request to answer.", ["path"], registry=own)
        self.in_flight = Gauge("modiste_requests_in_flight", "Requests that wait for an answer.", registry=own)
        self.in_use = Gauge("modiste_queue_in_use", "Looks at pictures that the model has to do.", registry=own)
        self.predictions = Counter("modiste_predictions_total", "By model and label.", ["model", "label"], registry=own)

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self.registry)


class RequestMiddleware:
    """Middleware around the whole application.

    Args:
        app: what it surrounds.
        metrics: where requests are counted.
        paths: those that are counted by name.
        hosts: names of the service; with any, a request to another name is refused.
    """

    def __init__(
        self, app: ASGIApp, metrics: ServiceMetrics, paths: Collection[str], hosts: Collection[str] = ()
    ) -> None:
        self.app, self.metrics, self.paths, self.hosts = app, metrics, frozenset(paths), frozenset(hosts)
        self.in_use = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its answer back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self.paths else OTHER
        number = scope.setdefault("state", {})["request_id"] = secrets.token_hex(8)
        status = 499  # given up before there was an answer
        started = time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(SAFE | {"X-Request-ID": number})
            await send(message)

        error = self._refusal(scope["path"], Headers(scope=scope).get("host", ""))
        self.in_use += 1
        try:
            with self.metrics.in_flight.track_inprogress():
                await (response(error, number) if error else self.app)(scope, receive, answer)
        finally:
            self.in_use -= 1
            self.metrics.requests.labels(path, str(status)).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - started)

    def _refusal(self, path: str, host: str) -> HttpError | None:
        """Why a request is not let in at all; how the service is may always be asked."""
        if self.in_use >= MOST and not path.startswith("/health/"):
            return BUSY
        return None if self._knows(host) else UNKNOWN_HOST

    def _knows(self, host: str) -> bool:
        name = host if host.endswith("]") else host.rpartition(":")[0] or host  # less the port
        return not self.hosts or name in self.hosts
