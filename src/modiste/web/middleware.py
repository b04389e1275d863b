"""ASGI middleware: request ids, security headers, a limit on concurrent requests, and metrics for Prometheus."""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modiste.web.http_error import RETRY_AFTER, STOPPING, HttpError, error_response
from modiste.web.work_queue import QUEUE_FULL, WorkQueue

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The page loads nothing from other hosts and cannot be embedded in a frame."""

UNKNOWN_HOST = HttpError(400, "The service does not accept this host name. Use its IP address or localhost.")

MAX_REQUESTS = 1000
"""Concurrent requests, including those whose body is still being received; predictions are limited by the queue."""

TOO_MANY_REQUESTS = HttpError(503, "The service has too many open requests. Retry in a second.", RETRY_AFTER)

CROSS_SITE = HttpError(403, "The request comes from a page of another site. Use that of the service.")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

REJECTION_DELAY = 1.0, 2.0
"""Seconds, drawn at random, before a request is rejected because the service is busy: clients that retry at once would
otherwise take the time in which accepted requests are answered."""

MAX_DELAYED = 2000
"""Requests whose rejection is delayed at the same time; further ones are rejected at once."""

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
        queue: rejects requests for predictions while it is full, before their photos are read.
        paths: paths with metrics of their own; all others share the label "other".
        hosts: accepted host names without port; empty accepts every name.
        origins: of other sites whose pages may send requests that are not GET, such as https://shop.example.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: ServiceMetrics,
        queue: WorkQueue,
        paths: Collection[str],
        hosts: Collection[str] = (),
        origins: Collection[str] = (),
    ) -> None:
        self.app, self.metrics, self.queue = app, metrics, queue
        self.paths, self.hosts, self.origins = frozenset(paths), frozenset(hosts), frozenset(origins)
        self.open_requests = self.delayed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self.paths else OTHER_PATH
        request_id = scope.setdefault("state", {})["request_id"] = secrets.token_hex(8)
        status = 499  # the client disconnected before a response began
        started = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(SECURITY_HEADERS | {"X-Request-ID": request_id})
            await send(message)

        async def respond(error: HttpError | None) -> None:
            await (error_response(error, request_id) if error else self.app)(scope, receive, send_with_headers)

        try:
            with self.metrics.in_flight.track_inprogress():
                await self._limited(scope, respond)
        except asyncio.CancelledError:  # at the end of the server, which has waited for long enough
            if status == 499:
                await respond(STOPPING)
        finally:
            self.metrics.requests.labels(path, str(status)).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - started)

    async def _limited(self, scope: Scope, respond: Callable[[HttpError | None], Awaitable[None]]) -> None:
        """Respond with the application's response, or with the error why it does not get the request."""
        error = self._busy(scope["path"])
        if error:
            await self._delay()
            await respond(error)
            return
        self.open_requests += 1
        try:
            await respond(self._forbidden(scope["method"], Headers(scope=scope)))
        finally:
            self.open_requests -= 1

    async def _delay(self) -> None:
        if self.delayed >= MAX_DELAYED:
            return
        self.delayed += 1
        try:
            await asyncio.sleep(random.uniform(*REJECTION_DELAY))  # noqa: S311  not for security
        finally:
            self.delayed -= 1

    def _busy(self, path: str) -> HttpError | None:
        """Return the error when the service has too much to do for a request; health checks ignore the limit."""
        if self.open_requests >= MAX_REQUESTS and not path.startswith("/health/"):
            return TOO_MANY_REQUESTS
        return QUEUE_FULL if path == "/predict" and self.queue.is_full else None

    def _forbidden(self, method: str, headers: Headers) -> HttpError | None:
        if not self._accepts_host(headers.get("host", "")):
            return UNKNOWN_HOST
        return CROSS_SITE if method not in SAFE_METHODS and self._is_cross_site(headers) else None

    def _accepts_host(self, host: str) -> bool:
        name = host if host.endswith("]") else host.rpartition(":")[0] or host  # without the port
        return not self.hosts or name in self.hosts

    def _is_cross_site(self, headers: Headers) -> bool:
        """Return whether a browser says that a page of another origin sends the request.

        Other clients send neither header. Browsers send `Sec-Fetch-Site` only to HTTPS and to this machine, and
        `Origin` always; a proxy may change the host that the latter is compared with.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin in self.origins:
            return False
        if site is not None:
            return site not in {"same-origin", "none"}
        return origin is not None and origin.rpartition("//")[2] != headers.get("host")
