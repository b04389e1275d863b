"""The arguments of `predict`: photos, folders of them, IDX files, and standard input."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from modiste.data import idx
from modiste.errors import InputError
from modiste.imaging.decode import MAX_BYTES
from modiste.imaging.photo_files import find_photos as find_photos_below
from modiste.imaging.preprocess import PhotoInput
from modiste.inference.prediction import STDIN, printable

FORMATS = "JPEG, PNG and WebP are read, and HEIC with modiste[heic]."


@dataclass(frozen=True, slots=True)
class PhotoInputs:
    """Photos to predict.

    Args:
        names: one per photo: its path, FILE#7 for the eighth image of an IDX file, - for standard input.
        images: the images of IDX files, uint8 [h, w], by name.
    """

    names: list[str]
    images: dict[str, NDArray[np.uint8]]

    def photo(self, name: str) -> PhotoInput:
        """Return the photo of that name; standard input is read when this is called."""
        return _read_stdin() if name == STDIN else self.images.get(name, name)


def find_photos(files: tuple[str, ...]) -> PhotoInputs:
    """List the photos that the arguments stand for.

    Raises:
        InputError: the only argument is a folder without photos, or an IDX file is damaged.
    """
    images = {file: dict(_idx_images(file)) for file in files if idx.is_images(Path(file))}
    names = [name for file in files for name in images.get(file) or _photo_names(file, is_only=len(files) == 1)]
    return PhotoInputs(names, {name: image for by_name in images.values() for name, image in by_name.items()})


def _idx_images(file: str) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    for index, image in enumerate(idx.read_images(Path(file), idx.read_bytes(Path(file)))):
        yield f"{file}#{index}", image


def _photo_names(file: str, is_only: bool) -> list[str]:
    """Return the photos below a folder, or the file itself; print which files of the folder are skipped.

    A folder without photos that is one of several arguments is returned itself, so that it gets a record with an error.
    """
    folder = Path(file)
    try:
        is_folder = folder.is_dir()
    except OSError:  # a name that no file can have: reported as a missing file
        is_folder = False
    if not is_folder:
        return [file]
    photos, unreadable = find_photos_below(folder)
    if not photos and is_only:
        raise InputError(f"{printable(file)} has no photo that can be read. Give a folder with photos: {FORMATS}")
    if not photos:
        return [file]
    if unreadable:
        skipped = f"{unreadable[0]} and {len(unreadable) - 1} more are" if unreadable[1:] else f"{unreadable[0]} is"
        click.echo(f"modiste: {printable(skipped)} skipped: {FORMATS}", err=True)
    return list(map(str, photos))


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise InputError("Standard input is closed. Send a photo to it: modiste predict - < photo.png")
    return sys.stdin.buffer.read(MAX_BYTES + 1)
