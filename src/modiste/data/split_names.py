"""How the splits are called, in the names of folders, files and arrays."""

import re
from pathlib import Path

from modiste.errors import InputError

SPELLINGS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""Names of each split, in any case. `eval` is not one of them: some mean validation by it, others test."""


def split_of_word(word: str) -> str | None:
    """Return the split that a word names, None where it names none."""
    return next((split for split, spellings in SPELLINGS.items() if word.casefold() in spellings), None)


def split_in(text: str) -> str | None:
    """Return the split that is the last word of its kind in a name, as in `fashion-mnist_train` or `x_val`."""
    splits = [split for word in re.findall(r"[^\W\d_]+", text) if (split := split_of_word(word))]
    return splits[-1] if splits else None


def list_files(folder: Path, suffix: str, depth: int = 1) -> list[Path]:
    """List the files with a suffix in a folder, and below it down to a depth, sorted; without hidden ones."""
    patterns = ["*/" * level + "*" for level in range(depth)]
    files = (path for pattern in patterns for path in folder.glob(pattern + suffix))
    return sorted(path for path in files if not path.name.startswith("."))


def companions(file: Path, are_shards: bool = False) -> list[Path]:
    """List a file and those beside it whose names differ in the split only, sorted; with shards also in digits.

    Of `fashion-mnist_train.csv` also `fashion-mnist_test.csv`; of the shard `train-00000-of-00002.parquet` all shards.
    """

    def pattern(path: Path) -> str:
        stem = re.sub(r"\d+", "#", path.stem) if are_shards else path.stem
        words = re.split(r"([^\W\d_]+)", stem)
        return "".join("*" if split_of_word(word) else word for word in words)

    return [path for path in list_files(file.parent, file.suffix) if pattern(path) == pattern(file)]


def by_split(files: list[Path], root: Path) -> dict[str, list[Path]]:
    """Sort files below a folder into splits, by their names or their folders'; without such names all are train."""
    splits: dict[str, list[Path]] = {}
    for path in files:
        folders = path.relative_to(root).parts[:-1]
        if split := split_in(path.stem) or next(filter(None, map(split_of_word, reversed(folders))), None):
            splits.setdefault(split, []).append(path)
    return splits or {"train": files}


def one_file_each(files: list[Path], root: Path) -> dict[str, Path]:
    """Return the only file of each split, see `by_split`; raises InputError where there are two."""
    splits = by_split(files, root)
    for split, paths in splits.items():
        if len(paths) > 1:
            raise InputError(
                f"{paths[0]} and {paths[1]} are both the {split} split by their names. Name the one to use with --data."
            )
    return {split: path for split, (path,) in splits.items()}
