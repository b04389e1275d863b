"""Reader of one IDX file, gzipped or not, that checks every number in it.

The format is that of MNIST (yann.lecun.com/exdb/mnist): a magic number, the sizes, big-endian, then the bytes. The
header is checked first, and nothing is unpacked beyond the size that it states.
"""

import math
import struct
import zlib
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from modiste.data.split import Images, Labels
from modiste.errors import InputError

IMAGES_MAGIC = 0x803
"""Unsigned bytes (8) in three dimensions."""
LABELS_MAGIC = 0x801
MAX_BYTES = 2**30
"""Largest file, packed or unpacked; 1.3 million images of 28 x 28."""

ADVICE = "Download or copy it again."


def is_images(file: Path) -> bool:
    """Whether the file name is that of an IDX file of images."""
    return file.name.removesuffix(".gz").endswith("-images-idx3-ubyte") and file.is_file()


def read_images(file: Traversable, content: bytes) -> Images:
    """Parse a file of images.

    Args:
        file: its path, for errors.
        content: its bytes as stored.

    Returns:
        uint8, [n, rows, columns].

    Raises:
        InputError: it is no such file, truncated, damaged, larger than 1 GiB or longer than its header says.
    """
    body = unpack(file, content, IMAGES_MAGIC)
    return np.frombuffer(body, np.uint8, offset=16).reshape(struct.unpack(">III", body[4:16]))


def read_labels(file: Traversable, content: bytes) -> Labels:
    """Parse a file of labels: int64, [n]; arguments and errors as `read_images`."""
    return np.frombuffer(unpack(file, content, LABELS_MAGIC), np.uint8, offset=8).astype(np.int64)


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


def unpack(file: Traversable, content: bytes, magic: int) -> bytes:
    """Return the content without gzip, header included; raise InputError as `read_images`.

    Args:
        file: its path, for errors.
        content: its bytes as stored.
        magic: the number that it must start with; its last byte is the number of dimensions.
    """
    header_size = 4 + 4 * (magic % 256)
    header, _, _ = _gunzip(file, content[:4096], header_size)
    if len(header) < header_size:
        raise InputError(f"{file} is truncated: it ends inside its header. {ADVICE}")
    actual, *sizes = struct.unpack(f">{header_size // 4}I", header)
    if actual != magic:
        what = "images" if magic == IMAGES_MAGIC else "labels"
        raise InputError(f"{file} starts with {actual}, but IDX {what} start with {magic}. {ADVICE}")
    size = header_size + math.prod(sizes)
    if size > MAX_BYTES:
        raise InputError(f"{file} announces {' x '.join(map(str, sizes))} bytes, more than 1 GiB. {ADVICE}")
    body, is_complete, rest = _gunzip(file, content, size + 1)
    if len(body) > size or rest:
        raise InputError(f"{file} is longer than its header says ({size} bytes unpacked). {ADVICE}")
    if len(body) < size or not is_complete:
        raise InputError(f"{file} is truncated: {len(body)} of {size} bytes unpacked are there. {ADVICE}")
    return body


def _gunzip(file: Traversable, content: bytes, limit: int) -> tuple[bytes, bool, bytes]:
    """Return at most `limit` bytes of a file without gzip, whether its gzip member is complete, and what follows it."""
    if content[:2] != b"\x1f\x8b":
        return content[:limit], True, b""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        body = unpacker.decompress(content, limit)  # checks the CRC when it gets to the end
    except zlib.error:
        raise InputError(f"{file} is damaged. {ADVICE}") from None
    return body, unpacker.eof, unpacker.unused_data
