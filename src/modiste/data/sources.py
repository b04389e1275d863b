"""Functions that open data: one for training, one for validation, one that counts for test, one that only verifies.

A recipe's `data.source` is empty (the bundled Fashion-MNIST), a folder of IDX files or a folder of class folders.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from modiste.data import fashion_mnist, folders, folds
from modiste.data.folders import ClassFolders
from modiste.data.idx_folder import IdxFolder, is_idx_folder
from modiste.data.lazy_split import SPLITS, LazySplit, Source
from modiste.data.split import Images, Indices, Split, TrainingData
from modiste.data.synthetic.mix import add_synthetic_images
from modiste.errors import InputError, SettingError
from modiste.imaging.preprocess import is_on_black
from modiste.labels import FASHION_MNIST
from modiste.recipes.config import DataConfig


def open_training(data: DataConfig, seed: int) -> TrainingData:
    """Open all data that a training may use. No file of the test split is opened.

    Validation is the source's own validation split where it has one and `data.use_val_split` is true, and
    `data.val_fraction` is ignored then; else fold `data.fold` of the train split; else empty. `data.max_train_images`
    keeps at most that many images of each, the same number of each class where possible.

    Args:
        data: the recipe's data section.
        seed: of the folds.

    Raises:
        InputError: the source is missing, damaged or of no known form, or lacks the split.
        SettingError: size or channels do not fit the source.
    """
    source = open_source(data)
    train, indices, held_out = _cut_train(source, data, seed)
    split = train.load_split("train", indices)
    if data.synthetic_per_class:
        count = min(data.synthetic_per_class, data.max_train_images or data.synthetic_per_class)
        split = add_synthetic_images(split, source.class_names, count, seed)
    validation = _open_own_validation(source, data) or train.load_split("validation", held_out)
    on_black = not isinstance(source, IdxFolder) or is_on_black(split.images)
    return TrainingData(source.class_names, split, validation, on_black)


def open_validation(data: DataConfig, seed: int) -> Split:
    """Open the same validation split as the training did, without its training images; raises as `open_training`."""
    source = open_source(data)
    if own := _open_own_validation(source, data):
        return own
    if not data.folds:
        test = (
            "Use --split test"
            if source.has_split("test")
            else f"Put photos not trained on in {_root(data)}/validation/CLASS"
        )
        raise InputError(
            f"{_root(data)} has no validation split, and nothing was held out (data.val_fraction is 0). {test}, or "
            "train with --set data.val_fraction=0.2."
        )
    train, _, held_out = _cut_train(source, data, seed)
    return train.load_split("validation", held_out)


def held_out_indices(data: DataConfig, seed: int) -> Indices:
    """Return which training images, int64 [k], are held out, without loading any; arguments as `open_training`."""
    return _cut_train(open_source(data), data, seed)[2]


def open_test(data: DataConfig, count: Callable[[], None]) -> Split:
    """Open the test split to evaluate on it: the only function that returns its images.

    Args:
        data: the recipe's data section; `max_train_images` does not apply to this split.
        count: called once, before anything of the split is read, so that no opening is left uncounted.
    """
    source = open_source(data)
    if not source.has_split("test"):
        is_idx = isinstance(source, IdxFolder)
        advice = "Add its two IDX files" if is_idx else f"Put photos not trained on in {_root(data)}/test/CLASS"
        other = ", or use --split validation" if data.folds or source.has_split("validation") else ""
        raise InputError(f"{_root(data)} has no test split. {advice}{other}.")
    count()
    return source.part("test").load_split("test")


def dataset_name(data: DataConfig) -> str:
    """Return "fashion-mnist" when the checksums of the files are the official ones; else the folder's name."""
    source, name = open_source(data), _root(data).resolve().name
    if isinstance(source, IdxFolder) and source.is_fashion_mnist:
        return "fashion-mnist"
    return f"{name} (other files)" if name == "fashion-mnist" else name


def sha256(data: DataConfig) -> str:
    """Hash the train and validation files of a source; the same files in another folder have the same hash."""
    source, digest = open_source(data), hashlib.sha256()
    for split in filter(source.has_split, ("train", "validation")):
        for file, content in source.read_files(split):
            digest.update(f"{split}/{file}\0{len(content)}\0".encode(errors="surrogateescape"))
            digest.update(content)
    return digest.hexdigest()


def describe(data: DataConfig) -> list[dict[str, Any]]:
    """Read every image of every split, and describe the splits; nothing is evaluated, so no opening is counted.

    Returns:
        For each split `split`, `images` (how many), `shape` (of one), `labels` (how many of each) and `sha256`.
    """
    source, records = open_source(data), []
    for name in filter(source.has_split, SPLITS):
        split = source.part(name).load_split(name)
        labels = {label: int((split.labels == index).sum()) for index, label in enumerate(source.class_names)}
        record = {"split": name, "images": len(split), "shape": list(split.images.shape[1:]), "labels": labels}
        records.append({**record, "sha256": split.sha256()})
    return records


def ignored_files(data: DataConfig) -> list[Path]:
    """List the files and folders in class folders and beside them that are not used; raises as `open_training`."""
    source = open_source(data)
    return source.ignored_files() if isinstance(source, ClassFolders) else []


def first_of_each_class(data: DataConfig, count: int) -> list[tuple[str, Images]]:
    """Load at most `count` training images of each class: class name and images, uint8 [k, s, s] or [k, s, s, 3]."""
    source = open_source(data)
    train, indices, _ = _cut_train(source, data, seed=0)
    labels = train.labels[indices]
    names = enumerate(source.class_names)
    return [(name, train.load(indices[np.flatnonzero(labels == label)[:count]])) for label, name in names]


def open_source(data: DataConfig) -> Source:
    """Recognize what `data.source` is, without opening its splits; raises as `open_training`."""
    root = Path(data.source)
    if data.source and not root.is_dir():
        problem = "is not a folder" if root.exists() else "does not exist"
        raise InputError(f"{root} {problem}. Give a folder of IDX files or of class folders with --data.")
    if not data.source or is_idx_folder(root):
        if data.channels != 1:
            images, gray = f"data.channels is {data.channels}, which needs photos", "Set data.channels to 1, or give"
            problem, advice = (f"{images}, but IDX images are gray", gray) if data.source else (images, "Give")
            raise SettingError(f"{problem}. {advice} a folder of photos for each class with --data FOLDER.")
        return IdxFolder(root, data.image_size) if data.source else fashion_mnist.source(data.image_size)
    if folders.subfolders(root):
        more_classes = FASHION_MNIST if data.synthetic_per_class else ()
        return ClassFolders(root, data.image_size, data.channels, more_classes, data.resize_mode)
    raise InputError(
        f"{root} holds neither IDX files nor class folders. Put train-images-idx3-ubyte.gz and its three companions "
        "there, or a folder of photos for each class."
    )


def _root(data: DataConfig) -> Path:
    return Path(data.source or str(fashion_mnist.folder()))


def _cut_train(source: Source, data: DataConfig, seed: int) -> tuple[LazySplit, Indices, Indices]:
    """Return the train split, the indices of its training images and of those held out."""
    if not source.has_split("train"):
        raise InputError(f"{_root(data)} has no training images. Add train-images-idx3-ubyte.gz or a folder train/.")
    part = source.part("train")
    strata, limit = part.stratify_by, data.max_train_images
    train, held_out = np.arange(len(strata)), np.arange(0)
    if data.folds and not _has_validation(source, data):
        train, held_out = folds.stratified_fold(strata, data.folds, data.fold, seed, part.groups)
    train, held_out = (indices[folds.balanced_subset(strata[indices], limit)] for indices in (train, held_out))
    return part, train, held_out


def _open_own_validation(source: Source, data: DataConfig) -> Split | None:
    if not _has_validation(source, data):
        return None
    part = source.part("validation")
    return part.load_split("validation", folds.balanced_subset(part.stratify_by, data.max_train_images))


def _has_validation(source: Source, data: DataConfig) -> bool:
    """Whether the source has a validation split that the recipe uses."""
    return data.use_val_split and source.has_split("validation")
