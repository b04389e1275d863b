"""The process that decodes one HEIC photo: the file on standard input; width, height and RGB bytes on standard output.

Its argument is the memory in bytes that it may take. Large photos are reduced; of one that is too large or too small,
only the size is written.
"""

import sys
from pathlib import Path

import pi_heif  # type: ignore[import-untyped]

from modiste.errors import InputError
from modiste.imaging.decode import reduce_to_rgb
from modiste.imaging.heic import SIZE
from modiste.imaging.reduction import check_size


def limit_memory(size: int) -> None:
    """Let the process allocate so many bytes in addition to what it has, where the system can limit them."""
    if sys.platform == "linux":
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
        limit = pages * resource.getpagesize() + size
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def main() -> None:
    """Read the file, decode it, and write size and pixels."""
    limit_memory(int(sys.argv[1]))
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
