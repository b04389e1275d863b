"""Mutations of photos and other files, and what reads them; with Atheris, a search for inputs that reach new lines.

    python tests/faults/fuzz.py CORPUS -max_total_time=600          # needs the package atheris; libFuzzer's options
    python tests/faults/fuzz.py CORPUS -runs=0 -print_final_stats=1 # the coverage of a corpus

Atheris counts lines of our parsers, not of the decoders, which are compiled. The corpus starts with the seeds.
"""

import gzip
import io
import random
import struct
import sys
import tempfile
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

SOURCE, TESTS = Path(__file__).parents[2] / "src", Path(__file__).parents[1]
PARSERS = ["modiste.data", "modiste.imaging", "modiste.inference", "modiste.recipes", "modiste.runs"]
"""Whose lines Atheris counts."""

if __name__ == "__main__":
    import atheris

    sys.path.insert(0, str(TESTS))
    with atheris.instrument_imports(include=PARSERS):
        import modiste.data.sources
        import modiste.reporting.method_files  # noqa: F401

import numpy as np  # noqa: E402  after the path is set
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from helpers.models import tiny_model  # noqa: E402
from helpers.photos import clothes, exif, fill, noise, saved  # noqa: E402
from helpers.runs import write_run  # noqa: E402
from helpers.scores import compute_scores  # noqa: E402
from modiste.data import idx, sources  # noqa: E402
from modiste.errors import InputError, SettingError  # noqa: E402
from modiste.imaging import decode  # noqa: E402
from modiste.inference import model_file  # noqa: E402
from modiste.recipes import named, settings  # noqa: E402
from modiste.recipes.config import DataConfig  # noqa: E402
from modiste.reporting import method_files  # noqa: E402
from modiste.runs import folder as run_folder  # noqa: E402
from modiste.runs.folder import Run  # noqa: E402

MAX_CHANGES = 16
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)
SIDE = 8


def photo(kind: str, **options: object) -> Callable[[], bytes]:
    """Return what makes a small photo of a format."""
    return lambda: saved(clothes(), kind, **options)


def table_of_pixels() -> bytes:
    """Return a CSV table of 20 images in two classes."""
    rows = [["label", *(f"pixel{number}" for number in range(1, 1 + SIDE**2))]]
    rows += [[str(number % 2), *map(str, noise(SIDE, number).ravel())] for number in range(20)]
    return "\n".join(map(",".join, rows)).encode() + b"\n"


def table_of_files() -> bytes:
    """Return a CSV table of 20 photos, which are beside it, in two classes."""
    return ("file,label\n" + "".join(f"photos/{number}.png,{number % 2}\n" for number in range(20))).encode()


def archive() -> bytes:
    """Return an .npz archive of 20 images in two classes."""
    images, file = np.stack([noise(SIDE, number) for number in range(20)]), io.BytesIO()
    np.savez_compressed(file, x_train=images, y_train=np.arange(20) % 2)
    return file.getvalue()


def parquet() -> bytes:
    """Return a Parquet file of 20 photos in two classes."""
    photos, file = [saved(clothes(40, 30 + number)) for number in range(20)], io.BytesIO()
    pq.write_table(pa.table({"image": photos, "label": [0, 1] * 10}), file)
    return file.getvalue()


def file_of_run(name: str) -> Callable[[], bytes]:
    """Return what makes a file of a finished run."""

    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            return (_run_in(Path(folder)).path / name).read_bytes()

    return make


SEEDS: dict[str, Callable[[], bytes]] = {
    "baseline JPEG": photo("JPEG", quality=90, exif=exif()),
    "progressive JPEG": photo("JPEG", progressive=True),
    "PNG": photo("PNG", exif=exif()),
    "palette PNG": lambda: saved(clothes().convert("P"), transparency=0),
    "WebP": photo("WEBP", exif=exif()),
    "lossless WebP": photo("WEBP", lossless=True),
    "animated WebP": lambda: saved(clothes(), "WEBP", save_all=True, append_images=[clothes().rotate(180)]),
    "HEIC": (TESTS / "assets" / "photo-6.heic").read_bytes,
    "IDX": lambda: gzip.compress(struct.pack(">IIII", 2051, 4, 28, 28) + bytes(range(196)) * 16),
    "pixels.csv": table_of_pixels,
    "files.csv": table_of_files,
    "train.npz": archive,
    "train.parquet": parquet,
    "model": tiny_model,
    "recipe": lambda: settings.to_json(named.sprint()).encode(),
    "run recipe.json": file_of_run("recipe.json"),
    "run environment.json": file_of_run("environment.json"),
    "run metrics.csv": file_of_run("metrics.csv"),
    "run scores.json": file_of_run("scores.json"),
    "run finished": file_of_run("finished"),
}
"""Name -> a valid file; the name decides who reads it."""

PHOTOS = tuple(SEEDS)[:8]

WEIGHTS = {name: 4 if name.startswith("run ") else 10 for name in SEEDS} | {"HEIC": 2}
"""How often each is mutated, relative to the others: of a run, all files are read, and a HEIC file needs a process."""


def shares(files: int) -> dict[str, int]:
    """Return how many of so many files are mutations of each seed."""
    ends = [files * total // sum(WEIGHTS.values()) for total in accumulate(WEIGHTS.values())]
    return {name: end - start for name, start, end in zip(WEIGHTS, [0, *ends], ends, strict=False)}


def mutate(content: bytes, seed: int) -> bytes:
    """Change, remove, repeat or insert up to `MAX_CHANGES` pieces of a file; the same for the same seed."""
    rng, changed = random.Random(seed), bytearray(content)
    for _ in range(rng.randint(1, MAX_CHANGES)):
        at, length = rng.randrange(len(changed) + 1), rng.choice((1, 1, 2, 4, rng.randint(1, 200)))
        piece = bytes(rng.choice(INTERESTING) if rng.random() < 0.5 else rng.randrange(256) for _ in range(length))
        end = at + length if rng.random() < 0.7 else at
        changed[at:end] = rng.choice((piece, b"", bytes(changed[at : at + length]) * 2))
    return bytes(changed)


def parse(name: str, content: bytes, folder: Path) -> str:
    """Read a file as one of `SEEDS` is read; return the error message, empty if it can be read.

    Other exceptions than those that a user sees as one sentence are faults. The folder is for files, and the same for
    all.
    """
    try:
        if name == "IDX":
            idx.read_images(Path("train-images-idx3-ubyte.gz"), content)
        elif name in PHOTOS:
            decode.decode_bytes(content)
        elif name == "model":
            _run_model(content)
        elif name == "recipe":
            (folder / "recipe.json").write_bytes(content)
            settings.read(folder / "recipe.json")
        elif name.startswith("run "):
            _read_run(name.removeprefix("run "), content, folder)
        else:
            _read_data(name, content, folder)
    except (InputError, SettingError) as error:
        return str(error)
    return ""


def _run_model(content: bytes) -> None:
    model = model_file.load(content, threads=1)
    model.probabilities(np.zeros((2, *model.image_shape), np.uint8))


def _read_run(name: str, content: bytes, folder: Path) -> None:
    """Read a run, one of whose files has this content."""
    run = Run(folder / "run") if (folder / "run").exists() else _run_in(folder)
    original = (run.path / name).read_bytes()
    try:
        (run.path / name).write_bytes(content)
        method_files.read_run(run.path)
        run_folder.require_model(run)
    finally:
        (run.path / name).write_bytes(original)


def _run_in(folder: Path) -> Run:
    """Write a finished and evaluated run, whose model is the same in every folder."""
    run = write_run(folder / "run")
    run.model.write_bytes(tiny_model())
    run_folder.finish(run)
    probabilities, labels = np.eye(10)[[0, 1, 2, 3, 3]], np.arange(5)
    scores = compute_scores(probabilities, labels, tuple(f"class {number}" for number in range(10)))
    run_folder.files.write_json(run.scores, {"test_openings": 1, "test": scores.as_dict()})
    return run


def _read_data(name: str, content: bytes, folder: Path) -> None:
    """Read all images of a file, each in a folder of its own, as others beside it would be other splits."""
    place = folder / name.replace(".", "-")
    if not place.exists():
        fill(place / "photos", 20)
    (place / name).write_bytes(content)
    has_photos = name in ("files.csv", "train.parquet")
    options = DataConfig(str(place / name), image_size=SIDE, channels=3 if has_photos else 1, val_fraction=0)
    assert sources.open_training(options, seed=0).train.images.dtype == np.uint8


def main() -> None:
    """Search with Atheris from the seeds: the first byte of an input chooses what reads the rest."""
    names = list(SEEDS)
    corpus = Path(sys.argv[1])
    corpus.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        (corpus / f"seed-{number}").write_bytes(bytes([number]) + SEEDS[name]())

    with tempfile.TemporaryDirectory() as folder:

        def test_one_input(data: bytes) -> None:
            if data:
                parse(names[data[0] % len(names)], data[1:], Path(folder))

        atheris.Setup(sys.argv, test_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
