"""Mutations of photos and data files, and what reads them; with Atheris, a search for inputs that reach new lines.

    python tests/faults/fuzz.py CORPUS -max_total_time=600          # needs the package atheris; libFuzzer's options
    python tests/faults/fuzz.py CORPUS -runs=0 -print_final_stats=1 # the coverage of a corpus

Atheris counts lines of our parsers, not of the decoders, which are compiled. The corpus starts with the seeds.
"""

import gzip
import random
import struct
import sys
from collections.abc import Callable
from pathlib import Path

SOURCE, TESTS = Path(__file__).parents[2] / "src", Path(__file__).parents[1]
PARSERS = ["modiste.imaging", "modiste.data.idx", "modiste.inference.onnx_safety", "modiste.inference.protobuf"]
"""Whose lines Atheris counts."""

if __name__ == "__main__":
    import atheris

    sys.path.insert(0, str(TESTS))
    with atheris.instrument_imports(include=PARSERS):
        import modiste.data.idx
        import modiste.imaging.decode
        import modiste.inference.onnx_safety  # noqa: F401

from helpers.models import tiny_model  # noqa: E402  after the path is set
from helpers.photos import clothes, exif, saved  # noqa: E402
from modiste.data import idx  # noqa: E402
from modiste.errors import InputError  # noqa: E402
from modiste.imaging import decode  # noqa: E402
from modiste.inference import model_file  # noqa: E402

MAX_CHANGES = 16
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def photo(kind: str, **options: object) -> Callable[[], bytes]:
    """Return what makes a small photo of a format."""
    return lambda: saved(clothes(), kind, **options)


SEEDS: dict[str, Callable[[], bytes]] = {
    "baseline JPEG": photo("JPEG", quality=90, exif=exif()),
    "progressive JPEG": photo("JPEG", progressive=True),
    "PNG": photo("PNG", exif=exif()),
    "palette PNG": lambda: saved(clothes().convert("P"), transparency=0),
    "WebP": photo("WEBP", exif=exif()),
    "lossless WebP": photo("WEBP", lossless=True),
    "animated WebP": lambda: saved(clothes(), "WEBP", save_all=True, append_images=[clothes().rotate(180)]),
    "IDX": lambda: gzip.compress(struct.pack(">IIII", 2051, 4, 28, 28) + bytes(range(196)) * 16),
    "model": tiny_model,
}
"""Name -> a valid file; the first word decides who reads it."""


def mutate(content: bytes, seed: int) -> bytes:
    """Change, remove, repeat or insert up to `MAX_CHANGES` pieces of a file; the same for the same seed."""
    rng, changed = random.Random(seed), bytearray(content)
    for _ in range(rng.randint(1, MAX_CHANGES)):
        at, length = rng.randrange(len(changed) + 1), rng.choice((1, 1, 2, 4, rng.randint(1, 200)))
        piece = bytes(rng.choice(INTERESTING) if rng.random() < 0.5 else rng.randrange(256) for _ in range(length))
        end = at + length if rng.random() < 0.7 else at
        changed[at:end] = rng.choice((piece, b"", bytes(changed[at : at + length]) * 2))
    return bytes(changed)


def parse(name: str, content: bytes) -> str:
    """Read a file of a kind; return the error message, empty if it can be read. Other exceptions are faults."""
    try:
        if name == "IDX":
            idx.read_images(Path("train-images-idx3-ubyte.gz"), content)
        elif name == "model":
            model_file.load(content, threads=1)
        else:
            decode.decode_bytes(content)
    except InputError as error:
        return str(error)
    return ""


def main() -> None:
    """Search with Atheris from the seeds: the first byte of an input chooses what reads the rest."""
    names = list(SEEDS)
    corpus = Path(sys.argv[1])
    corpus.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        (corpus / f"seed-{number}").write_bytes(bytes([number]) + SEEDS[name]())

    def test_one_input(data: bytes) -> None:
        if data:
            parse(names[data[0] % len(names)], data[1:])

    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
