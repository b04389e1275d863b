"""One lock for what several processes may write: a run folder, a file of predictions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from modiste.errors import InputError
from modiste.runs import files

NAME = ".lock"


@contextmanager
def lock(path: Path, timeout: float = 0.0) -> Iterator[None]:
    """Keep other processes from writing to a folder or file while the block runs.

    The lock is a hidden file in the folder, or beside the file, which stays there. The system releases it when the
    process ends, however it ends.

    Raises:
        InputError: another process has the lock, and still has it after `timeout` seconds.
        OutputError: the lock file cannot be written.
    """
    lock_file = path / NAME if path.is_dir() else path.with_name(f".{path.name}{NAME}")
    try:
        acquired = FileLock(lock_file, timeout=timeout).acquire()
    except Timeout:
        raise InputError(f"{path} is in use by another modiste process. Wait until it ends, or stop it.") from None
    except OSError as error:
        raise files.write_error(path, error) from error
    with acquired:
        yield
