"""Parquet files as Hugging Face's `datasets` writes them: columns of photos and of labels, in one or more shards."""

import bisect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate, chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from modiste.data.annotations import LABELS_FILE
from modiste.data.arrays import ImageFormat
from modiste.data.class_values import as_values, classes_of, names_of, to_labels
from modiste.data.file_list import require_inside
from modiste.data.lazy_split import LazySplit, first_split
from modiste.data.packing import require_plausible
from modiste.data.photo_loader import load_photos
from modiste.data.split import index_names
from modiste.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

LABEL_COLUMNS = ("label", "labels", "class", "category", "target", "fine_label")
"""Columns of labels where the schema does not name one."""

BATCH_ROWS = 16
"""Rows that are read before their size is checked."""

ADVICE = "Hugging Face's datasets writes such files with to_parquet."


class Schema(NamedTuple):
    """What the columns of a file mean.

    Args:
        image: column of photos: files as bytes, or structs of bytes and path.
        label: column of labels: numbers or text.
        names: class of each number, where the schema has them; else empty.
    """

    image: str
    label: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class ParquetFiles:
    """Photos in Parquet files, as a `Source`.

    Args:
        folder: what `--data` names, or the folder of the file that it names.
        files: the shards of each split.
        image_format: the images that the photos become.
    """

    folder: Path
    files: Mapping[str, list[Path]]
    image_format: ImageFormat
    has_photos = True
    is_fashion_mnist = False

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The labels of train, or of the first split there is, by the names of the schema or of labels.json."""
        return names_of(self._classes, self.folder / LABELS_FILE, self._schema(first_split(self)).names)

    def has_split(self, name: str) -> bool:
        """Whether the split has a file."""
        return name in self.files

    def part(self, name: str) -> LazySplit:
        """Read the labels of a split; photos are read and decoded when images are loaded.

        Raises:
            InputError: a file cannot be read or has no such columns, or a label is none of train.
        """
        labels = to_labels(np.array(self._values(name)), self._classes, f"The labels of {self._place(name)}")
        photos = _Photos(self.files[name], self._schema(name).image, name)
        names = index_names(name, len(labels))
        load = partial(load_photos, photos.read, names, self.image_format)
        return LazySplit(labels, load, names, photo=photos.read)

    def read_files(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Read the files of a split and labels.json as stored."""
        yield from ((f"shard {index}", file.read_bytes()) for index, file in enumerate(self.files[name]))
        if (file := self.folder / LABELS_FILE).is_file():
            yield file.name, file.read_bytes()

    def how_to_add(self, split: str) -> str:
        """Return how the files of a split are called."""
        return f"Put a file {split}.parquet into {self.folder}"

    def _place(self, split: str) -> Path:
        return self.files[split][0]

    @cached_property
    def _classes(self) -> list[Any]:
        split = first_split(self)
        classes = classes_of(np.array(self._values(split)), f"The labels of {self._place(split)}")
        names = self._schema(split).names
        if names and classes[-1] >= len(names):
            raise InputError(
                f"{self._place(split)} has the label {classes[-1]}, but its schema names {len(names)} classes. {ADVICE}"
            )
        return classes

    def _schema(self, split: str) -> Schema:
        return read_schema(self._place(split))

    def _values(self, split: str) -> list[Any]:
        column = self._schema(split).label
        values = list(chain.from_iterable(_read_column(file, column).to_pylist() for file in self.files[split]))
        if None in values:
            row = values.index(None)
            raise InputError(
                f"{self._place(split)} has rows without a label, the first is {row} (from 0). Remove them."
            )
        if not values:
            raise InputError(f"{self._place(split)} has no rows. Name other data with --data.")
        return list(as_values(np.array(values), f"The labels of {self._place(split)}").tolist())


class _Photos:
    """The column of photos of several files, read when the first photo is asked for."""

    def __init__(self, files: list[Path], column: str, split: str) -> None:
        self.files, self.column, self.split = files, column, split

    @cached_property
    def columns(self) -> "list[pa.ChunkedArray]":
        """The photos of each file."""
        return [_read_column(file, self.column) for file in self.files]

    @cached_property
    def ends(self) -> list[int]:
        """The number of photos up to the end of each file."""
        return list(accumulate(len(column) for column in self.columns))

    def read(self, index: int) -> bytes | Path:
        """Return the bytes of a photo, or the path of its file where the table has no bytes."""
        shard = bisect.bisect_right(self.ends, index)
        value = self.columns[shard][index - (self.ends[shard - 1] if shard else 0)].as_py()
        if isinstance(value, dict):
            value = value.get("bytes") or (value.get("path") and self._resolve(shard, value["path"]))
        if not value:
            raise InputError(f"{self.split}#{index} in {self.files[shard]} has no photo. Write the file again.")
        return value  # type: ignore[no-any-return]

    def _resolve(self, shard: int, name: str) -> Path:
        file = self.files[shard]
        require_inside(file.parent, name, file)
        return file.parent / name


def read_schema(file: Path) -> Schema:
    """Find the columns of a file: by the features of Hugging Face in its metadata, else by type and name.

    Raises:
        InputError: the file cannot be read, or a column is missing or not unique.
    """
    schema = open_file(file).schema_arrow
    features = _features(schema)
    types = {name: features.get(name, {}).get("_type") for name in schema.names}
    images = _photo_columns(schema)
    labels = [name for name in types if types[name] == "ClassLabel"]
    labels = labels or [name for name in LABEL_COLUMNS if name in types][:1]
    for kind, columns in (("photos", images), ("labels", labels)):
        if len(columns) != 1:
            problem = f"{len(columns)} columns of {kind}: {', '.join(columns)}" if columns else f"no column of {kind}"
            raise InputError(f"{file} has {problem}; its columns are {', '.join(schema.names)}. Leave one. {ADVICE}")
    names = features.get(labels[0], {}).get("names")
    return Schema(images[0], labels[0], tuple(map(str, names)) if isinstance(names, list) else ())


def find_photo_column(url: str, file: Any) -> str:
    """Return the column of photos of an open file; raises InputError unless there is exactly one."""
    columns = _photo_columns(file.schema_arrow)
    if len(columns) != 1:
        raise InputError(f"{url} has {len(columns)} columns of photos, but it must have one, of bytes. {ADVICE}")
    return columns[0]


def _photo_columns(schema: "pa.Schema") -> list[str]:
    features = _features(schema)
    images = [name for name in schema.names if features.get(name, {}).get("_type") == "Image"]
    return images or [field.name for field in schema if _holds_photos(field.type)]


def _features(schema: "pa.Schema") -> dict[str, Any]:
    """Return the types that Hugging Face's datasets writes into the metadata; none without them, or if damaged."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}


def _holds_photos(column_type: "pa.DataType") -> bool:
    import pyarrow as pa

    if pa.types.is_struct(column_type):
        return any(field.name == "bytes" for field in column_type)
    return pa.types.is_binary(column_type) or pa.types.is_large_binary(column_type)  # type: ignore[no-any-return]


def _read_column(file: Path, column: str) -> "pa.ChunkedArray":
    parquet = open_file(file)
    if column not in parquet.schema_arrow.names:
        raise InputError(f"{file} has no column {column}, which other files of the data have. Write it again.")
    try:
        return _read_batches(parquet, column, file)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - pyarrow raises several types for damaged files
        raise InputError(f"{file} is damaged ({error}). Copy or download it again.") from None


def _read_batches(parquet: Any, column: str, file: Path) -> "pa.ChunkedArray":
    """Read a column in parts; raise an InputError once they are too large for the file, as those of a bomb are.

    The size in the metadata is of the encoded values, which a dictionary repeats without taking space.
    """
    import pyarrow as pa

    packed, unpacked, parts = file.stat().st_size, 0, []
    stored = sum(parquet.metadata.row_group(index).total_byte_size for index in range(parquet.num_row_groups))
    require_plausible(file, stored, packed)
    for batch in parquet.iter_batches(BATCH_ROWS, columns=[column]):
        unpacked += batch.nbytes
        require_plausible(file, unpacked, packed)
        parts.append(batch.column(0))
    return pa.chunked_array(parts, parquet.schema_arrow.field(column).type)


def open_file(file: Path | BinaryIO, name: str = "") -> Any:
    """Open a file as pyarrow's ParquetFile; raises InputError, with its name, if it is missing or is not Parquet."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        parquet = ParquetFile(file)
        _photo_columns(parquet.schema_arrow)  # raises an error where names are not text
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{name or file} cannot be read ({error}). Copy or download it again.") from None
    return parquet
