"""Class folders: a folder of photos for each class, with or without train/, validation/ and test/ above them.

An optional `labels.json`, beside the class folders or above the splits, says what a folder means:
`{"tees": "T-shirt/top", "shoes": ["Sandal", "Sneaker"], "hats": "none of these", "rest": null}`: a class, one of
several classes, none of the classes, or null: the folder is left out. A folder that it does not name is a class of that
name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path

import numpy as np

from modiste.data.annotations import CORRECTIONS_FILE, GROUPS_FILE, LABELS_FILE, FolderLabels, read_folder_labels
from modiste.data.arrays import ImageFormat
from modiste.data.class_values import find_similar
from modiste.data.lazy_split import LazySplit
from modiste.data.photo_loader import load_photos
from modiste.data.split_names import SPELLINGS
from modiste.errors import InputError
from modiste.imaging import photo_files
from modiste.labels import NONE_OF_THESE

OTHER_FORMAT = "is of a format that is not read. Save it as JPEG or PNG."
NO_PHOTOS = "has no photos. Put JPEG, PNG or WebP photos in, or remove the folder."
NO_SUBFOLDERS = "holds photos, but class folders have no folders of their own. Move them up."


@dataclass(frozen=True)
class ClassFolders:
    """Photos in class folders, as a `Source`.

    Args:
        folder: the folder that holds the class folders, or those of the splits.
        image_format: the images that the photos become.
        more_classes: classes in addition to those of the folders.
        is_lenient: leave out files that cannot be used, which `unusable_files` lists, instead of raising an error.
    """

    folder: Path
    image_format: ImageFormat
    more_classes: tuple[str, ...] = ()
    is_lenient: bool = False
    has_photos = True
    is_fashion_mnist = False

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Those of train (or of the first split there is) and `more_classes`, sorted by name, "none of these" last.

        A class that only another split has is an InputError; this reads the names of its folders, and no photo.
        """
        split, folder = next(iter(self.split_folders.items()))
        names = {*self.more_classes, *(label for _, labels in self._class_folders(split) for label in labels)}
        if len(names) < 2:
            only = next(iter(names), "none")
            raise InputError(
                f"{folder} has class folders for one class ({only}), but at least two are needed. Make a folder for "
                f"each class and put its photos in{f', and name it in {LABELS_FILE}' if self._folder_labels else ''}."
            )
        for path in chain.from_iterable(map(subfolders, self.split_folders.values())):
            if unknown := set(self._labels(path)) - names:
                similar = find_similar(min(unknown), names)
                advice = f"Rename it to {similar}" if similar else "Rename it"
                raise InputError(
                    f"{path} means {min(unknown)!r}, which {split} has no photos of. {advice}, or add such a folder to "
                    f"{split}."
                )
        return tuple(sorted(names, key=lambda name: (name == NONE_OF_THESE, name)))

    @cached_property
    def split_folders(self) -> dict[str, Path]:
        """The folder of each split; where no folder is named like a split, all photos are train."""
        folders = subfolders(self.folder)
        by_split: dict[str, Path] = {}
        for split, spellings in SPELLINGS.items():
            for path in (path for path in folders if path.name.casefold() in spellings):
                if (other := by_split.setdefault(split, path)) != path:
                    raise InputError(f"{other} and {path} are both the {split} split by their names. Merge the two.")
        others = [path for path in folders if path not in by_split.values()]
        if others and not any(map(subfolders, by_split.values())):
            return {"train": self.folder}  # a class may be called train
        classes = {path.name for split_folder in by_split.values() for path in subfolders(split_folder)}
        for path in others:
            if classes & {path.name, *(below.name for below in subfolders(path))}:
                raise InputError(
                    f"{path} is beside {next(iter(by_split.values()))}, but by its name it is not a split. Rename it "
                    "to train, validation or test, move it into one of them, or out of the data."
                )
        return by_split

    def has_split(self, name: str) -> bool:
        """Whether the split has a folder."""
        return name in self.split_folders

    def part(self, name: str) -> LazySplit:
        """List the photos of a split, by folder name and then by file name; they are decoded when images are loaded.

        Raises:
            InputError: a class folder is empty, or a file in it or beside it cannot be used.
        """
        names, photos = self.class_names, self._photos(name)
        candidates = [[name in labels for name in names] for _, labels in photos]
        candidate_labels = np.array(candidates, bool).reshape(len(photos), len(names))
        paths = [path for path, _ in photos]
        folders = np.unique([path.parent.name for path in paths], return_inverse=True)[1]
        names_of_photos = [path.relative_to(self.folder).as_posix() for path in paths]
        return LazySplit(
            candidate_labels.argmax(1).astype(np.int64),
            partial(load_photos, paths.__getitem__, names_of_photos, self.image_format),
            names_of_photos,
            candidate_labels if (candidate_labels.sum(1) > 1).any() else None,
            folders=folders.astype(np.int64),
            photo=paths.__getitem__,
        )

    def read_files(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Read all photo files of a split; their names hold what their folders mean."""
        for path, labels in self._photos(name):
            yield f"{' or '.join(labels)}/{path.parent.name}/{path.name}", path.read_bytes()

    def ignored_files(self) -> list[Path]:
        """List what is not a photo of a class: folders left out, and files beside class folders or in them."""
        folders = {self.folder, *self.split_folders.values()}
        photos = {path for split in self.split_folders for path, _ in self._photos(split)}
        classes = {folder for split in self.split_folders for folder, labels in self._class_folders(split) if labels}
        used = folders | photos | classes | {self.folder / name for name in (GROUPS_FILE, CORRECTIONS_FILE)}
        used |= {folder / LABELS_FILE for folder in folders}
        return sorted(path for folder in folders | classes for path in _visible(folder) if path not in used)

    def unusable_files(self) -> list[tuple[Path, str]]:
        """List photos of formats that are not read, folders with photos in class folders, and empty class folders.

        Each has the rule that it breaks.
        """
        folders = [folder for split in self.split_folders for folder, labels in self._class_folders(split) if labels]
        empty = [(folder, NO_PHOTOS) for folder in folders if not _readable(folder) and not _unusable(folder)]
        return [*empty, *(unusable for folder in folders for unusable in _unusable(folder))]

    def how_to_add(self, split: str) -> str:
        """Return where photos of a split belong."""
        return f"Put photos not trained on in {self.folder}/{split}/CLASS"

    @cached_property
    def _folder_labels(self) -> dict[str, FolderLabels]:
        """What the folders mean by all labels.json files; InputError when two disagree or a folder is in no split."""
        folders = {folder.name for path in self.split_folders.values() for folder in subfolders(path)}
        merged: dict[str, FolderLabels] = {}
        for place in dict.fromkeys((self.folder, *self.split_folders.values())):
            file = place / LABELS_FILE
            for folder, labels in read_folder_labels(file).items():
                if folder not in folders:
                    raise InputError(f"{file}: there is no folder {folder!r}. Correct its name or remove it.")
                if merged.setdefault(folder, labels) != labels:
                    raise InputError(f"{file} and another labels.json differ in {folder!r}. Remove one of them.")
        return merged

    def _class_folders(self, split: str) -> list[tuple[Path, FolderLabels]]:
        """The class folders of a split, sorted by name, and what each means."""
        folders = subfolders(self.split_folders[split])
        if not folders:
            raise InputError(
                f"{self.split_folders[split]} has no class folders. Put its photos into a folder for each class, or "
                "move it out of the data."
            )
        return [(folder, self._labels(folder)) for folder in folders]

    def _labels(self, folder: Path) -> FolderLabels:
        """What a class folder means: by labels.json, or its name."""
        return self._folder_labels.get(folder.name, (folder.name,))

    def _photos(self, split: str) -> list[tuple[Path, FolderLabels]]:
        """The photos of a split, sorted by folder and file name, and the labels that each may have."""
        list_photos = _readable if self.is_lenient else _class_photos
        return [
            (path, labels) for folder, labels in self._class_folders(split) if labels for path in list_photos(folder)
        ]


def subfolders(folder: Path) -> list[Path]:
    """List the folders in a folder, sorted; raise InputError when it cannot be read, or a name cannot be printed."""
    folders = [path for path in _visible(folder) if path.is_dir()]
    for path in folders:
        if not path.name.isprintable():  # bytes that are not UTF-8, too: a class name is shown and written into models
            raise InputError(f"The folder {path.name!r} in {folder} has a name that cannot be printed. Rename it.")
    return folders


def _class_photos(folder: Path) -> list[Path]:
    """List the photos of a class folder, sorted; at least one."""
    unusable = _unusable(folder)
    if unreadable := [path.name for path, rule in unusable if rule == OTHER_FORMAT]:
        names = ", ".join(unreadable[:5]) + (f" and {len(unreadable) - 5} more" if unreadable[5:] else "")
        raise InputError(f"{folder} has photos of formats that are not read: {names}. Save them as JPEG or PNG.")
    if unusable:
        raise InputError(f"{unusable[0][0]} {NO_SUBFOLDERS}")
    if not (photos := _readable(folder)):
        raise InputError(f"{folder} {NO_PHOTOS}")
    return photos


def _readable(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if not path.is_dir() and photo_files.is_readable_photo(str(path))]


def _unusable(folder: Path) -> list[tuple[Path, str]]:
    """List photos of other formats in a class folder, and folders in it that hold photos, each with the rule."""
    unusable = []
    for path in _visible(folder):
        if path.is_dir():
            if any(Path(photo).is_file() for photo in photo_files.find_photos(path).readable):
                unusable.append((path, NO_SUBFOLDERS))
        elif photo_files.is_readable_photo(str(path)) is False:
            unusable.append((path, OTHER_FORMAT))
    return unusable


def _visible(folder: Path) -> list[Path]:
    """List what is in a folder, sorted; without what is hidden."""
    try:
        return sorted(path for path in folder.iterdir() if not photo_files.is_hidden(path.name))
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}). Check its permissions.") from None
