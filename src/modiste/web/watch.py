"""What surrounds every request: an id, headers that keep a browser safe, and figures for Prometheus."""

import secrets
import time
from collections.abc import Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modiste.web.refused import Refused, response

SAFE = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""A page that loads nothing from elsewhere and is framed by nobody."""

STRANGE = Refused(400, "The service is not known by this name. Call it by its address.")

MOST = 1000
"""Requests at a time, most of which only send slowly; what is at work is bounded by the desk."""

CROWDED = Refused(503, "Too many requests wait already. Try again in a second.", {"Retry-After": "1"})

OTHER = "other"
"""Path of whatever is asked for and does not exist: clients do not decide how many figures there are."""


class Figures:
    """What `/metrics` tells."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        self.requests = Counter("modiste_requests_total", "By path and status.", ["path", "status"], registry=own)
        self.seconds = Histogram("modiste_request_seconds", "From request to answer.", ["path"], registry=own)
        self.in_flight = Gauge("modiste_requests_in_flight", "Requests that wait for an answer.", registry=own)
        self.inside = Gauge("modiste_pictures_inside", "Looks at pictures that the model has to do.", registry=own)
        self.predictions = Counter("modiste_predictions_total", "By model and label.", ["model", "label"], registry=own)

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self.registry)


class Watch:
    """Middleware around the whole application.

    Args:
        app: what it surrounds.
        figures: where requests are counted.
        paths: those that are counted by name.
        hosts: names of the service; with any, a request to another name is refused.
    """

    def __init__(self, app: ASGIApp, figures: Figures, paths: Collection[str], hosts: Collection[str] = ()) -> None:
        self.app, self.figures, self.paths, self.hosts = app, figures, frozenset(paths), frozenset(hosts)
        self.inside = 0

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

        refusal = self._refusal(scope["path"], Headers(scope=scope).get("host", ""))
        self.inside += 1
        try:
            with self.figures.in_flight.track_inprogress():
                await (response(refusal, number) if refusal else self.app)(scope, receive, answer)
        finally:
            self.inside -= 1
            self.figures.requests.labels(path, str(status)).inc()
            self.figures.seconds.labels(path).observe(time.perf_counter() - started)

    def _refusal(self, path: str, host: str) -> Refused | None:
        """Why a request is not let in at all; how the service is may always be asked."""
        if self.inside >= MOST and not path.startswith("/health/"):
            return CROWDED
        return None if self._knows(host) else STRANGE

    def _knows(self, host: str) -> bool:
        name = host if host.endswith("]") else host.rpartition(":")[0] or host  # less the port
        return not self.hosts or name in self.hosts
