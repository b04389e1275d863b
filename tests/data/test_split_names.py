"""Names of splits in names of files, folders and arrays."""

from pathlib import Path

import pytest

from modiste.data.split_names import by_split, companions, one_file_each, split_in
from modiste.errors import InputError


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("fashion-mnist_train", "train"),
        ("x_train", "train"),
        ("Val_images", "validation"),
        ("train-00001-of-00002", "train"),
        ("training_set.test", "test"),
        ("TESTING", "test"),
        ("contest", None),
        ("trainer2", None),
        ("t10k", None),
    ],
)
def test_a_split_is_a_word_of_a_name(name: str, split: str | None) -> None:
    """In any case, set apart by anything but letters; the last one counts, and parts of words do not."""
    assert split_in(name) == split


def test_companions_differ_in_the_split(tmp_path: Path) -> None:
    """Shards also in digits; hidden files and other names are none."""
    for name in ("a_train.csv", "a_test.csv", "b_train.csv", "a_train2.csv", "._a_train.csv", "a_val.npz"):
        (tmp_path / name).touch()
    assert [path.name for path in companions(tmp_path / "a_train.csv")] == ["a_test.csv", "a_train.csv"]
    names = ["train-0-of-2.parquet", "train-1-of-2.parquet", "test-0-of-1.parquet", "other-0-of-1.parquet"]
    for name in names:
        (tmp_path / name).touch()
    assert {path.name for path in companions(tmp_path / names[0], are_shards=True)} == set(names[:3])


def test_files_are_sorted_into_splits_by_their_names_or_folders(tmp_path: Path) -> None:
    """Names outside the data do not count; without any split all files are train; two of one split are refused."""
    root = tmp_path / "test" / "data"
    files = [
        root / "train" / "0.parquet",
        root / "train" / "1.parquet",
        root / "x_test.parquet",
        root / "other.parquet",
    ]
    assert by_split(files, root) == {"train": files[:2], "test": [files[2]]}
    assert by_split(files[3:], root) == {"train": files[3:]}
    with pytest.raises(InputError, match=r"0.parquet and .*1.parquet are both the train split"):
        one_file_each(files, root)
