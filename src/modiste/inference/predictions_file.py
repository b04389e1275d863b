"""The file of `predict --out`: one row per photo, CSV or JSON lines, appended to while photos are predicted.

The columns are those of every prediction record. What a row was predicted from is stored beside the file, in
`labels.csv.state`: the first line has the SHA-256 of the model and `top`, then one line per row has its `file` and the
real path, size and modification time of the photo. State is synced before its rows, so after a kill every row has its
state; state without a row is ignored. Rows may be deleted or sorted: a photo without a row is predicted again.
"""

import csv
import io
import json
import os
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from modiste.errors import InputError, SettingError
from modiste.inference.prediction import STDIN, Prediction
from modiste.runs import files
from modiste.runs.lock import lock

COLUMNS = ("file", "label", "probability", "top", "model", "error")


class PhotoId(NamedTuple):
    """Identity of a photo: real path, size in bytes and modification time in ns; -1 where there is no such file."""

    path: str
    size: int = -1
    mtime_ns: int = -1


def identify_photo(name: str) -> PhotoId:
    """Return the identity of a photo by its path; FILE#7, an image in an IDX file, has the size and time of FILE."""
    if name == STDIN:
        return PhotoId(STDIN)
    for path in (name, name.rpartition("#")[0]):
        with suppress(OSError, ValueError):
            status = Path(path).stat()
            return PhotoId(os.path.realpath(name), status.st_size, status.st_mtime_ns)
    return PhotoId(os.path.realpath(name))


@contextmanager
def open_predictions(path: Path, model_sha256: str, top: int, names: Sequence[str]) -> Iterator["PredictionsFile"]:
    """Open a file of predictions to append to, locked until the block ends.

    An unfinished last line, rows with an error, and rows of the given photos that are out of date (the photo, the model
    or `top` is another) are dropped.

    Args:
        path: ends in .csv or .jsonl; a link is followed.
        model_sha256: of the predictor.
        top: number of classes per row.
        names: paths of the photos to predict, or `-` for standard input, which is predicted every time.

    Raises:
        SettingError: the path has another suffix, or is not a regular file.
        InputError: the file has other content, has rows of photos that are not given and that another model or `top`
            predicted, or is locked by another process.
        OutputError: the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    if path.suffix not in (".csv", ".jsonl") or (target.exists() and not target.is_file()):
        raise SettingError(f"--out is {path}, but it must be a regular file whose name ends in .csv or .jsonl.")
    with files.append_text(target):
        pass  # so that a path that cannot be written is an error before hours of work
    with lock(target):
        yield PredictionsFile(target, path.suffix == ".csv", {"model": model_sha256, "top": top}, names)


class PredictionsFile:
    """An open file of predictions.

    Attributes:
        missing: the names without a valid row, in order; a photo given under several names is listed once.
        rows: rows in the file.
        failed: rows with an error.
        replaced: rows that were dropped because they were out of date.
    """

    def __init__(self, path: Path, is_csv: bool, predictor: dict[str, Any], names: Sequence[str]) -> None:
        self.path, self.is_csv = path, is_csv
        self.state = path.with_name(f"{path.name}.state")
        self.header = json.dumps(predictor) + "\n"
        requested: dict[str, tuple[str, PhotoId]] = {}
        for name in names:
            photo = identify_photo(name)
            requested.setdefault(photo.path, (name, photo))
        photos, dropped = self._select_current_rows({path: photo for path, (_, photo) in requested.items()})
        self.rows, self.failed = len(photos), 0
        self._rewrite(photos, dropped)
        finished = {photo.path for _, photo in photos} - {STDIN}
        pending = [(name, photo) for name, photo in requested.values() if photo.path not in finished]
        self.missing = [name for name, _ in pending]
        self._next_photo = iter([photo for _, photo in pending])

    def append(self, predictions: Iterable[Prediction]) -> None:
        """Append a row for each of the next photos of `missing`, in order; raises OutputError when that fails."""
        records = [prediction.as_dict() for prediction in predictions]
        photos = [(record["file"], next(self._next_photo)) for record in records]
        with files.append_text(self.state) as state:
            state.write("".join(map(_format_state, photos)))
        with files.append_text(self.path) as file:
            file.write("".join(map(self._format_row, records)))
        self.rows += len(records)
        self.failed += sum(bool(record["error"]) for record in records)

    def count_rows(self) -> int:
        """Return the number of complete rows in the file, also after an interrupted `append`."""
        return sum(1 for _ in self._read_records())

    def _select_current_rows(self, requested: dict[str, PhotoId]) -> tuple[list[tuple[str, PhotoId]], set[int]]:
        """Return file and photo of the rows that are up to date, and the indices of those to drop."""
        photos: list[tuple[str, PhotoId]] = []
        dropped: set[int] = set()
        self.replaced = 0
        stored = self._read_state()
        for index, (_, record) in enumerate(self._read_records()):
            photo = stored[record["file"]].popleft() if stored[record["file"]] else None
            if photo and not record["error"] and requested.get(photo.path, photo) == photo:
                photos.append((record["file"], photo))
                continue
            if not (photo or record["error"] or identify_photo(record["file"]).path in requested):
                raise InputError(
                    f"{self.path} has a row for {record['file']}, which is not given now, from another model or "
                    "another --top. Give all its photos again, or choose another --out."
                )
            dropped.add(index)
            self.replaced += not record["error"]
        return photos, dropped

    def _rewrite(self, photos: list[tuple[str, PhotoId]], dropped: set[int]) -> None:
        """Write the file without the dropped rows, and the state of the others."""
        if dropped:
            with files.atomic_write(self.path) as partial, partial.open("wb") as file:
                file.write(_format_csv(COLUMNS).encode() if self.is_csv else b"")
                file.writelines(line for index, (line, _) in enumerate(self._read_records()) if index not in dropped)
        files.write_text(self.state, self.header + "".join(map(_format_state, photos)))
        with files.append_text(self.path) as file:
            file.write(_format_csv(COLUMNS) if self.is_csv and not file.tell() else "")

    def _read_state(self) -> defaultdict[str, deque[PhotoId]]:
        """Return the photos of each `file`, in the order of their rows; empty when the model or `top` is another."""
        photos: defaultdict[str, deque[PhotoId]] = defaultdict(deque)
        lines = files.read_lines(self.state)
        if next(lines, b"") != self.header.encode():
            return photos
        for line in lines:
            try:
                file, path, size, mtime_ns = json.loads(line)
            except (ValueError, TypeError):
                break  # cut off by a kill
            photos[file].append(PhotoId(path, size, mtime_ns))
        return photos

    def _read_records(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Yield each row as bytes and as a record; cut off an unfinished last line."""
        position = 0
        for line in files.read_lines(self.path):
            is_cut_off = not line.endswith(b"\n") and len(line) < files.MAX_LINE_BYTES
            if is_cut_off and (position or self._is_start_of_predictions(line)):
                os.truncate(self.path, position)  # left by a killed process
                return
            is_header = not position and self.is_csv
            position += len(line)
            try:
                record = self._parse_row(line.decode("utf-8"))
            except (ValueError, KeyError, TypeError, RecursionError, csv.Error):
                record = {}
            if not isinstance(record.get("file"), str) or (is_header and tuple(record.values()) != COLUMNS):
                raise InputError(f"{self.path} is not a file of predictions. Choose another --out.")
            if not is_header:
                yield line, record

    def _is_start_of_predictions(self, line: bytes) -> bool:
        """Whether a file that is a part of one line is ours, and not another file of that name."""
        start = _format_csv(COLUMNS).encode() if self.is_csv else b'{"file": "'
        return self.state.exists() and start.startswith(line[: len(start)])

    def _format_row(self, record: dict[str, Any]) -> str:
        if not self.is_csv:
            return json.dumps(record, ensure_ascii=False) + "\n"
        return _format_csv((record | {"top": json.dumps(record["top"], ensure_ascii=False)}).values())

    def _parse_row(self, line: str) -> dict[str, Any]:
        if not self.is_csv:
            record = json.loads(line)
            return {column: record[column] for column in COLUMNS}
        (values,) = csv.reader([line], strict=True)
        return dict(zip(COLUMNS, values, strict=True))


def _format_state(row: tuple[str, PhotoId]) -> str:
    file, photo = row
    return json.dumps([file, *photo]) + "\n"


def _format_csv(values: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
