"""A folder of the four IDX files of MNIST and Fashion-MNIST."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources.abc import Traversable
from itertools import chain
from pathlib import Path

import numpy as np

from modiste.data import idx
from modiste.data.annotations import LABELS_FILE, read_class_names
from modiste.data.arrays import are_fashion_mnist, require_pairs, require_size
from modiste.data.lazy_split import LazySplit, first_split
from modiste.data.split import index_names
from modiste.errors import InputError
from modiste.labels import FASHION_MNIST

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""Images and labels of each split, without .gz."""


@dataclass(frozen=True)
class IdxFolder:
    """Gray images in IDX files, as a `Source`.

    Args:
        place: where the files are, each gzipped or not, with an optional labels.json.
        size: pixels a side that the images must have; 0: any number.
        md5: checksums that the files must have, by file name; empty when any content is accepted.
    """

    place: Traversable
    size: int
    md5: Mapping[str, str] = field(default_factory=dict)
    has_photos = False

    @property
    def folder(self) -> Path | None:
        """The folder of the files; None for the bundled ones."""
        return None if self.md5 or not isinstance(self.place, Path) else self.place

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Those of labels.json; else of Fashion-MNIST where the files are the official ones; else "0", "1" and so on.

        There are as many as the labels of train need, or of test where there is no train.
        """
        file = self.place / LABELS_FILE
        if not file.is_file() and self.is_fashion_mnist:
            return FASHION_MNIST
        labels = idx.read_labels(*self._read(FILES[first_split(self)][1]))
        return read_class_names(file, int(labels.max(initial=1)) + 1)

    def has_split(self, name: str) -> bool:
        """Whether there is at least one of the split's two files."""
        return any(_find(self.place, stem).is_file() for stem in FILES.get(name, ()))

    @cached_property
    def is_fashion_mnist(self) -> bool:
        """Whether the files of train, or of test where there is no train, have the official images and labels."""
        if self.md5:
            return True
        images, labels = FILES[first_split(self)]
        return are_fashion_mnist(idx.read_images(*self._read(images)), idx.read_labels(*self._read(labels)))

    def part(self, name: str) -> LazySplit:
        """Read and check the train or the test split.

        Raises:
            InputError: a file is missing, altered or damaged, or the two do not belong together.
            SettingError: the images have another size than the recipe says.
        """
        file, content = self._read(FILES[name][0])
        images, labels = idx.read_images(file, content), idx.read_labels(*self._read(FILES[name][1]))
        require_pairs(file, images, labels)
        if (largest := labels.max()) >= (classes := len(self.class_names)):
            raise InputError(
                f"The labels of {file} go up to {largest}, but there are {classes} classes, from 0 to {classes - 1}. "
                "Correct them, or add training images of the other classes."
            )
        if name == "train" and len(empty := np.flatnonzero(np.bincount(labels, minlength=classes) == 0)):
            raise InputError(
                f"{file} has no image of class {empty[0]} ({self.class_names[empty[0]]}). Add some, or number the "
                f"classes from 0 without gaps, also in {LABELS_FILE}."
            )
        require_size(file, images, self.size)
        return LazySplit(labels, images.__getitem__, index_names(name, len(labels)))

    def read_files(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Read the split's files and labels.json as stored, without a check of their checksums."""
        files = (*(_find(self.place, stem) for stem in FILES.get(name, ())), self.place / LABELS_FILE)
        yield from ((file.name, idx.read_bytes(file)) for file in files if file.is_file())

    def how_to_add(self, split: str) -> str:
        """Return how a split is added: only train and test have IDX files."""
        return "Add its two IDX files" if split in FILES else "Use class folders"

    def _read(self, stem: str) -> tuple[Traversable, bytes]:
        """Return a file's path and its content as stored."""
        file = _find(self.place, stem)
        content = idx.read_bytes(file)
        expected = self.md5.get(file.name)
        if self.md5 and md5(content) != expected:
            raise InputError(
                f"{file} is altered: its MD5 is {md5(content)}, not {expected}. Install modiste again, or name a "
                "folder of your own with --data."
            )
        return file, content


def is_idx_folder(folder: Traversable) -> bool:
    """Whether any of the four files is there."""
    return any(_find(folder, stem).is_file() for stem in chain(*FILES.values()))


def find_idx_folder(folder: Path) -> Path | None:
    """Return the folder of IDX files: itself, or a folder `raw` in it or below it, as torchvision has; else None."""
    places = [folder, folder / "raw", *sorted(folder.glob("*/raw"))]
    idx_folders = [place for place in places if is_idx_folder(place)]
    if len(idx_folders) > 1 and idx_folders[0] != folder:
        raise InputError(f"{idx_folders[0]} and {idx_folders[1]} both hold IDX files. Name one of them with --data.")
    return idx_folders[0] if idx_folders else None


def md5(content: bytes) -> str:
    """Return the checksum that Fashion-MNIST is published with; it detects accidents, not attacks."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _find(folder: Traversable, stem: str) -> Traversable:
    """Return the gzipped file where there is one, else the plain one where there is one."""
    packed, plain = folder / f"{stem}.gz", folder / stem
    return plain if plain.is_file() and not packed.is_file() else packed
