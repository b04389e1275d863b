"""Apply to a split what lies beside its data: groups that no split may cut, and corrected labels."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from modiste.data.annotations import (
    CORRECTIONS_FILE,
    GROUPS_FILE,
    read_corrections,
    read_groups,
    require_names,
)
from modiste.data.lazy_split import LazySplit, Source
from modiste.data.split import Groups
from modiste.errors import InputError
from modiste.recipes.config import DataConfig


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
        require_names(file, corrections, split, set(part.names), source.folder)
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
        require_names(file, groups, split, set(part.names), file.parent)
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
