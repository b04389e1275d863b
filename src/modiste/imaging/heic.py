"""Decode HEIC photos in a separate process, so that a decoder that crashes or hangs does not affect this one."""

import struct
import subprocess
import sys
import time
from contextlib import suppress
from subprocess import DEVNULL, PIPE
from threading import Thread, Timer

from modiste.errors import InputError, UnsupportedPhoto
from modiste.imaging import file_format
from modiste.imaging.memory import MEBIBYTE
from modiste.imaging.reduction import MAX_PREPARED_PIXELS

TIMEOUT_SECONDS = 20
SIZE = struct.Struct(">II")

MAX_OUTPUT = SIZE.size + 3 * MAX_PREPARED_PIXELS
"""Bytes that the process may write; the rest is not read."""

RESERVED_BYTES = 128 * MEBIBYTE
"""Memory to reserve for one photo: three are decoded at the same time."""


def decode(data: bytes) -> tuple[int, int, bytes]:
    """Decode the first photo of a complete HEIC file.

    Returns:
        Width, height and RGB bytes, oriented and on white, reduced as by `decode.reduce_to_rgb`; no bytes if it has too
        many or too few pixels.

    Raises:
        UnsupportedPhoto: the extra is not installed.
        InputError: its decoder takes too long or cannot be started.
        struct.error: the file is damaged, or its decoder crashes or writes too much.
    """
    if not file_format.is_heic_supported():
        advice = "Install its decoder, pip install 'modiste[heic]', or save the photo as JPEG."
        raise UnsupportedPhoto(f"The photo is HEIC. {advice}")
    try:
        output = _run(data)
    except OSError as error:
        raise InputError(f"The photo cannot be decoded ({error.strerror}). Try again, or save it as JPEG.") from None
    return (*SIZE.unpack_from(output), output[SIZE.size :])


def _run(data: bytes) -> bytes:
    """Run the process; return what it writes, or raise as `decode`."""
    # -P: modules in the working directory are not imported. A session of its own: Ctrl-C is handled by this process.
    args = [sys.executable, "-P", "-m", "modiste.imaging.heic_decoder"]
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
