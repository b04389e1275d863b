"""Files that describe images and lie beside them.

`labels.json` names classes, `groups.csv` says which images belong together, `corrections.csv` corrects labels.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from modiste.csv_cells import unescape_formula
from modiste.data.lazy_split import LazySplit, Source
from modiste.data.split import Groups
from modiste.errors import InputError
from modiste.recipes.config import DataConfig

LABELS_FILE, GROUPS_FILE, CORRECTIONS_FILE = "labels.json", "groups.csv", "corrections.csv"

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


def read_groups(file: Path) -> dict[str, str]:
    """Read the group of each image that a groups.csv lists, by the image's name.

    Its header begins with the columns file, the name, and group, which may be called otherwise; more are ignored.

    Raises:
        InputError: it cannot be read, has other columns, or lists an image twice.
    """
    header, *rows = _read_rows(file)
    if header[:1] != ["file"] or any(len(row) < 2 for row in [header, *rows]):
        raise InputError(f"{file} must have the columns file,group in this order, in each row. Correct it.")
    return _by_name(file, [(row[0], row[1]) for row in rows])


def read_corrections(file: Path) -> dict[str, str]:
    """Read the label of each image that a corrections.csv lists, by the image's name; rows without a label are skipped.

    Its columns are file, the name, and label, so that a mistakes.csv with a column of labels can be read.

    Raises:
        InputError: it cannot be read, lacks a column, or lists an image twice.
    """
    header, *rows = _read_rows(file)
    if not {"file", "label"} <= set(header) or any(len(row) != len(header) for row in rows):
        raise InputError(f"{file} must have the columns file and label, in each row. Correct it.")
    file_column, label_column = header.index("file"), header.index("label")
    return _by_name(file, [(row[file_column], row[label_column]) for row in rows if row[label_column].strip()])


def open_part(source: Source, data: DataConfig, split: str) -> LazySplit:
    """Open a split of a source with its groups and with corrected labels.

    Raises:
        InputError: as `Source.part`; or groups.csv or corrections.csv cannot be used, or no name fits the pattern.
        SettingError: as `Source.part`.
    """
    part = source.part(split)
    group_names = read_group_names(source, data, split, part)
    if group_names is not None:
        part = replace(part, groups=_number(group_names))
    if file := corrections_file(source, data):
        corrections = read_corrections(file)
        _require_names(file, corrections, source, split, part)
        part = _correct(part, file, corrections, source.class_names)
    return part


def corrections_file(source: Source, data: DataConfig) -> Path | None:
    """Return the path of the file of corrected labels; None where there is none.

    Raises:
        InputError: `data.corrections` names a file that does not exist.
    """
    if data.corrections:
        file = Path(data.corrections)
        if not file.is_file():
            raise InputError(f"{file} does not exist. Correct data.corrections, or leave it out.")
        return file
    beside = source.folder / CORRECTIONS_FILE if source.folder else None
    return beside if beside and beside.is_file() else None


def read_group_names(source: Source, data: DataConfig, split: str, part: LazySplit) -> list[str | None] | None:
    """Return the group of each image of a split: that of groups.csv, else the first group of `data.group_pattern`.

    None stands for an image without a group; the whole result is None where the data has no groups.
    """
    file = source.folder / GROUPS_FILE if source.folder else None
    groups: Mapping[str, str] = {}
    if file and file.is_file():
        groups = read_groups(file)
        _require_names(file, groups, source, split, part)
    elif not data.group_pattern:
        return None
    pattern = re.compile(data.group_pattern) if data.group_pattern else None
    names: list[str | None] = []
    for name in part.names:
        match = pattern.search(name) if pattern else None
        names.append(groups.get(name, match[1] if match else None))
    if pattern and split == "train" and not any(names):
        raise InputError(
            f"data.group_pattern is {data.group_pattern!r}, but it is found in no file name; the first is "
            f"{part.names[0]!r}. Correct it, or leave it out."
        )
    return names


def _require_names(file: Path, listed: Iterable[str], source: Source, split: str, part: LazySplit) -> None:
    """Raise an InputError if a file lists an image that neither this split nor another one has."""
    names, folder = set(part.names), source.folder
    for name in listed:
        index = re.fullmatch(r"(train|validation|test)#\d+", name)
        is_other = index[1] != split if index else folder is not None and (folder / name).is_file()
        if name not in names and not is_other:
            raise InputError(
                f"{file}: there is no file {name!r}; paths are relative to its folder, and images without files are "
                "named as in mistakes.csv: train#7. Correct or remove the row."
            )


def _number(names: list[str | None]) -> Groups:
    """Number the groups; an image without a group is one of its own, with a negative number."""
    numbers = {name: index for index, name in enumerate(dict.fromkeys(filter(None, names)))}
    return np.array([numbers[name] if name else -1 - row for row, name in enumerate(names)], np.int64)


def _correct(part: LazySplit, file: Path, corrections: Mapping[str, str], class_names: tuple[str, ...]) -> LazySplit:
    """Return the split with the labels that a file corrects."""
    labels, changed = part.labels.copy(), np.zeros(len(part.labels), bool)
    candidates = None if part.candidate_labels is None else part.candidate_labels.copy()
    for row, name in enumerate(part.names):
        if (label := corrections.get(name)) is None:
            continue
        if label not in class_names:
            raise InputError(
                f"{file}: {name!r} has the label {label!r}, but the classes are {', '.join(class_names)}. Correct it."
            )
        index = class_names.index(label)
        changed[row] = labels[row] != index or (candidates is not None and candidates[row].sum() > 1)
        labels[row] = index
        if candidates is not None:
            candidates[row] = np.arange(len(class_names)) == index
    strata = part.stratify_by
    return replace(part, labels=labels, candidate_labels=candidates, stored_strata=strata, corrected=changed)


def _read_rows(file: Path) -> list[list[str]]:
    """Return the rows of a table that are not empty, at least one."""
    return _read(file, lambda text: [row for row in csv.reader(io.StringIO(text)) if row]) or [[]]


def _by_name(file: Path, pairs: list[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for cell, value in pairs:
        name = unescape_formula(cell)  # as mistakes.csv has it
        if name in values:
            raise InputError(f"{file}: {name!r} is listed twice. Correct or remove the row.")
        values[name] = unescape_formula(value.strip())
    return values


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
