"""ASGI middleware: request ids, security headers, admission, and metrics for Prometheus."""

import asyncio
import time
from collections.abc import Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modiste.web.admission import Admission
from modiste.web.http_error import error_response, new_request_id, stopping

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The page loads nothing from other hosts and cannot be embedded in a frame."""

OTHER_PATH = "other"
"""Label of requests for paths that do not exist, so that clients cannot create any number of metrics."""


class ServiceMetrics:
    """The Prometheus metrics of the service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        self.requests = Counter("modiste_requests_total", "HTTP requests.", ["path", "status"], registry=r)
        self.seconds = Histogram("modiste_request_duration_seconds", "Request duration.", ["path"], registry=r)
        self.in_flight = Gauge("modiste_requests_in_flight", "Requests without a complete response.", registry=r)
        self.in_use = Gauge("modiste_queue_in_use", "Forward passes that wait or run.", registry=r)
        self.predictions = Counter("modiste_predictions_total", "Predictions.", ["model", "label"], registry=r)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)


class RequestMiddleware:
    """Middleware around the whole application.

    Args:
        app: the application that handles the requests.
        metrics: updated for each request.
        paths: paths with metrics of their own; all others share the label "other".
        admission: rejects requests before the application sees them.
        root_path: prefix of the paths behind a proxy, whether or not the proxy removes it.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: ServiceMetrics,
        paths: Collection[str],
        admission: Admission,
        root_path: str = "",
    ) -> None:
        self.app, self.metrics, self.paths, self.admission = app, metrics, frozenset(paths), admission
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        requested = self._without_root_path(scope["path"])
        path = requested if requested in self.paths else OTHER_PATH
        scope.update(root_path=self.root_path, path=self.root_path + requested)
        request_id = scope.setdefault("state", {})["request_id"] = new_request_id()
        status = 499  # the client disconnected before a response began
        started = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(SECURITY_HEADERS | {"X-Request-ID": request_id})
            await send(message)

        headers = Headers(scope=scope)
        try:
            with self.metrics.in_flight.track_inprogress():
                async with self.admission.admit(scope["method"], requested, headers) as error:
                    await (error_response(error, request_id) if error else self.app)(scope, receive, send_with_headers)
        except asyncio.CancelledError:  # at the end of the server, which has waited for long enough
            if status == 499:
                await error_response(stopping(), request_id)(scope, receive, send_with_headers)
        finally:
            self.metrics.requests.labels(path, str(status)).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - started)

    def _without_root_path(self, path: str) -> str:
        """Return the path of the application, whether or not the proxy removed its prefix."""
        return path.removeprefix(self.root_path) if f"{path}/".startswith(f"{self.root_path}/") else path
