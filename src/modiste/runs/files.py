"""Atomic files: written beside their place, flushed to the disk, then moved into it.

A link in a folder that comes from others leads anywhere, so a write replaces the link, not its target; a path that the
user names is passed through `follow_link` first. What is not a regular file (standard output, a FIFO) is written
through, never replaced.
"""

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from modiste.errors import InputError, OutputError
from modiste.runs import streams
from modiste.runs.temporary_folder import temporary_folder

PARTIAL_SUFFIX = ".partial"

STALE_SECONDS = 60.0
"""Age of a temporary file of a process that does not run any more, from which on the next write removes it."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a full disk, or of a file that may not grow."""

MAX_TEXT_BYTES = 64 * 2**20
"""Bytes of a text file of a run: its JSON and its table of epochs have up to a few."""

MAX_LINE_BYTES = 2**20  # a longer line is read as several


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, and move it to `path` if the block ends without an error.

    A process that is killed in the block leaves the old file unchanged, and beside it a file with the suffix
    `.partial` under a name of its own, so that several processes can write the same path; the last one wins. The next
    write to the path removes it, as does `remove_partials`. A link is replaced, see `follow_link`. Standard output, a
    FIFO, a terminal and /dev/null are written through after the block.

    Raises:
        InputError: the folder of the path does not exist, or the path is a folder or a device that is not written to.
        OutputError: the file cannot be written.
    """
    if not path.name or path.is_dir():
        raise InputError(f"{path} is a folder. Name a file in it.")
    if streams.is_stream(path):
        with _through_temporary_file(path) as temporary:
            yield temporary
        return
    with _convert_errors(path):
        _remove_stale(path)
        partial = _partial_path(path)
        try:
            yield partial
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):  # the error of the write itself is the one to report
                partial.unlink(missing_ok=True)
            raise


@contextmanager
def append_text(path: Path) -> Iterator[TextIO]:
    """Open a text file to append lines to, which are flushed to the disk at the end of the block; a link is refused.

    Raises:
        InputError: the folder of the path does not exist.
        OutputError: as `atomic_write`.
    """
    with _convert_errors(path), open_to_append(path) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def open_to_append(path: Path) -> TextIO:
    """Open a text file at its end, or a new one; raises OutputError when it is a link or cannot be written."""
    try:
        return open(path, "a", encoding="utf-8", newline="", opener=_open_without_link)
    except OSError as error:
        raise write_error(path, error) from error


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file in bounded memory; none if there is no file, InputError if it cannot be read."""
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES):
                yield line
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Choose another.") from None


def make_folder(path: Path) -> None:
    """Make a folder and its missing parents; raises OutputError when it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def make_own_folder(path: Path) -> None:
    """Make a folder in a run folder, in place of a link; raises OutputError when it cannot be made."""
    if path.is_symlink():
        path.unlink()
    make_folder(path)


def follow_link(path: Path) -> Path:
    """Return where a path that the user named is to be written: the target of a link, which itself stays."""
    return streams.follow_link(path)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; raises as `atomic_write`."""
    with atomic_write(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically; raises as `atomic_write`. Surrogates, as in some paths, are escaped."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON atomically; raises as `atomic_write`, and ValueError for NaN."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_text(path: Path) -> str:
    """Read a UTF-8 text file of a run.

    Raises:
        InputError: it is no regular file, which could wait or go on forever, or larger than any that modiste writes.
        OSError, ValueError: it is missing or cannot be read, or is not UTF-8.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a regular file. Replace it by one, or remove it.")
    with path.open("rb") as file:
        content = file.read(MAX_TEXT_BYTES + 1)
    if len(content) > MAX_TEXT_BYTES:
        raise InputError(f"{path} is larger than {MAX_TEXT_BYTES // 2**20} MiB, more than modiste writes. Restore it.")
    return content.decode()


def read_json(path: Path) -> Any:
    """Read JSON; raises InputError when the file is missing, unreadable or not JSON."""
    try:
        return json.loads(read_text(path))
    except FileNotFoundError:
        raise InputError(f"{path} is missing. Check its name, or restore it.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error}). Restore it, or write it again.") from None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file; raises InputError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from None


def remove_partials(folder: Path) -> None:
    """Delete the temporary files of killed processes in a folder, which no other process writes to, and below."""
    for leftover in folder.rglob("*" + PARTIAL_SUFFIX):
        leftover.unlink(missing_ok=True)


def write_error(path: Path, error: OSError) -> OutputError:
    """Return the error for a path that cannot be written."""
    cause = "Free space" if error.errno in FULL else "Check its permissions"
    advice = f"{cause}, or choose another folder, then repeat the command."
    return OutputError(f"{path} cannot be written ({error.strerror or error}). {advice}")


def _open_without_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


@contextmanager
def _convert_errors(path: Path) -> Iterator[None]:
    """Raise an InputError if the folder of a file does not exist, and an OutputError if the block fails to write it."""
    if not path.parent.is_dir():
        raise InputError(f"The folder {path.parent} does not exist. Make it first, or name another.")
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


def is_partial_of(name: str, path: Path) -> bool:
    """Return whether a file name is that of a temporary file of `atomic_write` for this path."""
    return name.startswith(f"{_stem(path)}.") and name.endswith(PARTIAL_SUFFIX)


def _stem(path: Path) -> str:
    return path.name[:40]  # a longer one might exceed what the system allows


def _partial_path(path: Path) -> Path:
    """Return a name beside the path that no other process and no other thread has."""
    return path.with_name(f"{_stem(path)}.{os.getpid()}-{secrets.token_hex(4)}{PARTIAL_SUFFIX}")


def _remove_stale(path: Path) -> None:
    """Delete the temporary files for a path whose processes were killed."""
    for name in os.listdir(path.parent):  # noqa: PTH208 - with `iterdir`, a large folder takes five times as long
        process = re.fullmatch(re.escape(_stem(path)) + r"\.(\d+)-[0-9a-f]{8}" + re.escape(PARTIAL_SUFFIX), name)
        if process and not _is_running(int(process[1])):
            leftover = path.with_name(name)
            with suppress(OSError):
                if time.time() - leftover.stat().st_mtime > STALE_SECONDS:  # else a process of another machine may run
                    leftover.unlink()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # of another user
    return True


@contextmanager
def _through_temporary_file(path: Path) -> Iterator[Path]:
    """Yield a temporary file, and copy it to a stream if the block ends without an error."""
    try:
        with temporary_folder() as folder:
            temporary = Path(folder) / "output"
            yield temporary
            with temporary.open("rb") as source, streams.open_stream(path) as stream:
                shutil.copyfileobj(source, stream)
    except OSError as error:
        raise write_error(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Flush the move to the disk, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
