"""Where pictures wait for the model: a bounded number at a time, each on a thread of its own.

Batching is left out: a thread a core, each with its own picture, is as fast for models as small as these, and no
picture waits for another one.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from modiste.web.http_error import HttpError

Answer = TypeVar("Answer")

PER_THREAD = 128
"""Pictures let in for each thread: a quarter of a second of work when they are tiny, seconds when they are photos."""

PATIENCE = 60.0
"""Seconds after which a picture that still waits for those of others is given up: theirs may be large."""

BUSY = HttpError(503, "Too many pictures wait already. Try again in a second.", {"Retry-After": "1"})


@dataclass
class WorkQueue:
    """Runs work on a few threads and refuses what would have to wait for long.

    Args:
        threads: at work at a time.
        room: pictures inside at a time, those at work among them.
        inside: pictures that are inside now, each as often as it costs.
        closing: whether nothing new is let in.
    """

    threads: int
    capacity: int = 0
    in_use: int = 0
    closing: bool = False
    pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self.capacity = self.capacity or self.threads * PER_THREAD
        self.pool = ThreadPoolExecutor(self.threads, "queue")

    async def submit(self, jobs: Sequence[Callable[[], Answer]], cost: int = 1) -> list[Answer]:
        """Do all the jobs of a request; return their answers in order.

        Args:
            jobs: one a picture.
            cost: how many pictures each takes the time of. An idle queue takes any one request.

        Raises:
            HttpError: there is no room for all of them, or the service is stopping.
        """
        if self.closing:
            raise HttpError(503, "The service is stopping. Ask another one.")
        if self.in_use + cost * len(jobs) > self.capacity and (self.in_use or cost == 1):
            raise BUSY
        patience = PATIENCE if self.in_use else math.inf
        self.in_use += cost * len(jobs)
        loop = asyncio.get_running_loop()
        jobs = [_before(time.monotonic() + patience, job) for job in jobs]
        return await asyncio.gather(*(asyncio.wrap_future(self._begun(job, cost, loop)) for job in jobs))

    def close(self) -> None:
        """Forget what has not begun; what has begun is not waited for."""
        self.pool.shutdown(wait=False, cancel_futures=True)

    def _begun(self, job: Callable[[], Answer], cost: int, loop: asyncio.AbstractEventLoop) -> Future[Answer]:
        """Hand a job to a thread; its place is free when the job itself is done, whatever became of its request."""

        def leave(_: Future[Answer]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody counts any more
                loop.call_soon_threadsafe(self._leave, cost)

        future = self.pool.submit(job)
        future.add_done_callback(leave)
        return future

    def _leave(self, cost: int) -> None:
        self.in_use -= cost


def _before(end: float, job: Callable[[], Answer]) -> Callable[[], Answer]:
    """The job, refused when it has not begun by then."""

    def begin() -> Answer:
        if time.monotonic() > end:
            raise BUSY
        return job()

    return begin
