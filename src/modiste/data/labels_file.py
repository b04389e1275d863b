"""`labels.json`: what the class folders mean, or the names of the classes in IDX files."""

import json
from importlib.resources.abc import Traversable
from typing import Any

from modiste.errors import InputError

LABELS_FILE = "labels.json"

FolderLabels = tuple[str, ...]
"""The labels that the photos of a folder may have; empty: the folder is left out."""


def read_folder_labels(file: Traversable) -> dict[str, FolderLabels]:
    """Read `{"tees": "T-shirt/top", "shoes": ["Sandal", "Sneaker"], "rest": null}`; empty when there is no such file.

    Raises:
        InputError: it is not JSON, or a folder's value is neither a label, nor several, nor null.
    """
    content = _read_json(file)
    if not isinstance(content, dict):
        raise InputError(f'{file} is no table. Write it as {{"folder": "label", "other folder": null}}.')
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
        file: its path; classes that it does not name, or all where it does not exist, are named by their numbers.
        count: number of classes at least; the file may name more.

    Raises:
        InputError: it is not JSON, a key is no number, or a name is no text or occurs twice.
    """
    content = _read_json(file)
    names = dict(enumerate(content)) if isinstance(content, list) else content
    if not isinstance(names, dict) or not all(str(key).isdecimal() and int(key) < 256 for key in names):
        raise InputError(f'{file} must name classes by their numbers. Write ["zero", "one"] or {{"0": "zero"}}.')
    by_label = {int(key): name for key, name in names.items()}
    class_names = [by_label.get(label, str(label)) for label in range(max([count, *(key + 1 for key in by_label)]))]
    if not _are_names(class_names):
        raise InputError(f"{file} gives the names {class_names}. Give each class another name, as text.")
    return tuple(class_names)


def _read_json(file: Traversable) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file} cannot be read ({error}). Correct it or remove it.") from None


def _are_names(values: list[Any]) -> bool:
    """Whether these are different texts that can be printed."""
    are_texts = all(isinstance(value, str) and value.isprintable() and value for value in values)
    return are_texts and len(set(values)) == len(values)
