"""Functions that open data: one for training, one for validation, one that counts for test.

A recipe's `data.source` is empty (the bundled Fashion-MNIST), or one of `FORMATS`, each of which has a reader.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from modiste.data import fashion_mnist, file_list, folders, folds, idx
from modiste.data.annotations import CORRECTIONS_FILE, GROUPS_FILE, corrections_file, open_part
from modiste.data.arrays import ImageFormat
from modiste.data.file_list import FileList
from modiste.data.folders import ClassFolders
from modiste.data.idx_folder import IdxFolder, find_idx_folder
from modiste.data.lazy_split import LazySplit, Source
from modiste.data.npz import NpzFile
from modiste.data.parquet import ParquetFiles
from modiste.data.pixel_csv import PixelCsv, is_pixel_csv
from modiste.data.split import Images, Indices, Split, TrainingData
from modiste.data.split_names import by_split, companions, list_files, one_file_each, split_of_word
from modiste.data.synthetic.mix import add_synthetic_images
from modiste.errors import InputError, SettingError
from modiste.imaging import preprocess
from modiste.labels import FASHION_MNIST
from modiste.recipes.config import DataConfig

FORMATS = "a folder of class folders or of IDX files, or a .csv, .npz or .parquet file"

NOT_TABLES = (GROUPS_FILE, CORRECTIONS_FILE)
"""CSV files that describe other data."""


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
    on_black = is_on_black(source, split.images)
    return TrainingData(source.class_names, split, validation, on_black)


def open_validation(data: DataConfig, seed: int) -> Split:
    """Open the same validation split as the training did, without its training images; raises as `open_training`."""
    source = open_source(data)
    if own := _open_own_validation(source, data):
        return own
    if not data.folds:
        test = "Use --split test" if source.has_split("test") else source.how_to_add("validation")
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
        has_validation = data.folds or source.has_split("validation")
        other = ", or use the validation split (--split validation)" if has_validation else ""
        raise InputError(f"{_root(data)} has no test split. {source.how_to_add('test')}{other}.")
    count()
    return open_part(source, data, "test").load_split("test")


def dataset_name(data: DataConfig) -> str:
    """Return "fashion-mnist" when images and labels are the official ones; else the name of the folder or file."""
    source, name = open_source(data), _root(data).resolve().name
    if source.is_fashion_mnist:
        return "fashion-mnist (corrected labels)" if corrections_file(source, data) else "fashion-mnist"
    return f"{name} (other files)" if name == "fashion-mnist" else name


def is_on_black(source: Source, images: Images) -> bool:
    """Return whether photos for a model of these images, [n, s, s] or [n, s, s, 3], are prepared as Fashion-MNIST."""
    return source.has_photos or images.ndim == 4 or preprocess.is_on_black(images)


def sha256(data: DataConfig) -> str:
    """Hash the train and validation files of a source, and the file of corrected labels.

    The same files in another folder have the same hash.
    """
    source, digest = open_source(data), hashlib.sha256()
    for split in filter(source.has_split, ("train", "validation")):
        for file, content in source.read_files(split):
            digest.update(f"{split}/{file}\0{len(content)}\0".encode(errors="surrogateescape"))
            digest.update(content)
    if corrections := corrections_file(source, data):
        digest.update(b"corrections\0" + corrections.read_bytes())
    return digest.hexdigest()


def first_of_each_class(data: DataConfig, count: int) -> list[tuple[str, Images]]:
    """Load at most `count` training images of each class: class name and images, uint8 [k, s, s] or [k, s, s, 3]."""
    source = open_source(data)
    train, indices, _ = _cut_train(source, data, seed=0)
    labels = train.labels[indices]
    names = enumerate(source.class_names)
    return [(name, train.load(indices[np.flatnonzero(labels == label)[:count]])) for label, name in names]


def trained_parts(data: DataConfig, seed: int) -> dict[str, tuple[LazySplit, Indices]]:
    """List the images of train and validation as a training has them, by split, without loading any."""
    source = open_source(data)
    part, train, held_out = _cut_train(source, data, seed)
    parts = {"train": (part, train), "validation": (part, held_out)}
    if _has_validation(source, data):
        parts["validation"] = _validation_part(source, data)
    return parts


def open_source(data: DataConfig) -> Source:
    """Recognize what `data.source` is, without opening its splits; raises as `open_training`."""
    root = _root(data)
    if not data.source:
        _require_gray(data, ". Give")
        return fashion_mnist.source(data.image_size)
    if not root.exists():
        raise InputError(f"{root} does not exist. Give {FORMATS} with --data.")
    return _open_folder(root, data) if root.is_dir() else _open_file(root, data)


def _open_file(file: Path, data: DataConfig) -> Source:
    """Open an archive or a table, with the files beside it that differ in the split only."""
    suffix, folder = file.suffix.casefold(), file.parent
    if suffix == ".npz":
        return NpzFile(file, _image_format(data))
    if suffix == ".parquet":
        return ParquetFiles(folder, by_split(companions(file, are_shards=True), folder), _image_format(data))
    if suffix == ".csv":
        header = file_list.read_header(file)
        fits = is_pixel_csv if is_pixel_csv(header) else file_list.is_file_list
        if not fits(header) or file.name in NOT_TABLES:
            raise InputError(
                f"{file} is no table of images: its columns are {', '.join(header[:5]) or 'not readable'}. Write a "
                "table with the columns label, pixel1, pixel2 and so on, or file and label, under another name."
            )
        return _open_tables([path for path in companions(file) if fits(file_list.read_header(path))], data)
    advice = f"Give its folder, {folder}," if idx.is_images(file) else f"Give {FORMATS}"
    raise InputError(f"{file} is no data that can be read. {advice} with --data.")


def _open_folder(root: Path, data: DataConfig) -> Source:
    """Open what a folder holds; class folders come before files that are beside them."""
    if idx_folder := find_idx_folder(root):
        _require_gray(data, ", but IDX images are gray. Set data.channels to 1, or give")
        return IdxFolder(idx_folder, data.image_size)
    if shards := list_files(root, ".parquet", depth=3):
        return ParquetFiles(root, by_split(shards, root), _image_format(data))
    tables = _find_tables(root, is_pixel_csv) or _find_tables(root, file_list.is_file_list)
    archives, subfolders = list_files(root, ".npz"), folders.subfolders(root)
    if has_classes := _are_class_folders(subfolders):
        _require_agreement(root, tables)
    if has_classes or (subfolders and not archives and not tables):
        return ClassFolders(root, _image_format(data), FASHION_MNIST if data.synthetic_per_class else ())
    if len(archives) + bool(tables) > 1:
        names = ", ".join(path.name for path in (*archives, *tables))
        raise InputError(f"{root} holds several datasets: {names}. Name one of these files with --data.")
    if archives:
        return NpzFile(archives[0], _image_format(data))
    if tables:
        return _open_tables(tables, data)
    raise InputError(f"{root} holds no data that can be read. Give {FORMATS} with --data.")


def _are_class_folders(subfolders: list[Path]) -> bool:
    """Return whether these are several class folders, or folders of splits of which one holds class folders."""
    splits = [folder for folder in subfolders if split_of_word(folder.name)]
    return any(map(folders.subfolders, splits)) if splits else len(subfolders) > 1


def _find_tables(folder: Path, fits: Callable[[list[str]], bool]) -> list[Path]:
    """List the CSV files of a folder whose header fits."""
    files = [path for path in list_files(folder, ".csv") if path.name not in NOT_TABLES]
    return [path for path in files if fits(file_list.read_header(path))]


def _open_tables(tables: list[Path], data: DataConfig) -> Source:
    files = one_file_each(tables, tables[0].parent)
    is_pixels = is_pixel_csv(file_list.read_header(tables[0]))
    return PixelCsv(files, _image_format(data)) if is_pixels else FileList(files, _image_format(data))


def _require_agreement(root: Path, tables: list[Path]) -> None:
    """Raise an InputError where a folder has class folders, and a table whose labels are not the names of these."""
    for table in tables:
        other = None
        with suppress(InputError):  # a table of something else
            other = FileList({"train": table}, ImageFormat(0)).first_in_other_folder()
        if other:
            raise InputError(
                f"{root} has several folders and a table, {table}, in which {other[0]} has the label {other[1]}. To "
                "use the table, name it with --data; to use the folders as classes, move the table out of them."
            )


def _image_format(data: DataConfig) -> ImageFormat:
    return ImageFormat(data.image_size, data.channels, data.resize_mode)


def _require_gray(data: DataConfig, advice: str) -> None:
    if data.channels != 1:
        raise SettingError(
            f"data.channels is {data.channels}, which needs photos{advice} a folder of photos for each class with "
            "--data FOLDER."
        )


def _root(data: DataConfig) -> Path:
    return Path(data.source or str(fashion_mnist.folder()))


def _cut_train(source: Source, data: DataConfig, seed: int) -> tuple[LazySplit, Indices, Indices]:
    """Return the train split, the indices of its training images and of those held out; no group is in both."""
    if not source.has_split("train"):
        raise InputError(f"{_root(data)} has no training images. {source.how_to_add('train')}.")
    part = open_part(source, data, "train")
    strata, limit = part.stratify_by, data.max_train_images
    train, held_out = np.arange(len(strata)), np.arange(0)
    if data.folds and not _has_validation(source, data):
        names = () if part.candidate_labels is not None else source.class_names
        train, held_out = folds.stratified_fold(strata, data.folds, data.fold, seed, part.groups, names)
    train, held_out = (indices[folds.balanced_subset(strata[indices], limit)] for indices in (train, held_out))
    return part, train, held_out


def _open_own_validation(source: Source, data: DataConfig) -> Split | None:
    if not _has_validation(source, data):
        return None
    part, indices = _validation_part(source, data)
    return part.load_split("validation", indices)


def _validation_part(source: Source, data: DataConfig) -> tuple[LazySplit, Indices]:
    part = open_part(source, data, "validation")
    return part, folds.balanced_subset(part.stratify_by, data.max_train_images)


def _has_validation(source: Source, data: DataConfig) -> bool:
    """Whether the source has a validation split that the recipe uses."""
    return data.use_val_split and source.has_split("validation")
