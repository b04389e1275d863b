"""Reader of one IDX file, gzipped or not, that checks its header and length.

The format is that of MNIST (yann.lecun.com/exdb/mnist): a magic number and the sizes, big-endian, then the bytes.
"""

import gzip
import io
import math
import struct
import zlib
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modiste.data.packing import require_plausible
from modiste.data.split import Images, Labels
from modiste.errors import InputError

MAGIC = {"images": 0x803, "labels": 0x801}
"""Type of the values (8: unsigned bytes), then the number of dimensions."""

MAX_BYTES = 2**30
"""Largest file, packed or unpacked; 1.3 million images of 28 x 28."""

ADVICE = "Download or copy it again."


def is_images(file: Path) -> bool:
    """Whether the file name is that of an IDX file of images."""
    return file.name.removesuffix(".gz").endswith("-images-idx3-ubyte") and file.is_file()


def read_images(file: Traversable, content: bytes) -> Images:
    """Parse a file of images: uint8, [n, rows, columns]; nothing is unpacked beyond the size that the header states.

    Args:
        file: its path, for errors.
        content: its bytes as stored.

    Raises:
        InputError: it is not such a file, is truncated, damaged, larger than 1 GiB or longer than its header says.
    """
    return _parse(file, content, "images")


def read_labels(file: Traversable, content: bytes) -> Labels:
    """Parse a file of labels: int64, [n]; arguments and errors as for `read_images`."""
    return _parse(file, content, "labels").astype(np.int64)


def read_bytes(file: Traversable) -> bytes:
    """Read a file as stored; raises InputError when it is missing, unreadable or larger than 1 GiB."""
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


def _parse(file: Traversable, content: bytes, kind: str) -> NDArray[np.uint8]:
    stored = io.BytesIO(content)
    stream = gzip.GzipFile(fileobj=stored) if content[:2] == b"\x1f\x8b" else stored
    try:
        shape = _read_shape(file, stream, kind)
        size = math.prod(shape)
        if stream is not stored:
            require_plausible(file, size, len(content))
        body = np.empty(size, np.uint8)  # takes memory only where something is read into it
        read, rest = _read_into(stream, body.data), stream.read(1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        problem = "truncated" if isinstance(error, EOFError) else "damaged"
        raise InputError(f"{file} is {problem}. {ADVICE}") from None
    if rest:
        raise InputError(f"{file} is longer than its header says ({size} bytes of values). {ADVICE}")
    if read < size:
        raise InputError(f"{file} is truncated: {read} of {size} bytes of values are there. {ADVICE}")
    body.setflags(write=False)
    return body.reshape(shape)


def _read_into(stream: io.BufferedIOBase, values: memoryview) -> int:
    """Fill the values from a stream; return how many it has."""
    filled = 0
    while filled < len(values) and (count := stream.readinto(values[filled:])):
        filled += count
    return filled


def _read_shape(file: Traversable, stream: io.BufferedIOBase, kind: str) -> list[int]:
    header_size = 4 + 4 * (MAGIC[kind] % 256)
    header = stream.read(header_size)
    if len(header) < header_size:
        raise InputError(f"{file} is truncated: it ends inside its header. {ADVICE}")
    magic, *shape = struct.unpack(f">{header_size // 4}I", header)
    if magic != MAGIC[kind]:
        raise InputError(f"{file} starts with {magic}, but IDX {kind} start with {MAGIC[kind]}. {ADVICE}")
    if math.prod(shape) > MAX_BYTES:
        raise InputError(f"{file} announces {' x '.join(map(str, shape))} bytes, more than 1 GiB. {ADVICE}")
    return shape
