"""Files below a folder or a URL that fsspec opens, such as s3://bucket/prefix: what several machines share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from modiste.errors import InputError, OutputError
from modiste.runs import files

CLIENT_PACKAGES = ("botocore", "aiobotocore", "aiohttp", "gcsfs", "adlfs")
"""Of clients of object stores, whose errors are not all of `OSError`."""


def is_url(path: str) -> bool:
    """Return whether a path is a URL such as s3://bucket/prefix."""
    return "://" in path


@dataclass(frozen=True)
class Storage:
    """Files below a folder or URL, by their names relative to it.

    Each file is replaced as a whole: in a folder by a move, in an object store by the store itself.
    """

    url: str

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        """The file system of fsspec, and the path in it."""
        import fsspec

        try:
            return fsspec.core.url_to_fs(self.url, use_listings_cache=False)  # type: ignore[no-any-return]
        except ValueError as error:
            raise InputError(f"{self.url} cannot be opened ({error}). Give a folder, or a URL such as s3://.") from None

    @property
    def _is_local(self) -> bool:
        return not is_url(self.url)

    def __getstate__(self) -> dict[str, str]:
        """Pickle the URL; another process opens it anew."""
        return {"url": self.url}

    def path(self, name: str) -> str:
        """Return path or URL of a file."""
        return f"{self.url.rstrip('/')}/{name}"

    def names(self, below: str = "") -> list[str]:
        """List the files below a folder, sorted; none if there is no such folder. Raises InputError."""
        with _as_input_error(self.path(below)):
            file_system, root = self._opened
            try:
                paths = file_system.find(f"{root.rstrip('/')}/{below}" if below else root)
            except FileNotFoundError:
                return []
            return sorted(path[len(root) :].lstrip("/") for path in paths)

    def read(self, name: str) -> bytes:
        """Return the content of a file; raises FileNotFoundError, or InputError if it cannot be read."""
        with _as_input_error(self.path(name)):
            file_system, root = self._opened
            return bytes(file_system.cat_file(f"{root.rstrip('/')}/{name}"))

    def open(self, name: str) -> BinaryIO:
        """Open a file to read parts of it; raises FileNotFoundError, or InputError if it cannot be read."""
        with _as_input_error(self.path(name)):
            file_system, root = self._opened
            return file_system.open(f"{root.rstrip('/')}/{name}", "rb")  # type: ignore[no-any-return]

    def write(self, name: str, content: bytes) -> None:
        """Replace a file; raises OutputError when it cannot be written."""
        if self._is_local:
            path = Path(self.path(name))
            files.make_folder(path.parent)
            files.write_bytes(path, content)
            return
        with _as_output_error(self.path(name)):
            file_system, root = self._opened
            file_system.pipe_file(f"{root.rstrip('/')}/{name}", content)

    def remove(self, names: list[str]) -> None:
        """Remove files; those that are not there are ignored. Raises OutputError."""
        with _as_output_error(self.url):
            file_system, root = self._opened
            for name in names:
                try:
                    file_system.rm_file(f"{root.rstrip('/')}/{name}")
                except FileNotFoundError:
                    continue


@contextmanager
def _as_input_error(place: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        if not _is_of_storage(error):
            raise
        raise InputError(
            f"{place} cannot be read ({_reason(error)}). Check the address and your credentials."
        ) from None


@contextmanager
def _as_output_error(place: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not _is_of_storage(error):
            raise
        advice = "Check the address and your credentials, or free space, then repeat the command."
        raise OutputError(f"{place} cannot be written ({_reason(error)}). {advice}") from None


def _is_of_storage(error: Exception) -> bool:
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in CLIENT_PACKAGES


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
