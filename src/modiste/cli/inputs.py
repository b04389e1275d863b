"""What the arguments of `predict` stand for: files, folders of them, the images of an IDX file, standard input."""

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
from modiste.imaging.photo_files import pictures_below, unreadable_below
from modiste.imaging.preprocess import Picture
from modiste.inference.prediction import STDIN, printable

READ = "JPEG, PNG and WebP are read, and HEIC with modiste[heic]."


@dataclass(frozen=True, slots=True)
class Given:
    """Pictures to predict.

    Args:
        names: one a picture: its path, FILE#7 for the eighth image of an IDX file, - for standard input.
        images: those of IDX files, by name.
    """

    names: list[str]
    images: dict[str, NDArray[np.uint8]]

    def picture(self, name: str) -> Picture:
        """The picture of that name; standard input is read now."""
        return _stdin() if name == STDIN else self.images.get(name, name)


def given(files: tuple[str, ...]) -> Given:
    """Look up what each argument stands for.

    Raises:
        InputError: a folder holds no picture, or an IDX file is damaged.
    """
    images = {file: dict(_images(file)) for file in files if idx.is_images(Path(file))}
    names = [name for file in files for name in (images[file] if file in images else _names(file, len(files) == 1))]
    return Given(names, {name: image for each in images.values() for name, image in each.items()})


def _images(file: str) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    for number, image in enumerate(idx.read_images(Path(file), idx.read_bytes(Path(file)))):
        yield f"{file}#{number}", image


def _names(file: str, is_alone: bool) -> list[str]:
    """The pictures below a folder, or the file itself; says which it passes over.

    A folder without pictures is an error of its own beside others, which are predicted all the same.
    """
    folder = Path(file)
    try:
        is_folder = folder.is_dir()
    except OSError:  # no file can have such a name, which is told with the others
        is_folder = False
    if not is_folder:
        return [file]
    found, other = pictures_below(folder), unreadable_below(folder)
    if not found and not is_alone:
        return [file]
    if not found:
        what = f"{printable(file)} holds no picture that is read"
        raise InputError(f"{what}: {READ}" if other else f"{what}. Give a folder with JPEG, PNG or WebP pictures.")
    if other:
        named = f"{other[0]} and {len(other) - 1} more are" if other[1:] else f"{other[0]} is"
        click.echo(f"modiste: {printable(named)} passed over: {READ}", err=True)
    return list(map(str, found))


def _stdin() -> bytes:
    if sys.stdin is None:
        raise InputError("Standard input is closed. Send a picture to it: modiste predict - < picture.png")
    return sys.stdin.buffer.read(MAX_BYTES + 1)
