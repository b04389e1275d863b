"""One IDX file, gzipped or not, read with every number in it checked.

The format is that of MNIST: a magic number, the sizes, big-endian, then the bytes. Nothing is unpacked beyond what the
header announces, and the header is checked first.
"""

import struct
import zlib
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from modiste.data.split import Images, Labels
from modiste.errors import InputError

IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049
MAX_BYTES = 2**30
"""Largest file, packed or unpacked; 1.3 million images of 28 x 28."""

GET_ANEW = "Download or copy it again."


def is_images(file: Path) -> bool:
    """Whether the name says that this is a file of images."""
    return file.name.removesuffix(".gz").endswith("-images-idx3-ubyte") and file.is_file()


def read_images(file: Traversable, content: bytes) -> Images:
    """Parse a file of images: uint8, [n, rows, columns].

    Args:
        file: where it came from, for errors.
        content: its bytes as stored.

    Raises:
        InputError: it is no such file, truncated, damaged, too large or longer than it says.
    """
    magic, count, rows, columns = struct.unpack(">IIII", _header(file, content, 16))
    _require_magic(file, magic, IMAGES_MAGIC, "images")
    if count * rows * columns > MAX_BYTES:
        raise InputError(f"{file} announces {count} images of {rows} x {columns}, more than 1 GiB. {GET_ANEW}")
    body = _whole(file, content, 16 + count * rows * columns)
    return np.frombuffer(body, np.uint8, offset=16).reshape(count, rows, columns)


def read_labels(file: Traversable, content: bytes, labels: int) -> Labels:
    """Parse a file of labels: int64, [n].

    Args:
        file: where it came from, for errors.
        content: its bytes as stored.
        labels: how many labels there are; each number must be below.

    Raises:
        InputError: as `read_images`, or a label is too large.
    """
    magic, count = struct.unpack(">II", _header(file, content, 8))
    _require_magic(file, magic, LABELS_MAGIC, "labels")
    if count > MAX_BYTES:
        raise InputError(f"{file} announces {count} labels, more than 1 GiB. {GET_ANEW}")
    values = np.frombuffer(_whole(file, content, 8 + count), np.uint8, offset=8)
    if count and values.max() >= labels:
        raise InputError(f"{file} holds the label {values.max()}, but labels go from 0 to {labels - 1}. Correct it.")
    return values.astype(np.int64)


def read_bytes(file: Traversable) -> bytes:
    """Read a file as stored.

    Raises:
        InputError: it is missing, unreadable or larger than 1 GiB.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{file} is missing. Put it back, or name another folder with --data.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}). Check its permissions.") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"{file} is larger than 1 GiB. Split it, or use class folders.")
    return bytes(content)


def _require_magic(file: Traversable, found: int, wanted: int, what: str) -> None:
    if found != wanted:
        raise InputError(f"{file} starts with {found}, but IDX {what} start with {wanted}. {GET_ANEW}")


def _header(file: Traversable, content: bytes, size: int) -> bytes:
    """Return the first `size` bytes unpacked."""
    if not _is_packed(content):
        header = content[:size]
    else:
        try:
            header = zlib.decompressobj(wbits=31).decompress(content[:4096], size)
        except zlib.error:
            raise InputError(f"{file} is damaged. {GET_ANEW}") from None
    if len(header) < size:
        raise InputError(f"{file} is truncated: it ends inside its header. {GET_ANEW}")
    return header


def _whole(file: Traversable, content: bytes, size: int) -> bytes:
    """Unpack all, one byte more than `size` at most; the file must have exactly `size` bytes unpacked."""
    body, complete, rest = content, True, b""
    if _is_packed(content):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            body = unpacker.decompress(content, size + 1)  # checks the CRC when it gets to the end
        except zlib.error:
            raise InputError(f"{file} is damaged. {GET_ANEW}") from None
        complete, rest = unpacker.eof, unpacker.unused_data
    if len(body) > size or rest:
        raise InputError(f"{file} is longer than its header says ({size} bytes unpacked). {GET_ANEW}")
    if len(body) < size or not complete:
        raise InputError(f"{file} is truncated: {len(body)} of {size} bytes unpacked are there. {GET_ANEW}")
    return body


def _is_packed(content: bytes) -> bool:
    return content[:2] == b"\x1f\x8b"
