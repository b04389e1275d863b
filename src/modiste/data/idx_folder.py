"""A folder of the four IDX files that Fashion-MNIST made usual."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable

import numpy as np
from numpy.typing import NDArray

from modiste.data import idx
from modiste.data.lazy_split import LazySplit
from modiste.data.split import Images
from modiste.errors import InputError, SettingError
from modiste.labels import FASHION_MNIST

PARTS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@dataclass(frozen=True, slots=True)
class IdxFolder:
    """Gray images and labels of Fashion-MNIST's ten kinds, as a `Source`.

    Args:
        folder: where the files are, each gzipped or not.
        size: pixels a side that the images must have.
        md5: sums that files must have, by file name; empty when any content will do.
    """

    folder: Traversable
    size: int
    md5: Mapping[str, str] = field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The ten labels of Fashion-MNIST."""
        return FASHION_MNIST

    def has(self, name: str) -> bool:
        """Whether there is at least one of the part's two files."""
        return any(_find(self.folder, stem).is_file() for stem in PARTS.get(name, ()))

    def part(self, name: str) -> LazySplit:
        """Read and check the train or the test part.

        Raises:
            InputError: a file is missing, altered, damaged, or the two do not belong label_groups.
            SettingError: the images have another size than the recipe says.
        """
        images_file, labels_file = (_find(self.folder, stem) for stem in PARTS[name])
        images = idx.read_images(images_file, self._read(images_file))
        labels = idx.read_labels(labels_file, self._read(labels_file), len(self.class_names))
        if len(images) != len(labels):
            raise InputError(
                f"{images_file} holds {len(images)} images, but {labels_file} {len(labels)} labels. "
                "Take both from the same place."
            )
        if not len(images):
            raise InputError(f"{images_file} holds no image. Name another folder with --data.")
        if images.shape[1:] != (self.size, self.size):
            rows, columns = images.shape[1:]
            raise SettingError(
                f"data.image_size is {self.size}, but the images of {images_file} have {rows} x {columns} pixels. "
                f"Give {rows} instead."
                if rows == columns
                else f"The images of {images_file} have {rows} x {columns} pixels, but they must be square. Pad them."
            )

        def load(indices: NDArray[np.int64]) -> Images:
            return images[indices]

        return LazySplit(labels, load)

    def files(self, name: str) -> Iterator[tuple[str, bytes]]:
        """The part's two files as stored, without a check of their sums."""
        for stem in PARTS.get(name, ()):
            file = _find(self.folder, stem)
            if file.is_file():
                yield file.name, idx.read_bytes(file)

    def _read(self, file: Traversable) -> bytes:
        content = idx.read_bytes(file)
        wanted = self.md5.get(file.name)
        if self.md5 and md5(content) != wanted:
            raise InputError(
                f"{file} is altered: its MD5 is {md5(content)}, not {wanted}. Install modiste again, or name a folder "
                "of your own with --data."
            )
        return content


def is_idx_folder(folder: Traversable) -> bool:
    """Whether any of the four files is there."""
    return any(_find(folder, stem).is_file() for stems in PARTS.values() for stem in stems)


def md5(content: bytes) -> str:
    """The sum that Fashion-MNIST is published with; it guards against accidents only."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _find(folder: Traversable, stem: str) -> Traversable:
    """The gzipped file, or the plain one where only that is there."""
    packed, plain = folder / f"{stem}.gz", folder / stem
    return plain if plain.is_file() and not packed.is_file() else packed
