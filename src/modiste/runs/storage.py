"""Files below a folder or a URL that fsspec opens, such as s3://bucket/prefix: what several machines share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from modiste.errors import InputError, OutputError
from modiste.runs import files

CLIENT_PACKAGES = ("botocore", "aiobotocore", "aiohttp", "gcsfs", "adlfs")
"""Of clients of object stores, whose errors are not all of `OSError`."""


def is_url(path: str) -> bool:
    """Return whether a path is a URL such as s3://bucket/prefix."""
    return "://" in path


class _Place(Protocol):
    """A folder or a prefix; every name is relative to it."""

    def names(self, below: str) -> list[str]: ...
    def open(self, name: str) -> BinaryIO: ...
    def write(self, name: str, content: bytes) -> None: ...
    def remove(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Folder:
    root: Path

    def names(self, below: str) -> list[str]:
        paths = (path for path in (self.root / below).rglob("*") if path.is_file())
        return [path.relative_to(self.root).as_posix() for path in paths if path.suffix != files.PARTIAL_SUFFIX]

    def open(self, name: str) -> BinaryIO:
        return (self.root / name).open("rb")

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        files.make_folder(path.parent)
        files.write_bytes(path, content)

    def remove(self, name: str) -> None:
        (self.root / name).unlink()


@dataclass(frozen=True, slots=True)
class _Prefix:
    file_system: Any
    root: str

    def names(self, below: str) -> list[str]:
        paths = self.file_system.find(f"{self.root}/{below}" if below else self.root)
        return [path[len(self.root) :].lstrip("/") for path in paths]

    def open(self, name: str) -> BinaryIO:
        return self.file_system.open(f"{self.root}/{name}", "rb")  # type: ignore[no-any-return]

    def write(self, name: str, content: bytes) -> None:
        self.file_system.pipe_file(f"{self.root}/{name}", content)

    def remove(self, name: str) -> None:
        self.file_system.rm_file(f"{self.root}/{name}")


@dataclass(frozen=True)
class Storage:
    """Files below a folder or URL, by their names relative to it.

    Each file is replaced as a whole: in a folder by a move, in an object store by the store itself.
    """

    url: str

    @cached_property
    def _place(self) -> _Place:
        if not is_url(self.url):
            return _Folder(Path(self.url))
        if not self.url.partition("://")[2].strip("/"):
            raise InputError(f"{self.url} names no bucket or folder. Give one: {self.url.rstrip('/')}//BUCKET/PREFIX.")
        import fsspec

        try:
            file_system, root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except ValueError as error:
            raise InputError(f"{self.url} cannot be opened ({error}). Give a folder, or a URL such as s3://.") from None
        except ImportError as error:
            advice = "Install this package, on a cluster on every node"
            raise InputError(f"{self.url} cannot be opened ({error}). {advice}.") from None
        return _Prefix(file_system, root.rstrip("/"))

    def __getstate__(self) -> dict[str, str]:
        """Pickle the URL; another process opens it anew."""
        return {"url": self.url}

    def path(self, name: str) -> str:
        """Return path or URL of a file."""
        return f"{self.url.rstrip('/')}/{name}"

    def names(self, below: str = "") -> list[str]:
        """List the files below a folder, sorted; none if there is no such folder or bucket. Raises InputError."""
        try:
            return self.existing_names(below)
        except FileNotFoundError:
            return []

    def existing_names(self, below: str = "") -> list[str]:
        """List the files as `names`; raises FileNotFoundError for a bucket that does not exist."""
        with _as_input_error(self.path(below)):
            return sorted(self._place.names(below))

    def read(self, name: str) -> bytes:
        """Return the content of a file; raises FileNotFoundError, or InputError if it cannot be read."""
        with _as_input_error(self.path(name)), self._place.open(name) as file:
            return bytes(file.read())

    def open(self, name: str) -> BinaryIO:
        """Open a file to read parts of it; raises FileNotFoundError, or InputError if it cannot be read."""
        with _as_input_error(self.path(name)):
            return self._place.open(name)

    def write(self, name: str, content: bytes) -> None:
        """Replace a file; raises OutputError when it cannot be written."""
        with _as_output_error(self.path(name)):
            self._place.write(name, content)

    def remove(self, names: Sequence[str]) -> None:
        """Remove files; those that are not there are ignored. Raises OutputError."""
        with _as_output_error(self.url):
            for name in names:
                try:
                    self._place.remove(name)
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
        advice = "Check the address and your credentials."
        raise InputError(f"{place} cannot be read ({_reason(error)}). {advice}") from None


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
