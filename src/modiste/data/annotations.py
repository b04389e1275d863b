"""Files that describe images and lie beside them: `labels.json` names classes, `groups.csv` groups photos."""

import csv
import io
import json
from collections.abc import Callable
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from modiste.data.split import Groups
from modiste.errors import InputError

LABELS_FILE, GROUPS_FILE = "labels.json", "groups.csv"

FolderLabels = tuple[str, ...]
"""The labels that the photos of a folder may have; empty: the folder is left out."""


def read_folder_labels(file: Traversable) -> dict[str, FolderLabels]:
    """Read `{"tees": "T-shirt/top", "shoes": ["Sandal", "Sneaker"], "rest": null}`; empty when there is no such file.

    Raises:
        InputError: it is not JSON, or a folder's value is neither a label, nor several, nor null.
    """
    content = _read_json(file)
    if not isinstance(content, dict):
        raise InputError(f'{file} is not a table. Write it as {{"folder": "label", "other folder": null}}.')
    folder_labels: dict[str, FolderLabels] = {}
    for folder, value in content.items():
        labels = [] if value is None else value if isinstance(value, list) else [value]
        if not _are_names(labels) or value == []:
            raise InputError(
                f"{file} says that {folder!r} means {value!r}. Give it a label, a list of different labels, or null."
            )
        folder_labels[folder] = tuple(labels)
    return folder_labels


def read_class_names(file: Traversable, count: int) -> tuple[str, ...]:
    """Read the names of numbered classes: `["zero", "one"]` or `{"0": "zero", "1": "one"}`.

    Args:
        file: its path; without such a file the names are the numbers.
        count: number of classes that the labels need; the file may name more, which training refuses.

    Raises:
        InputError: it is not JSON, a key is not a number, a class has no name, or a name is not text or occurs twice.
    """
    if not file.is_file():
        return tuple(map(str, range(count)))
    content = _read_json(file)
    names = dict(enumerate(content)) if isinstance(content, list) else content
    if not isinstance(names, dict) or not all(str(key).isdecimal() and int(key) < 256 for key in names):
        raise InputError(f'{file} must name classes by their numbers. Write ["zero", "one"] or {{"0": "zero"}}.')
    by_label = {int(key): name for key, name in names.items()}
    classes = range(max([count, *(label + 1 for label in by_label)]))
    if unnamed := [label for label in classes if label not in by_label]:
        raise InputError(
            f"{file} has no name for class {unnamed[0]}; the labels go up to {count - 1}. Name every class from 0, or "
            "remove the file to name all by their numbers."
        )
    class_names = [by_label[label] for label in classes]
    if not _are_names(class_names):
        raise InputError(f"{file} gives the names {class_names}. Give each class another name, as text.")
    return tuple(class_names)


def read_groups(root: Path, photos: list[Path]) -> Groups | None:
    """Read the group of each photo, int64 [n], from root/groups.csv; None when there is no such file.

    Args:
        root: the data folder. Its groups.csv has a header and the columns file, relative to `root`, and group.
        photos: of one split; one that is not listed is a group of its own.

    Raises:
        InputError: it cannot be read, has other columns, or lists a file twice or one that does not exist.
    """
    path = root / GROUPS_FILE
    if not path.is_file():
        return None
    header, *rows = [row for row in _read(path, lambda text: list(csv.reader(io.StringIO(text)))) if row] or [[]]
    if header[:1] != ["file"] or any(len(row) < 2 for row in [header, *rows]):
        raise InputError(f"{path} must have the columns file,group in this order, in each row. Correct it.")
    groups: dict[str, str] = {}
    for file, group, *_ in rows:
        if file in groups or not (root / file).is_file():
            missing = f"there is no file {file!r}; paths are relative to its folder"
            problem = f"{file!r} is listed twice" if file in groups else missing
            raise InputError(f"{path}: {problem}. Correct or remove the row.")
        groups[file] = group
    ids = {group: index for index, group in enumerate(dict.fromkeys(groups.values()))}
    listed = [groups.get(photo.relative_to(root).as_posix()) for photo in photos]
    return np.array([-1 - row if group is None else ids[group] for row, group in enumerate(listed)], np.int64)


def _read_json(file: Traversable) -> Any:
    return _read(file, json.loads) if file.is_file() else {}


def _read(file: Traversable, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(file.read_text(encoding="utf-8-sig"))  # Windows programs write a byte order mark
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise InputError(f"{file} cannot be read ({error}). Correct it, save it in UTF-8, or remove it.") from None


def _are_names(values: list[Any]) -> bool:
    """Whether these are different texts that can be printed."""
    are_texts = all(isinstance(value, str) and value.isprintable() and value for value in values)
    return are_texts and len(set(values)) == len(values)
