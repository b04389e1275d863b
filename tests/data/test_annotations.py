"""groups.csv: groups of photos that are not independent."""

from pathlib import Path

import pytest

from helpers.photos import fill
from modiste.data import sources
from modiste.errors import InputError
from modiste.recipes.config import DataConfig


@pytest.fixture
def data(tmp_path: Path) -> DataConfig:
    """Two class folders with three photos each in train/."""
    for label in ("a", "b"):
        fill(tmp_path / "train" / label, 3)
    return DataConfig(str(tmp_path), image_size=16, val_fraction=0)


def write(data: DataConfig, *rows: str) -> None:
    """Write groups.csv as a spreadsheet program does, with a byte order mark."""
    Path(data.source, "groups.csv").write_text("\n".join(rows) + "\n", encoding="utf-8-sig")


def test_groups_are_numbered(data: DataConfig) -> None:
    """Photos of a group share a number, other photos have their own; other columns are ignored."""
    write(data, "file,sender_id,date", "train/a/0.png,anna,1", "train/b/2.png,anna,1", "train/a/1.png,ben,2")
    groups = sources.open_training(data, 0).train.groups
    assert groups is not None
    assert groups[0] == groups[5] != groups[1]
    assert len(set(groups.tolist())) == 5


def test_without_groups_csv_there_are_no_groups(data: DataConfig) -> None:
    """They are not derived from the photos."""
    assert sources.open_training(data, 0).train.groups is None


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([], "columns file,group"),
        (["photo,group"], "columns file,group"),
        (["file,group", "train/a/0.png"], "columns file,group"),
        (["file,group", "a/0.png,1"], "there is no file 'a/0.png'"),
        (["file,group", "train/a/0.png,1", "train/a/0.png,2"], "twice"),
    ],
)
def test_an_invalid_groups_csv_is_refused(data: DataConfig, rows: list[str], fault: str) -> None:
    """The error names the file and what to correct."""
    write(data, *rows)
    with pytest.raises(InputError, match=rf"groups.csv.*{fault}.*[Cc]orrect"):
        sources.open_training(data, 0)
