"""ASGI middleware: request ids, security headers, a limit on concurrent requests, and metrics for Prometheus."""

import ipaddress
import secrets
import time
from collections.abc import Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modiste.web.http_error import HttpError, error_response

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The page loads nothing from other hosts and cannot be embedded in a frame."""

UNKNOWN_HOST = HttpError(
    400,
    "The service does not accept this host name. Use its IP address or localhost, or start it with --allow-host NAME.",
)

MAX_REQUESTS = 1000
"""Concurrent requests, including those whose body is still being received; predictions are limited by the queue."""

TOO_MANY_REQUESTS = HttpError(503, "The service has too many open requests. Retry in a second.", {"Retry-After": "1"})

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
        hosts: accepted host names without port, beside all IP addresses; empty accepts every name.
        root_path: prefix of the paths behind a proxy, whether or not the proxy removes it.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: ServiceMetrics,
        paths: Collection[str],
        hosts: Collection[str] = (),
        root_path: str = "",
    ) -> None:
        self.app, self.metrics, self.paths, self.hosts = app, metrics, frozenset(paths), frozenset(hosts)
        self.root_path = root_path
        self.open_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        requested = self._without_root_path(scope["path"])
        path = requested if requested in self.paths else OTHER_PATH
        scope.update(root_path=self.root_path, path=self.root_path + requested)
        request_id = scope.setdefault("state", {})["request_id"] = secrets.token_hex(8)
        status = 499  # the client disconnected before a response began
        started = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(SECURITY_HEADERS | {"X-Request-ID": request_id})
            await send(message)

        error = self._error(requested, Headers(scope=scope).get("host"))
        self.open_requests += 1
        try:
            with self.metrics.in_flight.track_inprogress():
                await (error_response(error, request_id) if error else self.app)(scope, receive, send_with_headers)
        finally:
            self.open_requests -= 1
            self.metrics.requests.labels(path, str(status)).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - started)

    def _without_root_path(self, path: str) -> str:
        """Return the path of the application, whether or not the proxy removed its prefix."""
        return path.removeprefix(self.root_path) if f"{path}/".startswith(f"{self.root_path}/") else path

    def _error(self, path: str, host: str | None) -> HttpError | None:
        """Return why a request is rejected before the application sees it; health checks ignore the limit."""
        if self.open_requests >= MAX_REQUESTS and not path.startswith("/health/"):
            return TOO_MANY_REQUESTS
        return None if self._accepts_host(host) else UNKNOWN_HOST

    def _accepts_host(self, host: str | None) -> bool:
        """Accept no host, which only HTTP/1.0 clients and no browsers send, and IP addresses, which no name rebinds."""
        if host is None or not self.hosts:
            return True
        name = (host if host.endswith("]") else host.rpartition(":")[0] or host).lower()  # without the port
        return name in self.hosts or _is_address(name)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
