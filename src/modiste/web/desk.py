"""Where pictures wait for the model: a bounded number at a time, each on a thread of its own.

Batching is left out: a thread a core, each with its own picture, is as fast for models as small as these, and no
picture waits for another one.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from modiste.web.refused import Refused

Answer = TypeVar("Answer")

PER_THREAD = 64
"""Pictures that may wait for a thread: a quarter of a second of work, so that whoever is let in is answered soon."""


@dataclass
class Desk:
    """Runs work on a few threads and refuses what would have to wait for long.

    Args:
        threads: at work at a time.
        room: pictures inside at a time, those at work among them.
        inside: pictures that are inside now.
        closing: whether nothing new is let in.
    """

    threads: int
    room: int = 0
    inside: int = 0
    closing: bool = False
    pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self.room = self.room or self.threads * PER_THREAD
        self.pool = ThreadPoolExecutor(self.threads, "desk")

    async def work(self, jobs: Sequence[Callable[[], Answer]]) -> list[Answer]:
        """Do all the jobs of a request; return their answers in order.

        Raises:
            Refused: there is no room for all of them, or the service is stopping.
        """
        if self.closing:
            raise Refused(503, "The service is stopping. Ask another one.")
        if self.inside + len(jobs) > self.room:
            raise Refused(503, "Too many pictures wait already. Try again in a second.", {"Retry-After": "1"})
        self.inside += len(jobs)
        try:
            loop = asyncio.get_running_loop()
            # shielded: a client that goes away does not free a place that its picture still takes
            return await asyncio.shield(asyncio.gather(*(loop.run_in_executor(self.pool, job) for job in jobs)))
        finally:
            self.inside -= len(jobs)
