"""Decode HEIC photos in a separate process, so that a decoder that crashes or hangs does not affect this one."""

import math
import struct
import subprocess
import sys
import time
from contextlib import suppress
from subprocess import DEVNULL, PIPE
from threading import Thread, Timer

from modiste.errors import InputError, UnsupportedPhoto
from modiste.imaging import file_format
from modiste.imaging.memory import MEBIBYTE, PIXELS
from modiste.imaging.reduction import MAX_PREPARED_PIXELS, check_size

TIMEOUT_SECONDS = 20
SIZE = struct.Struct(">II")

MAX_OUTPUT = SIZE.size + 3 * MAX_PREPARED_PIXELS
"""Bytes that the process may write; the rest is not read."""

PROCESS_BYTES, BYTES_PER_PIXEL = 40 * MEBIBYTE, 12
"""Of the process: of a photo of a phone, 7 bytes for each pixel. Two photos of 12 megapixels fit beside each other."""

BOX_HEAD, MAX_BOXES = 8, 100
"""Bytes of the length and name of a box, and boxes on the first level of a file; photos have three or four."""


def decoding_bytes(data: bytes) -> int:
    """Return the bytes that the process may take for a photo, by the largest size that the file declares.

    Raises:
        UnsupportedPhoto: the extra is not installed.
        InputError: it has too many or too few pixels.
        EOFError, struct.error: the file is damaged.
    """
    if not file_format.is_heic_supported():
        advice = "Install its decoder, pip install 'modiste[heic]', or save the photo as JPEG."
        raise UnsupportedPhoto(f"The photo is HEIC. {advice}")
    width, height = max(_declared_sizes(data), key=math.prod)
    check_size(width, height, "HEIC")
    return min(PIXELS.total, PROCESS_BYTES + BYTES_PER_PIXEL * width * height)


def decode(data: bytes, memory: int) -> tuple[int, int, bytes]:
    """Decode the first photo of a complete HEIC file, in a process that may take so many bytes of memory.

    Returns:
        Width, height and RGB bytes, oriented and on white, reduced as by `decode.reduce_to_rgb`; no bytes if it has too
        many or too few pixels.

    Raises:
        InputError: its decoder takes too long or cannot be started.
        struct.error: the file is damaged, or its decoder crashes, writes too much, or needs more memory.
    """
    try:
        output = _run(data, memory)
    except OSError as error:
        raise InputError(f"The photo cannot be decoded ({error.strerror}). Try again, or save it as JPEG.") from None
    return (*SIZE.unpack_from(output), output[SIZE.size :])


def _declared_sizes(data: bytes) -> list[tuple[int, int]]:
    """Return width and height of all pictures and tiles of a file of boxes, ISO/IEC 14496-12; raises as the caller."""
    start = 0
    for _ in range(MAX_BOXES):
        length, kind = struct.unpack_from(">I4s", data, start)
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start + 8)
        end = start + length if length >= BOX_HEAD else len(data)
        if kind == b"meta" and (parts := data[start:end].split(b"ispe" + bytes(4))[1:]):
            return [SIZE.unpack_from(part) for part in parts]
        start = end
    raise EOFError


def _run(data: bytes, memory: int) -> bytes:
    """Run the process; return what it writes, or raise as `decode`."""
    # -P: modules in the working directory are not imported. A session of its own: Ctrl-C is handled by this process.
    args = [sys.executable, "-P", "-m", "modiste.imaging.heic_decoder", str(memory)]
    start = time.monotonic()
    with subprocess.Popen(args, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True) as process:  # noqa: S603
        timer, writer = Timer(TIMEOUT_SECONDS, process.kill), Thread(target=_write, args=(process, data))
        timer.start()
        writer.start()
        try:
            output = _read(process)
        finally:
            process.kill()
            timer.cancel()
            writer.join()
    if time.monotonic() - start > TIMEOUT_SECONDS:
        raise InputError(f"The photo takes longer than {TIMEOUT_SECONDS} seconds to decode. Save it as JPEG.")
    return output


def _write(process: subprocess.Popen[bytes], data: bytes) -> None:
    with suppress(OSError):  # the process ended without reading everything
        if process.stdin:
            process.stdin.write(data)
            process.stdin.close()


def _read(process: subprocess.Popen[bytes]) -> bytes:
    """Return what the process writes; nothing if it fails or writes more than a photo has."""
    output = process.stdout.read(MAX_OUTPUT + 1) if process.stdout else b""
    if len(output) > MAX_OUTPUT:
        return b""
    return output if process.wait() == 0 else b""
