"""The processes that a process has started, on Linux."""

from collections import defaultdict
from contextlib import suppress
from pathlib import Path


def descendants(process: int) -> list[Path]:
    """Return the folders in /proc of the processes that a process has started and of those that they have, in turn."""
    children = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            children[int((folder / "stat").read_text().rpartition(")")[2].split()[1])].append(folder)
    queue = list(children[process])
    for folder in queue:  # which grows meanwhile
        queue += children[int(folder.name)]
    return queue
