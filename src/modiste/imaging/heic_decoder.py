"""The process that decodes one HEIC photo: the file on standard input; width, height and RGB bytes on standard output.

Its memory is limited. For a photo with more pixels than `decode.MAX_PIXELS` only the size is written.
"""

import sys

import pi_heif  # type: ignore[import-untyped]

from modiste.imaging.decode import MAX_PIXELS, to_rgb
from modiste.imaging.heic import SIZE

MAX_MEMORY_BYTES = 2 * 2**30


def main() -> None:
    """Read the file, decode it, and write size and pixels."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    # libheif applies the orientation itself, so that of EXIF is not applied again
    file = pi_heif.open_heif(sys.stdin.buffer.read(), convert_hdr_to_8bit=True)
    sys.stdout.buffer.write(SIZE.pack(*file.size))
    if file.size[0] * file.size[1] <= MAX_PIXELS:
        sys.stdout.buffer.write(to_rgb(file.to_pillow()).tobytes())


if __name__ == "__main__":
    main()
