"""HEIC photos, decoded in a process of their own: a decoder that crashes or hangs takes nobody with it."""

import struct
import subprocess
import sys
from importlib.util import find_spec

from modiste.errors import InputError, UnsupportedPicture

SECONDS = 20
SIZE = struct.Struct(">II")


def can_be_read() -> bool:
    """Whether the extra is installed."""
    return find_spec("pi_heif") is not None


def size_and_pixels(data: bytes, name: str) -> tuple[int, int, bytes]:
    """Decode the first photo of a HEIC file.

    Args:
        data: the whole file.
        name: what to call it in an error.

    Returns:
        Width, height and RGB bytes, the right way up and on white; no bytes when it has more pixels than are decoded.

    Raises:
        UnsupportedPicture: the extra is not installed.
        InputError: the file is damaged, or its decoder crashes or takes too long.
    """
    if not can_be_read():
        raise UnsupportedPicture(
            f"{name} is HEIC. Install what reads it, pip install 'modiste[heic]', or save the photo as JPEG."
        )
    # -P: what lies in the working directory is nobody's code; a session of its own: Ctrl-C is for us to handle
    command = [sys.executable, "-P", "-m", "modiste.imaging.heic_decoder"]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=True,
            start_new_session=True,
        )
        return (*SIZE.unpack_from(done.stdout), done.stdout[SIZE.size :])
    except subprocess.TimeoutExpired:
        raise InputError(f"{name} takes longer than {SECONDS} seconds to decode. Save it as JPEG.") from None
    except OSError as error:
        raise InputError(f"{name} cannot be decoded now ({error.strerror}). Try again, or save it as JPEG.") from None
    except (subprocess.SubprocessError, struct.error):
        raise InputError(f"{name} is truncated or damaged. Copy or download it again.") from None
