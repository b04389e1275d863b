"""What `predict` and `serve` are given: photos (files, folders, IDX files, standard input) and a model."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modiste.data import idx
from modiste.data.idx_folder import is_idx_folder
from modiste.errors import InputError, SettingError
from modiste.imaging.decode import MAX_BYTES
from modiste.imaging.photo_files import FORMATS as FORMATS_BY_SUFFIX
from modiste.imaging.photo_files import find_photos as find_photos_below
from modiste.imaging.photo_files import is_hidden
from modiste.imaging.preprocess import NamedPhoto, PhotoInput
from modiste.inference import bundled_files
from modiste.inference.prediction import STDIN, printable
from modiste.runs.storage import Storage, is_url

if TYPE_CHECKING:
    from modiste.inference.shards import Shard

PARQUET = ".parquet"

FORMATS = "JPEG, PNG and WebP are read, and HEIC with modiste[heic]."


def find_photos(files: tuple[str, ...]) -> list[NamedPhoto]:
    """List the photos that the arguments stand for; standard input is not read yet.

    Raises:
        InputError: the only argument is a folder without photos, a folder holds IDX files, or an IDX file is damaged.
        SettingError: an argument is a URL.
    """
    if urls := list(filter(is_url, files)):
        advice = "Add --out F.parquet, or --cluster"
        raise SettingError(f"{printable(urls[0])} is a URL, whose photos become Parquet. {advice}.")
    return [photo for file in files for photo in _expand(file, is_only=len(files) == 1)]


def cut_shards(files: tuple[str, ...], is_local: bool = True) -> "tuple[Shard, ...]":
    """Cut the photos that the arguments stand for into shards; URLs and Parquet files are allowed here.

    Raises:
        InputError: as `find_photos`; a URL has no photos; or some arguments are Parquet files and others are not.
        SettingError: an argument is an IDX file or standard input, which other machines cannot read.
    """
    from modiste.inference import shards

    tables: list[str] = []
    photos: list[NamedPhoto] = []
    for file in files:
        more_tables, more_photos = _find(
            file if is_local or is_url(file) else str(Path(file).absolute()), not files[1:]
        )
        tables += more_tables
        photos += more_photos
    if tables and photos:
        raise InputError(f"{tables[0]} is a Parquet file, but other files are photos. Predict them one after another.")
    if not is_local and (STDIN in files or not all(isinstance(photo, str) for _, photo in photos)):
        raise SettingError("Standard input and IDX files are not read on a cluster. Leave out --cluster.")
    if tables:
        return shards.cut_parquet(tables)
    return shards.cut_photos([(name, read_photo(name, photo)) for name, photo in photos])


def _find(file: str, is_only: bool) -> tuple[list[str], list[NamedPhoto]]:
    """Return the Parquet files or the photos that an argument stands for: those of a folder where it has no photos."""
    if Path(file).suffix.lower() == PARQUET:
        return [file], []
    if is_url(file):
        return _find_below_url(file)
    path = Path(file)
    below = sorted(path.rglob(f"*{PARQUET}")) if path.is_dir() else []
    tables = [str(table) for table in below if _is_visible(table.relative_to(path))]
    if tables and not find_photos_below(path).readable:
        return tables, []
    return [], _expand(file, is_only)


def _find_below_url(url: str) -> tuple[list[str], list[NamedPhoto]]:
    """Return the Parquet files or the photos of a URL, by the suffixes of their names."""
    storage = Storage(url)
    try:
        names = [] if _is_photo(url) else filter(_is_visible, storage.existing_names())
        paths = [url] if _is_photo(url) else list(map(storage.path, names))
    except FileNotFoundError as error:
        raise InputError(f"{printable(url)} does not exist ({error}). Check the address.") from None
    photos: list[NamedPhoto] = [(path, path) for path in paths if _is_photo(path)]
    tables = [path for path in paths if Path(path).suffix.lower() == PARQUET]
    if not photos and not tables:
        raise InputError(f"{printable(url)} has no photo that can be read. {FORMATS}")
    return ([], photos) if photos else (tables, [])


def _is_visible(path: str | Path) -> bool:
    return not any(map(is_hidden, Path(path).parts))


def _is_photo(url: str) -> bool:
    return Path(url).suffix.lower() in FORMATS_BY_SUFFIX


def read_photo(name: str, photo: PhotoInput) -> PhotoInput:
    """Return the photo, read from standard input if the name is `-`; raises InputError when that is closed."""
    if name != STDIN:
        return photo
    if sys.stdin is None:
        raise InputError("Standard input is closed. Send a photo to it: modiste predict - < photo.png")
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def find_model(model: str | None) -> str | Path | None:
    """Return --model as `inference.load` takes it: of a run folder, its model.

    Raises:
        InputError: the run has no model, or it is not the one that the training wrote.
    """
    if model is None or model in bundled_files.NAMES:
        return model
    from modiste.runs.folder import Run, open_run, require_model  # here, since few commands need it

    path = bundled_files.find_path(model)
    if path.is_dir():
        return require_model(open_run(path))
    run = Run(path.parent)
    return require_model(run) if path == run.model and run.finished and path.is_file() else model


def _expand(file: str, is_only: bool) -> list[NamedPhoto]:
    """Return the images of an IDX file, the photos below a folder, or the file itself."""
    path = Path(file)
    if idx.is_images(path):
        images = idx.read_images(path, idx.read_bytes(path))
        return [(f"{file}#{index}", image) for index, image in enumerate(images)] or [(file, file)]
    try:
        is_folder = path.is_dir()
    except OSError:  # a name that no file can have: reported as a missing file
        is_folder = False
    names = _photos_below(file, is_only) if is_folder else []
    return [(name, name) for name in names or [file]]  # a folder without photos gets a record with an error


def _photos_below(folder: str, is_only: bool) -> list[str]:
    """Return the paths of the photos below a folder; print which of its files are skipped."""
    photos, unreadable = find_photos_below(Path(folder))
    if not photos and is_idx_folder(Path(folder)):
        raise InputError(
            f"{printable(folder)} holds IDX files, which are labeled data: modiste evaluate MODEL --data "
            f"{shlex.quote(printable(folder))}. To predict the images of one of them, name the file."
        )
    if not photos and is_only:
        raise InputError(f"{printable(folder)} has no photo that can be read. Give a folder with photos: {FORMATS}")
    if photos and unreadable:
        skipped = f"{unreadable[0]} and {len(unreadable) - 1} more are" if unreadable[1:] else f"{unreadable[0]} is"
        click.echo(f"modiste: {printable(skipped)} skipped: {FORMATS}", err=True)
    return photos
