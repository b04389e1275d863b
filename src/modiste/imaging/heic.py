"""Decode HEIC photos in a separate process, so that a decoder that crashes or hangs does not affect this one."""

import struct
import sys
from importlib.util import find_spec
from subprocess import DEVNULL, PIPE, TimeoutExpired, run

from modiste.errors import InputError, UnsupportedPhoto

TIMEOUT_SECONDS = 20
SIZE = struct.Struct(">II")


def is_supported() -> bool:
    """Return whether the extra `heic` is installed."""
    return find_spec("pi_heif") is not None


def decode(data: bytes) -> tuple[int, int, bytes]:
    """Decode the first photo of a complete HEIC file.

    Returns:
        Width, height and RGB bytes, oriented and on white; no bytes if it has more pixels than `decode.MAX_PIXELS`.

    Raises:
        UnsupportedPhoto: the extra is not installed.
        InputError: its decoder takes too long or cannot be started.
        subprocess.SubprocessError, struct.error: the file is damaged, or its decoder crashes.
    """
    if not is_supported():
        advice = "Install its decoder, pip install 'modiste[heic]', or save the photo as JPEG."
        raise UnsupportedPhoto(f"The photo is HEIC. {advice}")
    # -P: modules in the working directory are not imported. A session of its own: Ctrl-C is handled by this process.
    args = [sys.executable, "-P", "-m", "modiste.imaging.heic_decoder"]
    try:
        output = run(  # noqa: S603
            args, input=data, stdout=PIPE, stderr=DEVNULL, timeout=TIMEOUT_SECONDS, check=True, start_new_session=True
        ).stdout
    except TimeoutExpired:
        raise InputError(f"The photo takes longer than {TIMEOUT_SECONDS} seconds to decode. Save it as JPEG.") from None
    except OSError as error:
        raise InputError(f"The photo cannot be decoded ({error.strerror}). Try again, or save it as JPEG.") from None
    return (*SIZE.unpack_from(output), output[SIZE.size :])
