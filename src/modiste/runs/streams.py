"""Outputs that are not regular files: standard output, FIFOs, terminals, /dev/null. They are written through."""

import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

from modiste.errors import InputError

DEVICES = ("/dev/null", "/dev/full", "/dev/tty")
TERMINALS = r"/dev/(pts/|tty)\w+"
"""Character devices that are written to; some others do something when they are only opened."""

DESCRIPTORS = {"/dev/stdout": 1, "/dev/stderr": 2}

MAX_LINKS = 40


def is_stream(path: Path) -> bool:
    """Return whether a path is written through, instead of being replaced; a link is not, see `follow_link`.

    Raises:
        InputError: it is a device or a socket that is not written to.
    """
    if _descriptor(path) is not None:
        return True
    try:
        status = path.lstat()
    except OSError:
        return False
    if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
        return False
    if stat.S_ISFIFO(status.st_mode):
        return True
    devices = {Path(device).stat().st_rdev for device in DEVICES if Path(device).exists()}
    is_terminal = re.fullmatch(TERMINALS, os.path.realpath(path))
    if stat.S_ISCHR(status.st_mode) and (status.st_rdev in devices or is_terminal):
        return True
    raise InputError(f"{path} is a device or a socket, which is not written to. Name a file.")


def open_stream(path: Path) -> BinaryIO:
    """Open a path for which `is_stream` is true; of a FIFO this waits for its reader."""
    descriptor = _descriptor(path)
    return path.open("wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb")


def follow_link(path: Path) -> Path:
    """Return the target of a link, and of one that this leads to; standard output and the like under their names."""
    for _ in range(MAX_LINKS):
        if _descriptor(path) is not None or not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return path


def _descriptor(path: Path) -> int | None:
    """Return the number of the open file that a path such as /dev/stdout or /dev/fd/3 stands for."""
    if str(path) in DESCRIPTORS:
        return DESCRIPTORS[str(path)]
    match = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", str(path))
    return int(match[1]) if match else None
