"""Which requests the application gets: not when it is busy, under a foreign host name, or from another site's page."""

import asyncio
import ipaddress
import random
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from starlette.datastructures import Headers

from modiste.web.http_error import RETRY_AFTER, HttpError
from modiste.web.work_queue import WorkQueue, queue_full

UNKNOWN_HOST = HttpError(
    400,
    "The service does not accept this host name. Use its IP address or localhost, or start it with --allow-host NAME.",
)

CROSS_SITE = HttpError(
    403, "The request comes from a page of another site. Use that of the service, or start it with --allow-origin."
)

MAX_OPEN_REQUESTS = 1000
"""Concurrent requests, including those whose body is still being received; predictions are limited by the queue."""

TOO_MANY_REQUESTS = HttpError(503, "The service has too many open requests. Retry in a second.", RETRY_AFTER)

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d+)?", re.ASCII)
"""A host, and a port."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

REJECTION_DELAY = 1.0, 2.0
"""Seconds, drawn at random, before a request is rejected because the service is busy: clients that retry at once would
otherwise take the time in which accepted requests are answered."""

MAX_DELAYED = 2000
"""Requests whose rejection is delayed at the same time; further ones are rejected at once."""


class Admission:
    """Counts the requests that the application has, and tells why it does not get another one.

    Args:
        queue: rejects requests for predictions while it is full, before their photos are read.
        hosts: accepted host names without port, beside all IP addresses.
        origins: of other sites whose pages may send requests that are not GET, such as https://shop.example; or "*".
    """

    def __init__(self, queue: WorkQueue, hosts: Collection[str] = (), origins: Collection[str] = ()) -> None:
        self.queue, self.hosts, self.origins = queue, frozenset(hosts), frozenset(origins)
        self.open_requests = self.delayed = 0

    @asynccontextmanager
    async def admit(self, method: str, path: str, headers: Headers) -> AsyncIterator[HttpError | None]:
        """Count a request until the block ends; yield the error if the application must not get it."""
        if error := self._busy(path):
            await self._delay()
            yield error
            return
        self.open_requests += 1
        try:
            yield self._forbidden(method, headers)
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
        if self.open_requests >= MAX_OPEN_REQUESTS and not path.startswith("/health/"):
            return TOO_MANY_REQUESTS
        return queue_full() if path == "/predict" and self.queue.is_full else None

    def _forbidden(self, method: str, headers: Headers) -> HttpError | None:
        if not self._accepts_host(headers.get("host")):
            return UNKNOWN_HOST
        return CROSS_SITE if method not in SAFE_METHODS and self._is_cross_site(headers) else None

    def _accepts_host(self, host: str | None) -> bool:
        """Accept no host, which only HTTP/1.0 clients and no browsers send, and IP addresses, which no name rebinds."""
        if host is None:
            return True
        match = HOST.fullmatch(host.lower())
        return match is not None and (match[1] in self.hosts or _is_address(match[1]))

    def _is_cross_site(self, headers: Headers) -> bool:
        """Return whether a browser says that a page of another origin sends the request.

        Other clients send neither header. Browsers send `Sec-Fetch-Site` only to HTTPS and to this machine, and
        `Origin` always; a proxy may change the host that the latter is compared with.
        """
        if max(len(headers.getlist(name)) for name in ("origin", "sec-fetch-site")) > 1:
            return True  # no browser sends two
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if "*" in self.origins or origin in self.origins:
            return False
        if site is not None:
            return site not in {"same-origin", "none"}
        return origin is not None and origin.rpartition("//")[2] != headers.get("host")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
