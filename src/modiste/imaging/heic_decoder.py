"""The process that decodes one HEIC photo: the file on standard input; width, height and RGB bytes on standard output.

Its memory is limited. Large photos are reduced; of one that is too large or too small, only the size is written.
"""

import sys

import pi_heif  # type: ignore[import-untyped]

from modiste.errors import InputError
from modiste.imaging.decode import reduce_to_rgb
from modiste.imaging.heic import SIZE
from modiste.imaging.reduction import check_size

MAX_MEMORY_BYTES = 2 * 2**30


def main() -> None:
    """Read the file, decode it, and write size and pixels."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    # libheif applies the orientation itself, so that of EXIF is not applied again
    file = pi_heif.open_heif(sys.stdin.buffer.read(), convert_hdr_to_8bit=True)
    width, height = file.size
    try:
        check_size(width, height, "HEIC")
    except InputError:
        sys.stdout.buffer.write(SIZE.pack(width, height))
    else:
        rgb = reduce_to_rgb(file.to_pillow())
        sys.stdout.buffer.write(SIZE.pack(*rgb.size) + rgb.tobytes())


if __name__ == "__main__":
    main()
