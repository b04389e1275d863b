"""Decode HEIC photos in a separate process, so that a decoder that crashes or hangs does not affect this one."""

import struct
import subprocess
import sys
from importlib.util import find_spec

from modiste.errors import InputError, UnsupportedPhoto

TIMEOUT_SECONDS = 20
SIZE = struct.Struct(">II")


def is_supported() -> bool:
    """Return whether the extra `heic` is installed."""
    return find_spec("pi_heif") is not None


def decode(data: bytes, name: str) -> tuple[int, int, bytes]:
    """Decode the first photo of a HEIC file.

    Args:
        data: the complete file.
        name: name of the photo for error messages.

    Returns:
        Width, height and RGB bytes, oriented and on white; no bytes if it has more pixels than `decode.MAX_PIXELS`.

    Raises:
        UnsupportedPhoto: the extra is not installed.
        InputError: the file is damaged, or its decoder crashes or takes too long.
    """
    if not is_supported():
        raise UnsupportedPhoto(
            f"{name} is HEIC. Install its decoder, pip install 'modiste[heic]', or save the photo as JPEG."
        )
    # -P: modules in the working directory are not imported. A session of its own: Ctrl-C is handled by this process.
    command = [sys.executable, "-P", "-m", "modiste.imaging.heic_decoder"]
    try:
        process = subprocess.run(  # noqa: S603
            command,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
            check=True,
            start_new_session=True,
        )
        return (*SIZE.unpack_from(process.stdout), process.stdout[SIZE.size :])
    except subprocess.TimeoutExpired:
        raise InputError(f"{name} takes longer than {TIMEOUT_SECONDS} seconds to decode. Save it as JPEG.") from None
    except OSError as error:
        raise InputError(f"{name} cannot be decoded now ({error.strerror}). Try again, or save it as JPEG.") from None
    except (subprocess.SubprocessError, struct.error):
        raise InputError(f"{name} is truncated or damaged. Copy or download it again.") from None
