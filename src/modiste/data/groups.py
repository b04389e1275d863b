"""`groups.csv`: which photos belong together, because one person sent them or they show one product."""

import csv
from pathlib import Path

import numpy as np

from modiste.data.split import Groups
from modiste.errors import InputError

GROUPS_FILE = "groups.csv"


def read_groups(root: Path, photos: list[Path]) -> Groups | None:
    """Read the group of each photo from a CSV file with a header: first the file, relative to `root`, then the group.

    Args:
        root: the data folder, where groups.csv may be.
        photos: of one split; one that is not listed is a group of its own.

    Returns:
        int64, [n]; None when there is no groups.csv.

    Raises:
        InputError: it cannot be read, has other columns, or lists a file twice or one that does not exist.
    """
    path = root / GROUPS_FILE
    if not path.is_file():
        return None
    groups = _read_table(path)
    ids = {group: index for index, group in enumerate(dict.fromkeys(groups.values()))}
    listed = [groups.get(photo.relative_to(root).as_posix()) for photo in photos]
    return np.array([-1 - row if group is None else ids[group] for row, group in enumerate(listed)], np.int64)


def _read_table(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            header, *rows = [row for row in csv.reader(stream) if row] or [[]]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error}). Save it as CSV in UTF-8.") from None
    if header[:1] != ["file"] or any(len(row) < 2 for row in [header, *rows]):
        raise InputError(f"{path} must have the columns file,group in this order, in each row. Correct it.")
    groups = {row[0]: row[1] for row in rows}
    missing = [file for file in groups if not (path.parent / file).is_file()]
    if missing or len(groups) < len(rows):
        problem = (
            f"there is no file {missing[0]!r}; paths are relative to its folder"
            if missing
            else "a file is listed twice"
        )
        raise InputError(f"{path}: {problem}. Correct or remove the row.")
    return groups
