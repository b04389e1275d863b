"""HEIC photos, decoded in a process of their own: a decoder that crashes, hangs or swells takes nobody with it.

As a script it is that process: a file on standard input; width, height and RGB bytes on standard output.
"""

import struct
import subprocess
import sys
from importlib.util import find_spec

import numpy as np

from modiste.errors import InputError, UnsupportedPicture

SECONDS = 20
MEMORY = 2 * 2**30
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
    command = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS, check=True)  # noqa: S603
        return (*SIZE.unpack_from(done.stdout), done.stdout[SIZE.size :])
    except (OSError, subprocess.SubprocessError, struct.error):
        raise InputError(f"{name} is truncated or damaged. Copy or download it again.") from None


def _main() -> None:
    from modiste.images.decode import MAX_PIXELS

    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import pi_heif  # type: ignore[import-untyped]

    # libheif turns the photo itself, so what EXIF says of its orientation is not asked
    file = pi_heif.open_heif(sys.stdin.buffer.read(), convert_hdr_to_8bit=True)
    sys.stdout.buffer.write(SIZE.pack(*file.size))
    if file.size[0] * file.size[1] <= MAX_PIXELS:
        sys.stdout.buffer.write(_on_white(np.asarray(file)).tobytes())


def _on_white(pixels: np.ndarray) -> np.ndarray:
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[:, :, 3:].astype(np.uint16)
    return ((pixels[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


if __name__ == "__main__":
    _main()
