"""The doors to data: one for training, one for validation, one that counts for test, one that only verifies.

A recipe's `data.source` is empty (the bundled Fashion-MNIST), a folder of IDX files or a folder of class folders.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modiste.data import fashion_mnist, folders, folds
from modiste.data.folders import ClassFolders
from modiste.data.idx_folder import IdxFolder, is_idx_folder
from modiste.data.lazy_split import LazySplit, Source, sha256
from modiste.data.split import Images, Split, TrainingData
from modiste.data.synthetic.mix import with_catalogue
from modiste.errors import InputError, SettingError
from modiste.labels import FASHION_MNIST
from modiste.recipes.recipe import DataConfig


def open_training(data: DataConfig, seed: int) -> TrainingData:
    """Open all that a training may see. No file of the test split is opened.

    Validation is the source's own validation/ where it has one, and `data.val_fraction` does not count then; else fold
    `data.fold` of the train part; else empty. `data.max_train_images` takes the first n training images after that, and at most n
    of validation, so that a trial is quick throughout.

    Args:
        data: the recipe's data section.
        seed: of the folds.

    Raises:
        InputError: the source is missing, damaged or of no known form.
        SettingError: size or channels do not fit the source.
    """
    source = open_source(data)
    part, chosen, held_out = _train(source, data, seed)
    validation = _own_validation(source, data) or part.split("validation", held_out)
    train = part.split("train", chosen)
    if data.synthetic_per_class:
        count = min(data.synthetic_per_class, data.max_train_images or data.synthetic_per_class)
        train = with_catalogue(train, source.class_names, count, seed)
    return TrainingData(source.class_names, train, validation)


def open_validation(data: DataConfig, seed: int) -> Split:
    """Open the same validation split as the training did, without loading its training images.

    Raises:
        InputError: nothing was held out, or as `open_training`.
        SettingError: as `open_training`.
    """
    source = open_source(data)
    own = _own_validation(source, data)
    if own:
        return own
    if not data.folds:
        raise InputError(
            "Nothing was held out for validation (data.val_fraction is 0). Use --split test, or train with "
            "--set data.val_fraction=0.2."
        )
    part, _, held_out = _train(source, data, seed)
    return part.split("validation", held_out)


def open_test(data: DataConfig, count: Callable[[], None]) -> Split:
    """Open the test split to judge with it: the only way that gives its images away.

    Args:
        data: the recipe's data section; `limit` does not touch this split.
        count: called once, before anything of the split is read, so that no opening stays uncounted.

    Raises:
        InputError: the source has no test split, or as `open_training`.
    """
    source = open_source(data)
    if not source.has("test"):
        raise InputError(f"{data.source} has no test split. Use --split validation, or add a folder test/.")
    count()
    return source.part("test").split("test")


def class_names(data: DataConfig) -> tuple[str, ...]:
    """What the label numbers of a source mean; raises as `open_training`."""
    return open_source(data).class_names


def fingerprint(data: DataConfig, training: TrainingData) -> dict[str, str]:
    """Return SHA-256 sums of what a training used: `data` (the files, test not among them), `train`, `validation`."""
    files = sha256(open_source(data), ("train", "validation"))
    return {"data": files, "train": training.train.sha256(), "validation": training.validation.sha256()}


def describe(data: DataConfig) -> list[dict[str, Any]]:
    """Read every part of a source to the last image, test too, and say what is in it.

    This looks at integrity alone: no image leaves it and nothing is judged, so it is no counted opening.

    Returns:
        For each part `split`, `images` (how many), `shape` (of one), `labels` (how many of each) and `sha256`.

    Raises:
        InputError, SettingError: something is damaged, as `open_training`.
    """
    source = open_source(data)
    parts = [name for name in folders.PARTS if source.has(name)]
    return [_described(source.part(name).split(name), source.class_names) for name in parts]


def first_of_each_label(data: DataConfig, count: int) -> list[tuple[str, Images]]:
    """Load the first training images of each label, at most `count` of each; raises as `open_training`."""
    source = open_source(data)
    part, chosen, _ = _train(source, data, seed=0)
    labels = part.labels[chosen]
    names = enumerate(source.class_names)
    return [(name, part.load(chosen[np.flatnonzero(labels == label)[:count]])) for label, name in names]


def open_source(data: DataConfig) -> Source:
    """Recognise what `data.source` is, without opening its parts.

    Raises:
        InputError: there is no such folder, or it is of no known form.
        SettingError: IDX files are asked for in RGB, or photos without a folder of them.
    """
    root = Path(data.source)
    if data.source and not root.is_dir():
        what = "is no folder" if root.exists() else "does not exist"
        raise InputError(f"{root} {what}. Give a folder of IDX files or of class folders with --data.")
    if not data.source and data.channels != 1:
        raise SettingError("This recipe wants photos. Give a folder of pictures for each label with --data FOLDER.")
    if not data.source or is_idx_folder(root):
        if data.channels != 1:
            raise SettingError(f"data.channels is {data.channels}, but IDX images are gray. Add --set data.channels=1.")
        return IdxFolder(root, data.image_size) if data.source else fashion_mnist.source(data.image_size)
    if folders.is_class_folders(root):
        return ClassFolders(root, data.image_size, data.channels, FASHION_MNIST if data.synthetic_per_class else ())
    raise InputError(
        f"{root} holds neither IDX files nor class folders. Put train-images-idx3-ubyte.gz and its three companions "
        "there, or a folder of pictures for each label."
    )


def _train(source: Source, data: DataConfig, seed: int) -> tuple[LazySplit, NDArray[np.int64], NDArray[np.int64]]:
    """The train part, the indices to learn from and those held out."""
    if not source.has("train"):
        raise InputError(f"{data.source} has no training images. Add train-images-idx3-ubyte.gz or a folder train/.")
    part = source.part("train")
    chosen, held_out = np.arange(len(part.labels)), np.arange(0)
    if data.folds and not source.has("validation"):
        chosen, held_out = folds.fold(part.strata, data.folds, data.fold, seed)
    limit = data.max_train_images or len(part.labels)
    return part, chosen[:limit], held_out[:limit]


def _own_validation(source: Source, data: DataConfig) -> Split | None:
    if not source.has("validation"):
        return None
    part = source.part("validation")
    return part.split("validation", np.arange(len(part.labels))[: data.max_train_images or None])


def _described(split: Split, names: tuple[str, ...]) -> dict[str, Any]:
    counts = np.bincount(split.labels, minlength=len(names)).tolist()
    return {
        "split": split.name,
        "images": len(split),
        "shape": list(split.images.shape[1:]),
        "labels": dict(zip(names, counts, strict=True)),
        "sha256": split.sha256(),
    }
