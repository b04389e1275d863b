"""Predictions of many photos as Parquet, in shards: each is predicted and written as a whole, once.

So a command that is stopped is repeated from the first shard that is not there, on this machine or on a cluster, and
each photo has exactly one row. A photo that cannot be used is a row with the reason. What is finished is neither
predicted again nor replaced by predictions of anything else.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modiste.data import parquet as parquet_files
from modiste.errors import InputError
from modiste.imaging.preprocess import NamedPhoto, PhotoInput
from modiste.inference.model import Predictor
from modiste.inference.prediction import printable
from modiste.inference.predictions_file import size_and_time
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
        """Return what must be equal for the predictions of an earlier command to be used.

        Files are compared by name, size and time, what is behind a URL by its name, standard input by its content.
        """
        digest = hashlib.sha256()
        for shard in self.shards:
            digest.update(to_json(shard).encode())
            for name, photo in shard.photos if isinstance(shard, Photos) else ((shard.url, None),):
                digest.update(str([*size_and_time(name)]).encode())
                digest.update(photo if isinstance(photo, bytes) else b"")
        plan = {"model": self.model_sha256, "top": self.top, "shards": len(self.shards), "sha256": digest.hexdigest()}
        return json.dumps(plan).encode()

    def count(self, indices: Iterable[int]) -> int:
        """Return the number of photos in these shards."""
        return sum(self.shards[index].size for index in indices)


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
        require_same_plan(storage.url, storage.read(PLAN_FILE), description)
    elif names:
        raise InputError(f"{storage.url} has other files. Choose another --out.")
    else:
        storage.write(PLAN_FILE, description)
    return [index for index in range(len(plan.shards)) if shard_name(index) not in names]


def require_same_plan(place: str, old: bytes, new: bytes) -> None:
    """Raise an InputError, which says how they differ, unless an output has the plan of this command."""
    if old == new:
        return
    try:
        before, now = dict(json.loads(old)), json.loads(new)
    except (ValueError, TypeError):
        before, now = {}, {}
    causes = {
        "model": "of another model",
        "top": f"with --top {before.get('top')}",
        "sha256": "of other photos, or of photos that have changed since",
    }
    different = " and ".join(cause for key, cause in causes.items() if before.get(key) != now.get(key))
    raise InputError(f"{place} has predictions {different or 'of a plan that cannot be read'}. Choose another --out.")


def finished_shards(storage: Storage, plan: Plan) -> list[int]:
    """Return the indices of the shards that an output has."""
    names = {*storage.names()}
    return [index for index in range(len(plan.shards)) if shard_name(index) in names]


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
        records.append(replace(prediction, file=names[index], error=error).as_dict())
    counts = Counts(len(records), sum(record["error"] is not None for record in records))
    return pa.Table.from_pylist(records, schema(counts)), counts


def schema(counts: Counts, metadata: Mapping[bytes, bytes] | None = None) -> "pa.Schema":
    """Return the columns of predictions, with the counts and more in the metadata."""
    import pyarrow as pa

    top = pa.list_(pa.struct([("label", pa.string()), ("probability", pa.float64())]))
    types = {"file": pa.string(), "label": pa.string(), "probability": pa.float64(), "top": top}
    own_metadata = {METADATA_KEY: json.dumps([counts.rows, counts.failed]).encode(), **(metadata or {})}
    return pa.schema({**types, "model": pa.string(), "error": pa.string()}, own_metadata)


def read_counts(storage: Storage, plan: Plan) -> Counts:
    """Count the rows of all shards."""
    each = [counts_of(open_parquet(storage.path(shard_name(index)))) for index in range(len(plan.shards))]
    return Counts(sum(counts.rows for counts in each), sum(counts.failed for counts in each))


def read_errors(url: str) -> Iterator[str]:
    """Yield why each photo of a file or shard could not be used."""
    file = open_parquet(url)
    for batch in file.iter_batches(columns=["error"]) if counts_of(file).failed else ():
        yield from filter(None, batch.column(0).to_pylist())


def counts_of(file: Any) -> Counts:
    """Return the counts in the metadata of an open file or shard."""
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
