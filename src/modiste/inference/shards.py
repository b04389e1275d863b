"""Predictions of many photos as Parquet, in shards: each is predicted and written as a whole, once.

So a command that is stopped is repeated from the first shard that is not there, on this machine or on a cluster, and
each photo has exactly one row. A photo that cannot be used is a row with the reason.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modiste.data import parquet as parquet_files
from modiste.errors import InputError
from modiste.imaging.preprocess import NamedPhoto, PhotoInput
from modiste.inference.model import Predictor
from modiste.inference.prediction import printable
from modiste.inference.predictions_file import identify_photo
from modiste.runs import files
from modiste.runs.storage import Storage, is_url

if TYPE_CHECKING:
    import pyarrow as pa

PLAN_FILE = "_plan.json"  # readers of Parquet folders ignore names with an underscore
METADATA_KEY = b"modiste"

MIN_SHARD, MAX_SHARDS = 500, 10_000
"""Photos of a shard, and number of shards: a shard is lost at most when a command is stopped."""

READ_BATCH = 64
"""Photos of a Parquet file that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class Photos:
    """A shard of photos by name: paths, URLs, or images with any name."""

    photos: tuple[NamedPhoto, ...]

    @property
    def size(self) -> int:
        """Number of photos."""
        return len(self.photos)

    def read(self) -> Iterator[tuple[str, PhotoInput | InputError]]:
        """Yield name and photo, or why it cannot be read."""
        for name, photo in self.photos:
            yield name, _read_url(photo) if isinstance(photo, str) and is_url(photo) else photo


@dataclass(frozen=True, slots=True)
class ParquetRows:
    """A shard of the rows of a Parquet file, whose column has the bytes of photos."""

    url: str
    column: str
    first: int
    count: int

    @property
    def size(self) -> int:
        """Number of photos."""
        return self.count

    def read(self) -> Iterator[tuple[str, PhotoInput | InputError]]:
        """Yield FILE#ROW and photo, or why there is none."""
        end = self.first + self.count
        for row, value in _read_column(open_parquet(self.url), self.column, self.first, end):
            content = value.get("bytes") if isinstance(value, dict) else value
            name = f"{self.url}#{row}"
            yield name, InputError(f"{name} has no photo. Write the file again.") if content is None else content


Shard = Photos | ParquetRows


@dataclass(frozen=True, slots=True)
class Plan:
    """What is predicted.

    Args:
        shards: in order.
        model_sha256: of the predictor.
        top: number of classes in each row.
    """

    shards: tuple[Shard, ...]
    model_sha256: str
    top: int

    def describe(self) -> bytes:
        """Return the content of `PLAN_FILE`, which must be equal for the shards of an earlier command to be used."""
        digest = hashlib.sha256()
        for shard in self.shards:
            digest.update(to_json(shard).encode())
            for name, _ in shard.photos if isinstance(shard, Photos) else ():
                digest.update(json.dumps(identify_photo(name)[1:]).encode())
        plan = {"model": self.model_sha256, "top": self.top, "shards": len(self.shards), "sha256": digest.hexdigest()}
        return json.dumps(plan).encode()


@dataclass(frozen=True, slots=True)
class Counts:
    """Number of rows, and of those with an error."""

    rows: int = 0
    failed: int = 0


def to_json(shard: Shard) -> str:
    """Return a shard as JSON, with the names of photos only."""
    if isinstance(shard, Photos):
        return json.dumps([name for name, _ in shard.photos])
    return json.dumps({name: getattr(shard, name) for name in ("url", "column", "first", "count")})


def from_json(text: str) -> Shard:
    """Return a shard of photos that are named by their paths or URLs, or of Parquet rows."""
    value = json.loads(text)
    return Photos(tuple((name, name) for name in value)) if isinstance(value, list) else ParquetRows(**value)


def cut_photos(photos: Sequence[NamedPhoto]) -> tuple[Shard, ...]:
    """Cut photos into shards."""
    size = _shard_size(len(photos))
    return tuple(Photos(tuple(photos[start : start + size])) for start in range(0, len(photos), size))


def cut_parquet(urls: Sequence[str]) -> tuple[Shard, ...]:
    """Cut the rows of Parquet files into shards; raises InputError for a file without a column of photos."""
    opened = [(url, open_parquet(url)) for url in urls]
    counts = [(url, parquet_files.find_photo_column(url, file), file.metadata.num_rows) for url, file in opened]
    size = _shard_size(sum(rows for _, _, rows in counts))
    return tuple(
        ParquetRows(url, column, first, min(size, rows - first))
        for url, column, rows in counts
        for first in range(0, rows, size)
    )


def _shard_size(photos: int) -> int:
    return max(MIN_SHARD, -(-photos // MAX_SHARDS))


def missing_shards(storage: Storage, plan: Plan) -> list[int]:
    """Open the output for a plan; return the indices of the shards that it lacks.

    Raises:
        InputError: the output is of other photos, of another model or `top`, or of something else.
        OutputError: it cannot be written.
    """
    names = {name for name in storage.names() if not name.startswith(".")}
    description = plan.describe()
    if PLAN_FILE in names:
        if storage.read(PLAN_FILE) != description:
            raise InputError(
                f"{storage.url} has predictions of other photos, of another model, or with another --top. Choose "
                "another --out, or remove it."
            )
    elif names:
        raise InputError(f"{storage.url} has other files. Choose another --out.")
    else:
        storage.write(PLAN_FILE, description)
    return [index for index in range(len(plan.shards)) if shard_name(index) not in names]


def shard_name(index: int) -> str:
    """Return the name of the file of a shard."""
    return f"part-{index:05}.parquet"


def write_shard(storage: Storage, index: int, shard: Shard, predictor: Predictor, top: int, threads: int) -> Counts:
    """Predict a shard and write its file.

    Raises:
        InputError: the model fails, or photos cannot be read since their storage fails.
        OutputError: the file cannot be written.
    """
    from pyarrow import parquet

    table, counts = predict_shard(shard, predictor, top, threads)
    content = io.BytesIO()
    parquet.write_table(table, content, compression="zstd")
    storage.write(shard_name(index), content.getvalue())
    return counts


def predict_shard(shard: Shard, predictor: Predictor, top: int, threads: int) -> "tuple[pa.Table, Counts]":
    """Return a table with a row for each photo of a shard, in its order, and how many rows have an error."""
    import pyarrow as pa

    names: list[str] = []
    errors: dict[int, str] = {}

    def photos() -> Iterator[PhotoInput]:
        for name, photo in shard.read():
            if isinstance(photo, InputError):
                errors[len(names)] = printable(str(photo))
            names.append(name)
            yield b"" if isinstance(photo, InputError) else photo

    records = []
    for index, prediction in enumerate(predictor.stream(photos(), top, threads)):
        error = errors.get(index, prediction.error)
        records.append(prediction.as_dict() | {"file": printable(names[index]), "error": error})
    counts = Counts(len(records), sum(record["error"] is not None for record in records))
    return pa.Table.from_pylist(records, _schema(counts)), counts


def _schema(counts: Counts) -> "pa.Schema":
    import pyarrow as pa

    top = pa.list_(pa.struct([("label", pa.string()), ("probability", pa.float64())]))
    types = {"file": pa.string(), "label": pa.string(), "probability": pa.float64(), "top": top}
    metadata = {METADATA_KEY: json.dumps([counts.rows, counts.failed])}
    return pa.schema({**types, "model": pa.string(), "error": pa.string()}, metadata)


def read_counts(storage: Storage, plan: Plan) -> Counts:
    """Count the rows of all shards."""
    each = [_counts_of(open_parquet(storage.path(shard_name(index)))) for index in range(len(plan.shards))]
    return Counts(sum(counts.rows for counts in each), sum(counts.failed for counts in each))


def predict_to_file(path: Path, plan: Plan, predictor: Predictor, threads: int) -> Iterator[int]:
    """Predict what an earlier command has not, and write all rows to one Parquet file; yield the sizes of its shards.

    The shards are in a folder beside the file, which is removed at the end.

    Raises:
        InputError: the file is something else, or as `write_shard`.
        OutputError: it cannot be written.
    """
    require_own_file(path)
    storage = Storage(f"{path}.shards")
    missing = missing_shards(storage, plan)
    for index, shard in enumerate(plan.shards):
        if index in missing:
            write_shard(storage, index, shard, predictor, plan.top, threads)
        yield shard.size
    _join(path, storage, plan)


def _join(path: Path, storage: Storage, plan: Plan) -> None:
    from pyarrow import parquet

    schema = _schema(read_counts(storage, plan))
    target = files.follow_link(path)
    with files.atomic_write(target) as partial, parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
        for index in range(len(plan.shards)):
            writer.write_table(parquet.read_table(storage.path(shard_name(index))).cast(schema))
    storage.remove(storage.names())
    Path(storage.url).rmdir()


def require_own_file(path: Path) -> None:
    """Raise an InputError for a file that exists and has no predictions."""
    if path.exists() and METADATA_KEY not in (open_parquet(str(path)).schema_arrow.metadata or {}):
        raise InputError(f"{path} is not a file of predictions. Choose another --out.")


def count_file(path: Path) -> Counts:
    """Count the rows of a file that `predict_to_file` wrote."""
    return _counts_of(open_parquet(str(path)))


def _counts_of(file: Any) -> Counts:
    return Counts(*json.loads(file.schema_arrow.metadata[METADATA_KEY]))


def open_parquet(url: str) -> Any:
    """Open a Parquet file, or a URL that fsspec opens; raises InputError if it is missing or is not Parquet."""
    if not is_url(url):
        return parquet_files.open_file(Path(url))
    folder, _, name = url.rpartition("/")
    return parquet_files.open_file(Storage(folder).open(name), url)


def _read_url(url: str) -> PhotoInput | InputError:
    folder, _, name = url.rpartition("/")
    try:
        return Storage(folder).read(name)
    except FileNotFoundError:
        return InputError(f"{url} does not exist. Was it removed?")


def _read_column(file: Any, column: str, first: int, end: int) -> Iterable[tuple[int, Any]]:
    """Yield index and value of the rows of a column from `first` to before `end`."""
    row, groups = 0, []
    for group in range(file.metadata.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if row < end and row + rows > first:
            groups.append((group, row))
        row += rows
    index = groups[0][1] if groups else 0
    for batch in file.iter_batches(READ_BATCH, [group for group, _ in groups], [column]):
        for value in batch.column(0):
            if first <= index < end:
                yield index, value.as_py()
            index += 1
