"""The file of `predict --out F.parquet`: its shards are in a folder beside it until all of them are there."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from modiste.errors import InputError
from modiste.inference import shards
from modiste.inference.model import Predictor
from modiste.inference.shards import Counts, Plan
from modiste.runs import files
from modiste.runs.storage import Storage

PLAN_KEY = b"modiste_plan"
"""Metadata key of a finished file: what `Plan.describe` returned when its predictions began."""


def shards_of(path: Path) -> Storage:
    """Return the folder beside a file that has its shards until it is finished."""
    return Storage(f"{path}.shards")


def missing_shards(path: Path, plan: Plan) -> list[int]:
    """Open a file for a plan; return the indices of the shards to predict: none where it is finished.

    Raises:
        InputError: the file is something else, or it or its shards are of other photos, of another model or `top`.
        OutputError: it cannot be written.
    """
    if path.exists():
        metadata = shards.open_parquet(str(path)).schema_arrow.metadata or {}
        if shards.METADATA_KEY not in metadata:
            raise InputError(f"{path} is not a file of predictions. Choose another --out.")
        shards.require_same_plan(str(path), metadata.get(PLAN_KEY, b""), plan.describe())
        if not shards_of(path).names():
            return []
    return shards.missing_shards(shards_of(path), plan)


def predict_to_file(
    path: Path, plan: Plan, missing: Iterable[int], predictor: Predictor, threads: int
) -> Iterator[int]:
    """Predict the missing shards, and write all rows to one Parquet file; yield the size of each shard.

    The shards are in a folder beside the file, which is removed at the end.

    Raises:
        InputError: as `shards.write_shard`.
        OutputError: the file cannot be written.
    """
    storage = shards_of(path)
    for index in missing:
        shards.write_shard(storage, index, plan.shards[index], predictor, plan.top, threads)
        yield plan.shards[index].size
    if storage.names():
        _join(path, storage, plan)


def _join(path: Path, storage: Storage, plan: Plan) -> None:
    from pyarrow import parquet

    schema = shards.schema(shards.read_counts(storage, plan), {PLAN_KEY: storage.read(shards.PLAN_FILE)})
    target = files.follow_link(path)
    with files.atomic_write(target) as partial, parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
        for index in range(len(plan.shards)):
            writer.write_table(parquet.read_table(storage.path(shards.shard_name(index))).cast(schema))
    storage.remove(storage.names()[::-1])  # the plan last: after a kill, shards without it would be refused
    Path(storage.url).rmdir()


def count_rows(path: Path) -> Counts:
    """Count the rows of a file that `predict_to_file` wrote."""
    return shards.counts_of(shards.open_parquet(str(path)))
