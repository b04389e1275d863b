"""A folder of the four IDX files of MNIST and Fashion-MNIST."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources.abc import Traversable

from modiste.data import idx, labels_file
from modiste.data.lazy_split import SPLITS, LazySplit
from modiste.errors import InputError, SettingError
from modiste.labels import FASHION_MNIST

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""Images and labels of each split, without .gz."""

FASHION_MNIST_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
"""Of the official files unpacked (`gunzip -c FILE | md5sum`), so that they are recognized however they are packed."""


@dataclass(frozen=True)
class IdxFolder:
    """Gray images in IDX files, as a `Source`.

    Args:
        folder: where the files are, each gzipped or not, with an optional labels.json.
        size: pixels a side that the images must have.
        md5: checksums that the files must have, by file name; empty when any content is accepted.
    """

    folder: Traversable
    size: int
    md5: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Those of labels.json; else of Fashion-MNIST where the files are the official ones; else "0", "1" and so on.

        There are as many as the labels of train need, or of test where there is no train.
        """
        file = self.folder / labels_file.LABELS_FILE
        split = next(filter(self.has_split, SPLITS))
        if not file.is_file() and self.is_fashion_mnist(split):
            return FASHION_MNIST
        return labels_file.read_class_names(file, int(idx.read_labels(*self._read(FILES[split][1])).max(initial=1)) + 1)

    def has_split(self, name: str) -> bool:
        """Whether there is at least one of the split's two files."""
        return any(_find(self.folder, stem).is_file() for stem in FILES.get(name, ()))

    def is_fashion_mnist(self, name: str) -> bool:
        """Whether both files of a split are the official ones; their unpacked content decides."""
        if self.md5 or not self.has_split(name):
            return self.has_split(name)
        images, labels = FILES[name]
        return (
            md5(idx.unpack(*self._read(labels), idx.LABELS_MAGIC)) == FASHION_MNIST_MD5[labels]
            and md5(idx.unpack(*self._read(images), idx.IMAGES_MAGIC)) == FASHION_MNIST_MD5[images]
        )

    def part(self, name: str) -> LazySplit:
        """Read and check the train or the test split.

        Raises:
            InputError: a file is missing, altered or damaged, or the two do not belong together.
            SettingError: the images have another size than the recipe says.
        """
        file, content = self._read(FILES[name][0])
        images, labels = idx.read_images(file, content), idx.read_labels(*self._read(FILES[name][1]))
        if len(images) != len(labels):
            raise InputError(
                f"{file} holds {len(images)} images, but there are {len(labels)} labels. Take both from one place."
            )
        if not len(images):
            raise InputError(f"{file} holds no image. Name another folder with --data.")
        if (largest := labels.max()) >= (classes := len(self.class_names)):
            raise InputError(
                f"The labels of {file} go up to {largest}, but there are {classes} classes, from 0 to {classes - 1}. "
                f"Correct them, or name all classes in {labels_file.LABELS_FILE}."
            )
        self._require_size(file, *images.shape[1:])
        return LazySplit(labels, images.__getitem__)

    def read_files(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Read the split's files and labels.json as stored, without a check of their checksums."""
        files = (*(_find(self.folder, stem) for stem in FILES.get(name, ())), self.folder / labels_file.LABELS_FILE)
        yield from ((file.name, idx.read_bytes(file)) for file in files if file.is_file())

    def _require_size(self, file: Traversable, rows: int, columns: int) -> None:
        if rows != columns:
            raise SettingError(
                f"The images of {file} have {rows} x {columns} pixels, but they must be square. Pad them."
            )
        if rows != self.size:
            raise SettingError(
                f"data.image_size is {self.size}, but the images of {file} have {rows} x {columns} pixels. Give {rows} "
                "instead."
            )

    def _read(self, stem: str) -> tuple[Traversable, bytes]:
        """Return a file's path and its content as stored."""
        file = _find(self.folder, stem)
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
    return any(_find(folder, stem).is_file() for stem in FASHION_MNIST_MD5)


def md5(content: bytes) -> str:
    """Return the checksum that Fashion-MNIST is published with; it detects accidents, not attacks."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _find(folder: Traversable, stem: str) -> Traversable:
    """The gzipped file where there is one, else the plain one where there is one."""
    packed, plain = folder / f"{stem}.gz", folder / stem
    return plain if plain.is_file() and not packed.is_file() else packed
