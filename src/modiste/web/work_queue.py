"""A bounded queue in front of a thread pool.

There is no batching: for models of this size one thread per core, each with one photo, has the same throughput, and no
photo waits for a batch.
"""

import asyncio
import math
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from modiste.web.http_error import RETRY_AFTER, HttpError, stopping

Result = TypeVar("Result")

CAPACITY_PER_THREAD = 128
"""Photos for each thread: a quarter of a second of work for 28 x 28 images, seconds for photos of a phone."""

MAX_REQUESTS = 96
"""Requests whose photos wait or are predicted: 0.5 to 1.5 ms each for small images on one core, most of it not for the
prediction, so that more threads do not allow more."""

MAX_PAUSE = 0.04
"""Seconds, drawn at random, for which the place of a request that ends stays empty while all places are taken."""

MAX_WAIT = 60.0
"""Seconds after which a job that waits behind those of other requests is given up; their photos may be large."""

NICENESS = 5
"""Of the threads that predict: with few cores, the one that answers all requests must not wait for them."""

queue_full = partial(HttpError, 503, "The queue of the service is full. Retry in a second.", RETRY_AFTER)
"""Create the error."""


def _lower_priority() -> None:
    """Lower the priority of this thread, where the system has one for each."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)


@dataclass
class WorkQueue:
    """Runs jobs on a few threads and rejects requests when too many jobs wait.

    Args:
        threads: jobs that run at the same time.
        capacity: total cost of the jobs that wait or run; 0 is `CAPACITY_PER_THREAD` for each thread.
        in_use: total cost of the jobs that wait or run now.
        requests: calls of `submit` that wait or run now.
        closing: reject all new jobs.
    """

    threads: int
    capacity: int = 0
    in_use: int = 0
    requests: int = 0
    closing: bool = False
    pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self.capacity = self.capacity or self.threads * CAPACITY_PER_THREAD
        self.pool = ThreadPoolExecutor(self.threads, "queue", initializer=_lower_priority)

    @property
    def is_full(self) -> bool:
        """Whether every job is rejected now."""
        return self.requests >= MAX_REQUESTS or self.in_use >= self.capacity

    async def submit(self, jobs: Sequence[Callable[[], Result]], cost: int = 1) -> list[Result]:
        """Run all jobs of a request and return their results in order.

        Args:
            jobs: one for each photo.
            cost: of each job, in forward passes. An empty queue accepts a single request that exceeds the capacity if
                its cost is above 1.

        Raises:
            HttpError: the queue is full or the service is stopping (503).
        """
        if self.closing:
            raise stopping()
        exceeds = self.in_use + cost * len(jobs) > self.capacity and (self.in_use or cost == 1)
        if exceeds or self.requests >= MAX_REQUESTS:
            raise queue_full()
        deadline = time.monotonic() + (MAX_WAIT if self.in_use else math.inf)
        self.in_use += cost * len(jobs)
        loop = asyncio.get_running_loop()
        jobs = [_with_deadline(job, deadline) for job in jobs]
        self.requests += 1
        try:
            return await asyncio.gather(*(asyncio.wrap_future(self._start(job, cost, loop)) for job in jobs))
        finally:
            # a client that retries at once would otherwise take the place that it left, and new ones get none
            pause = random.uniform(0, MAX_PAUSE) if self.requests >= MAX_REQUESTS else 0  # noqa: S311  not for security
            loop.call_later(pause, self._leave)

    def _leave(self) -> None:
        self.requests -= 1

    def close(self) -> None:
        """Cancel the jobs that wait; those that run are not waited for."""
        self.pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, job: Callable[[], Result], cost: int, loop: asyncio.AbstractEventLoop) -> Future[Result]:
        """Hand a job to the pool; its cost is released when the job ends, even if the client has disconnected."""

        def on_done(_: Future[Result]) -> None:
            with suppress(RuntimeError):  # the loop is closed, so nothing is counted anymore
                loop.call_soon_threadsafe(self._release, cost)

        future = self.pool.submit(job)
        future.add_done_callback(on_done)
        return future

    def _release(self, cost: int) -> None:
        self.in_use -= cost


def _with_deadline(job: Callable[[], Result], deadline: float) -> Callable[[], Result]:
    """Return the job, which raises `queue_full` if it starts after the deadline, in seconds of `time.monotonic`."""

    def run() -> Result:
        if time.monotonic() > deadline:
            raise queue_full()
        return job()

    return run
