"""Class folders: a folder of pictures for each label, with or without train/ validation/ test/ above.

An optional `labels.json` beside them says what a folder means: `{"tees": "T-shirt/top", "shoes": ["Sandal", "Sneaker"],
"hats": "none of these", "rest": null}`: a label, one of several labels, no garment that has a label, or nothing: left
out. A folder that it does not name means its own name.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modiste.data.lazy_split import LazySplit
from modiste.data.split import CandidateLabels, Images
from modiste.errors import InputError
from modiste.imaging import photo_files, preprocess
from modiste.labels import NONE_OF_THESE

PARTS = ("train", "validation", "test")
MEANINGS = "labels.json"

Meaning = tuple[str, ...]
"""The labels that a folder's pictures may have; none: they are left out."""


@dataclass(frozen=True, slots=True)
class ClassFolders:
    """Pictures in class folders, as a `Source`; images come in turn from each label, so that the first n are balanced.

    Args:
        root: the folder that holds the class folders, or train/ and perhaps validation/ and test/.
        size: pixels a side that images are made with.
        channels: 1 gray, 3 RGB.
        more: labels beside those of the folders.
    """

    root: Path
    size: int
    channels: int
    more: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The labels of the train folders (or of the first part there is) and `more`, sorted; none of these is last."""
        self._require_known_meanings()
        first = next(filter(self.has, PARTS))
        found = {*self.more, *(label for _, meaning in self._classes(first) for label in meaning)}
        labels = tuple(sorted(found, key=lambda label: (label == NONE_OF_THESE, label)))
        if len(labels) < 2:
            only = labels[0] if labels else "none"
            raise InputError(
                f"{self._part_folder(first)} has class folders for one label ({only}), but at least two are needed. "
                "Make a folder for each label and put its pictures in."
            )
        return labels

    def has(self, name: str) -> bool:
        """Whether the part has a folder; without train/ validation/ test/ all is train."""
        return self._part_folder(name).is_dir() if self._is_split() else name == "train"

    def part(self, name: str) -> LazySplit:
        """List a part of the pictures; they are decoded when images are asked for.

        Raises:
            InputError: a class folder is empty or new, a picture is broken, or `labels.json` cannot be used.
        """
        names = self.class_names
        pictures: list[tuple[int, list[int], Path]] = []
        for folder, meaning in self._classes(name):
            unknown = [label for label in meaning if label not in names]
            if unknown:
                raise InputError(
                    f"{folder} means {unknown[0]!r}, which train has no pictures of. "
                    "Rename it, or add such a folder to train."
                )
            numbers = sorted(map(names.index, meaning))
            pictures += [(rank, numbers, path) for rank, path in enumerate(_pictures(folder) if numbers else ())]
        pictures.sort()
        labels = np.array([numbers[0] for _, numbers, _ in pictures], np.int64)
        load = partial(self._load, [path for _, _, path in pictures])
        return LazySplit(labels, load, _allowed([numbers for _, numbers, _ in pictures], len(names)))

    def files(self, name: str) -> Iterator[tuple[str, bytes]]:
        """All pictures of a part as stored, and what the folders mean."""
        for folder, meaning in self._classes(name):
            for path in _pictures(folder) if meaning else ():
                yield f"{' or '.join(meaning)}/{folder.name}/{path.name}", path.read_bytes()

    def _load(self, paths: list[Path], indices: NDArray[np.int64]) -> Images:
        to_image = partial(preprocess.to_image, size=self.size, channels=self.channels)
        shape = (self.size, self.size) if self.channels == 1 else (self.size, self.size, 3)
        images = np.empty((len(indices), *shape), np.uint8)
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoders leave the interpreter's lock
            for row, image in enumerate(pool.map(to_image, [paths[index] for index in indices])):
                images[row] = image
        return images

    def _require_known_meanings(self) -> None:
        """Raise an InputError when `labels.json` speaks of a folder that is in no part: a typing error, most likely."""
        folders = {folder.name for name in PARTS if self.has(name) for folder in subfolders(self._part_folder(name))}
        unknown = sorted(set(read_meanings(self.root / MEANINGS)) - folders)
        if unknown:
            raise InputError(
                f"{self.root / MEANINGS}: there is no folder {unknown[0]!r}. Correct its name or remove it."
            )

    def _is_split(self) -> bool:
        return any((self.root / name).is_dir() for name in PARTS)

    def _part_folder(self, name: str) -> Path:
        return self.root / name if self._is_split() else self.root

    def _classes(self, name: str) -> list[tuple[Path, Meaning]]:
        """The class folders of a part, sorted, and what each means."""
        meanings = read_meanings(self.root / MEANINGS)
        folders = subfolders(self._part_folder(name))
        return [(folder, meanings.get(folder.name, (folder.name,))) for folder in folders]


def is_class_folders(root: Path) -> bool:
    """Whether there are folders in it at all."""
    return bool(subfolders(root))


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted; raises InputError when it cannot be read, or a name is not text."""
    found = [path for path in _listed(folder) if path.is_dir()]
    for path in found:
        if not path.name.isprintable():  # bytes that are not UTF-8 end here too: a label has to be told
            raise InputError(f"The folder {path.name!r} in {folder} has a name that cannot be printed. Rename it.")
    return found


def read_meanings(path: Path) -> dict[str, Meaning]:
    """Read `labels.json`; empty when there is none.

    Raises:
        InputError: it is not JSON, or a meaning is neither a label, nor several, nor null.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error}). Correct it or remove it.") from None
    if not isinstance(content, dict):
        raise InputError(f'{path} is no table. Write it as {{"folder": "label", "other folder": null}}.')
    return {folder: _meaning(path, folder, meaning) for folder, meaning in content.items()}


def _meaning(path: Path, folder: str, meaning: object) -> Meaning:
    if meaning is None:
        return ()
    labels = meaning if isinstance(meaning, list) else [meaning]
    wrong = not labels or len(labels) != len(set(map(str, labels)))
    if wrong or not all(isinstance(label, str) and label.isprintable() and label for label in labels):
        raise InputError(
            f"{path} says that {folder!r} means {meaning!r}. Give it a label, a list of different labels, or null."
        )
    return tuple(labels)


def _allowed(numbers: list[list[int]], labels: int) -> CandidateLabels | None:
    """A row an image; None where no image has more than one label."""
    if all(len(each) == 1 for each in numbers):
        return None
    candidate_labels = np.zeros((len(numbers), labels), bool)
    for row, each in zip(candidate_labels, numbers, strict=True):
        row[each] = True
    return candidate_labels


def _pictures(folder: Path) -> list[Path]:
    """The pictures of a class folder, sorted; at least one."""
    found = _listed(folder)
    for path in found:
        if photo_files.is_unreadable(path) and not path.is_dir():
            raise InputError(f"{path} is of a format that is not read. Save it as JPEG or PNG, or remove it.")
        if path.is_dir() and any(map(Path.is_file, photo_files.pictures_below(path))):
            raise InputError(f"{path} holds pictures, but class folders have no folders of their own. Move them up.")
    pictures = [path for path in found if photo_files.is_picture(path) and not path.is_dir()]
    if not pictures:
        raise InputError(f"{folder} holds no picture. Put JPEG, PNG or WebP pictures in, or remove the folder.")
    return pictures


def _listed(folder: Path) -> list[Path]:
    """What is in a folder, sorted; hidden files and folders are not counted."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}). Check its permissions.") from None
