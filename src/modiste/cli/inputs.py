"""What `predict` and `serve` are given: photos (files, folders, IDX files, standard input) and a model."""

import shlex
import sys
from pathlib import Path

import click

from modiste.data import idx
from modiste.data.idx_folder import is_idx_folder
from modiste.errors import InputError
from modiste.imaging.decode import MAX_BYTES
from modiste.imaging.photo_files import find_photos as find_photos_below
from modiste.imaging.preprocess import PhotoInput
from modiste.inference import bundled_files
from modiste.inference.prediction import STDIN, printable

NamedPhoto = tuple[str, PhotoInput]
"""A photo and its name: its path, FILE#7 for the eighth image of an IDX file, - for standard input."""

FORMATS = "JPEG, PNG and WebP are read, and HEIC with modiste[heic]."


def find_photos(files: tuple[str, ...]) -> list[NamedPhoto]:
    """List the photos that the arguments stand for; standard input is not read yet.

    Raises:
        InputError: the only argument is a folder without photos, a folder holds IDX files, or an IDX file is damaged.
    """
    return [photo for file in files for photo in _expand(file, is_only=len(files) == 1)]


def read_photo(name: str, photo: PhotoInput) -> PhotoInput:
    """Return the photo, read from standard input if the name is `-`; raises InputError when that is closed."""
    if name != STDIN:
        return photo
    if sys.stdin is None:
        raise InputError("Standard input is closed. Send a photo to it: modiste predict - < photo.png")
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def find_model(model: str | None) -> str | Path | None:
    """Return --model as `inference.load` takes it: of a run folder, its model; raises InputError where it has none."""
    if model is None or model in bundled_files.NAMES or not Path(model).is_dir():
        return model
    from modiste.runs.folder import open_run, require_model  # here, since few commands need it

    return require_model(open_run(Path(model)))


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
    return list(map(str, photos))
