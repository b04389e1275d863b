"""An .npz archive of arrays, as of Keras and MedMNIST: x_train, y_train, x_test, y_test, or train_images and so on."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modiste.data.annotations import LABELS_FILE
from modiste.data.arrays import ImageFormat, are_fashion_mnist, loader, require_pairs
from modiste.data.class_values import Values, as_values, classes_of, names_of, to_labels
from modiste.data.lazy_split import LazySplit, first_split
from modiste.data.packing import require_plausible
from modiste.data.split import Images, index_names
from modiste.data.split_names import split_in
from modiste.errors import InputError
from modiste.imaging.decode import to_uint8
from modiste.labels import FASHION_MNIST

IMAGE_WORDS, LABEL_WORDS = {"x", "image", "images", "data"}, {"y", "label", "labels", "target", "targets"}
"""Words in the names of arrays."""

MAX_BYTES = 8 << 30
"""Of one array, unpacked."""

ADVICE = "Write it with np.savez(file, x_train=..., y_train=..., x_test=..., y_test=...)."


class Keys(NamedTuple):
    """The names of two arrays."""

    images: str
    labels: str


@dataclass(frozen=True)
class NpzFile:
    """The arrays of an .npz archive, as a `Source`; each array is read when it is needed.

    Args:
        file: the archive.
        image_format: the images that the recipe takes.
    """

    file: Path
    image_format: ImageFormat
    has_photos = False

    @property
    def folder(self) -> Path:
        """The folder of the archive."""
        return self.file.parent

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Those of labels.json; else of Fashion-MNIST where the images are the official ones; else the labels."""
        labels_file = self.folder / LABELS_FILE
        is_unnamed = not labels_file.is_file() and not isinstance(self._classes[0], str)
        return names_of(self._classes, labels_file, FASHION_MNIST if is_unnamed and self.is_fashion_mnist else ())

    @cached_property
    def is_fashion_mnist(self) -> bool:
        """Whether the arrays of the first split are the official images and labels, in any order."""
        split = first_split(self)
        values = self._values(split)
        return len(values) in (60_000, 10_000) and are_fashion_mnist(self._images(split), values)

    def has_split(self, name: str) -> bool:
        """Whether there are arrays of the split."""
        return name in self._keys

    def part(self, name: str) -> LazySplit:
        """Read the arrays of a split.

        Raises:
            InputError: an array is missing, damaged, or not of images or labels.
            SettingError: the recipe takes other images.
        """
        values, images, place = self._values(name), self._images(name), f"{self._keys[name].images} in {self.file}"
        require_pairs(place, images, values)
        labels = to_labels(values, self._classes, f"{self._keys[name].labels} in {self.file}")
        return LazySplit(labels, loader(place, images, self.image_format), index_names(name, len(labels)))

    def read_files(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Read the arrays of a split and labels.json, unpacked."""
        for kind, key in self._keys[name]._asdict().items():
            array = self._read(key)
            yield f"{kind} {array.dtype} {list(array.shape)}", array.tobytes()
        if (file := self.folder / LABELS_FILE).is_file():
            yield file.name, file.read_bytes()

    def how_to_add(self, split: str) -> str:
        """Return how the arrays of a split are called."""
        return f"Add the arrays x_{split} and y_{split} to {self.file}"

    @cached_property
    def _keys(self) -> dict[str, Keys]:
        """The names of the arrays of each split."""
        keys_by_split: dict[str, dict[str, str]] = {}
        for key in self._list():
            words = set(re.findall(r"[a-z]+", key.casefold()))
            kind = "labels" if words & LABEL_WORDS else "images" if words & IMAGE_WORDS else ""
            if kind:
                arrays = keys_by_split.setdefault(split_in(key) or "train", {})
                if kind in arrays:
                    raise InputError(f"{self.file} has {arrays[kind]} and {key}, of which one is needed. {ADVICE}")
                arrays[kind] = key
        if incomplete := [arrays for arrays in keys_by_split.values() if len(arrays) < 2]:
            ((kind, key),) = incomplete[0].items()
            missing = "labels" if kind == "images" else "images"
            raise InputError(f"{self.file} has the array {key}, but no array of {missing} for it. {ADVICE}")
        if not keys_by_split:
            raise InputError(f"{self.file} holds {', '.join(self._list()) or 'nothing'}, but no images. {ADVICE}")
        return {split: Keys(**arrays) for split, arrays in keys_by_split.items()}

    @cached_property
    def _classes(self) -> list[Any]:
        split = first_split(self)
        return classes_of(self._values(split), f"{self._keys[split].labels} in {self.file}")

    def _values(self, split: str) -> Values:
        key = self._keys[split].labels
        return as_values(self._read(key), f"{key} in {self.file}")

    def _images(self, split: str) -> Images:
        key = self._keys[split].images
        return as_images(self._read(key), f"{key} in {self.file}")

    def _list(self) -> list[str]:
        with self._open() as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]

    def _read(self, key: str) -> NDArray[Any]:
        with self._open() as archive:
            member = archive.getinfo(f"{key}.npy")
            if member.file_size > MAX_BYTES:
                raise InputError(f"{key} in {self.file} has more than {MAX_BYTES >> 30} GiB. Use files of photos.")
            require_plausible(f"{key} in {self.file}", member.file_size, member.compress_size)
            try:
                with archive.open(f"{key}.npy") as stream:
                    return np.lib.format.read_array(stream, allow_pickle=False)
            except Exception as error:  # noqa: BLE001 - zipfile, zlib and numpy raise many types for damaged files
                raise InputError(f"{key} in {self.file} cannot be read ({error}). {ADVICE}") from None

    def _open(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.file)
        except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
            raise InputError(f"{self.file} is no .npz archive ({error}). {ADVICE}") from None


def as_images(array: NDArray[Any], place: str) -> Images:
    """Return images as uint8, [n, s, s] or [n, s, s, 3].

    Args:
        array: [n, h, w], [n, h, w, 1 or 3], [n, 1 or 3, h, w] or [n, s * s]; of values that `to_uint8` takes.
        place: where it is, for errors.
    """
    if array.ndim == 4 and array.shape[3] not in (1, 3) and array.shape[1] in (1, 3):
        array = np.moveaxis(array, 1, 3)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim == 2 and (side := round(array.shape[1] ** 0.5)) ** 2 == array.shape[1]:
        array = array.reshape(-1, side, side)
    if not (array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)):
        raise InputError(
            f"{place} has the shape {list(array.shape)}, but images are [n, h, w] gray or [n, h, w, 3] RGB. {ADVICE}"
        )
    if not array.size:
        return array.astype(np.uint8)
    try:
        return np.ascontiguousarray(to_uint8(array))
    except InputError as error:
        raise InputError(str(error).replace("The photo", place, 1)) from None
