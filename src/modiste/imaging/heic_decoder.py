"""The process that decodes one HEIC photo: the file on standard input; width, height and RGB bytes on standard output.

It has no more memory than a photo needs. Of a photo with more pixels than are decoded it tells the size alone.
"""

import sys

import pi_heif  # type: ignore[import-untyped]

from modiste.imaging.decode import MAX_PIXELS, on_white
from modiste.imaging.heic import SIZE

MEMORY = 2 * 2**30


def main() -> None:
    """Read, decode, write."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # libheif turns the photo itself, so what EXIF says of its orientation is not asked
    file = pi_heif.open_heif(sys.stdin.buffer.read(), convert_hdr_to_8bit=True)
    sys.stdout.buffer.write(SIZE.pack(*file.size))
    if file.size[0] * file.size[1] <= MAX_PIXELS:
        sys.stdout.buffer.write(on_white(file.to_pillow()).tobytes())


if __name__ == "__main__":
    main()
