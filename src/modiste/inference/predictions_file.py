"""The file of `predict --out`: one row per photo, CSV or JSON lines, appended to while photos are predicted.

A line of JSON is a prediction record; CSV has the columns of `prediction_csv`. What a row was predicted from is stored
beside the file, in `labels.csv.state`: the first line has the SHA-256 of the model and `top`, then one line per row has
its `file` and the path, size and modification time of the photo. State is synced before its rows, so after a kill every
row has its state; state without a row is ignored. Rows may be deleted or sorted: a photo without a row is predicted
again.
"""

import csv
import json
import os
import shutil
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from modiste.errors import InputError, SettingError
from modiste.inference import prediction_csv
from modiste.inference.prediction import STDIN, Prediction, escape_json, printable
from modiste.runs import files
from modiste.runs.lock import lock

COLUMNS = ("file", "label", "probability", "top", "model", "error")


class PhotoId(NamedTuple):
    """Identity of a photo: path, size in bytes and modification time in ns; -1 where there is no such file.

    The path is absolute, with the links of its folders resolved, but not a link that is the photo itself.
    """

    path: str
    size: int = -1
    mtime_ns: int = -1


def identify_photo(name: str) -> PhotoId:
    """Return the identity of a photo by its path; FILE#7, an image in an IDX file, has the size and time of FILE."""
    path = STDIN if name == STDIN else str(Path(os.path.realpath(Path(name).parent), Path(name).name))
    return PhotoId(path, *size_and_time(name))


def size_and_time(name: str) -> tuple[int, int]:
    """Return size and modification time as in the identity of a photo, which takes longer."""
    for file in () if name == STDIN else (name, name.rpartition("#")[0] or name):
        with suppress(OSError):
            status = os.stat(file)  # noqa: PTH116 - a folder may have a million
            return status.st_size, status.st_mtime_ns
    return -1, -1


@contextmanager
def open_predictions(
    path: Path, model_sha256: str, top: int, names: Sequence[str], places: Iterable[str] = (), bom: bool = False
) -> Iterator["PredictionsFile"]:
    """Open a file of predictions to append to, locked until the block ends.

    An unfinished last line, rows with an error, rows of the given photos that are out of date (the photo, the model or
    `top` is another), and rows of photos in the places that were deleted or changed since are dropped.

    Args:
        path: of CSV if it ends in .csv, else of JSON Lines; a link is followed.
        model_sha256: of the predictor.
        top: number of classes per row.
        names: paths of the photos to predict, or `-` for standard input, which is predicted every time.
        places: folders and IDX files whose photos `names` lists. One that does not exist now, or that `names` lists
            itself since it has no photos now, is ignored: its disk may not be mounted.
        bom: begin a CSV file with a byte order mark.

    Raises:
        SettingError: the path is not a regular file.
        InputError: the file has other content, is locked by another process, or has rows of photos that are not given
            and that another model or `top` predicted.
        OutputError: the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise SettingError(f"--out is {path}, but it must be a regular file. Give another name.")
    with files.append_text(target):
        pass  # so that a path that cannot be written is an error before hours of work
    with lock(target):
        header = prediction_csv.format_header(top) if path.suffix.lower() == ".csv" else ""
        predictor = {"model": model_sha256, "top": top}
        yield PredictionsFile(target, (prediction_csv.BOM * bom + header) if header else "", predictor, names, places)


class PredictionsFile:
    """An open file of predictions.

    Attributes:
        missing: the names without a valid row, in order; a photo given under several names is listed once.
        rows: rows in the file.
        failed: rows with an error.
        replaced: rows that were dropped because they were out of date, and whose photos are predicted again.
        removed: rows that were dropped because the given places do not hold their photos any more.
    """

    def __init__(
        self, path: Path, header: str, predictor: dict[str, Any], names: Sequence[str], places: Iterable[str]
    ) -> None:
        self.path, self.header, self.top = path, header.encode(), int(predictor["top"])
        self.columns: tuple[str, ...] = ()  # of the CSV file as it is, whose rows may have another number of classes
        self.state, self.state_header = path.with_name(f"{path.name}.state"), json.dumps(predictor) + "\n"
        self.failed = self.replaced = self.removed = 0
        existing = [place for place in places if place not in names and identify_photo(place).size >= 0]
        self.places = {path for place in existing for path in (os.path.realpath(place), identify_photo(place).path)}
        requested: dict[PhotoId, str] = {}
        for name in names:
            requested.setdefault(identify_photo(name), name)
        rows = self._drop_outdated_rows(requested)
        self.rows = len(rows)
        for photo in {photo for _, photo in rows} - {PhotoId(STDIN)}:
            requested.pop(photo, None)
        self.missing, self._missing_ids = list(requested.values()), iter(requested)

    def append(self, predictions: Iterable[Prediction]) -> None:
        """Append a row for each of the next photos of `missing`, in order; raises OutputError when that fails."""
        records = [prediction.as_dict() for prediction in predictions]
        photos = [(record["file"], next(self._missing_ids)) for record in records]
        with files.append_text(self.state) as state:
            state.write("".join(map(_format_state, photos)))
        with files.append_text(self.path) as file:
            file.write("".join(map(self._format_row, records)))
        self.rows += len(records)
        self.failed += sum(bool(record["error"]) for record in records)

    def count_rows(self) -> int:
        """Return the number of complete rows in the file, also after an interrupted `append`."""
        return sum(1 for _ in self._read_records())

    def _drop_outdated_rows(self, requested: Collection[PhotoId]) -> list[tuple[str, PhotoId]]:
        """Write file and state without the rows that are out of date; return `file` and photo of the others."""
        rows: list[tuple[str, PhotoId]] = []
        paths, (stored, is_same_predictor) = {photo.path for photo in requested}, self._read_state()
        with files.atomic_write(self.path) as partial, partial.open("wb") as file:
            shutil.copymode(self.path, partial)
            file.write(self.header)
            for line, record in self._read_records():
                is_valid = is_same_predictor and bool(stored[record["file"]])
                photo = stored[record["file"]].popleft() if stored[record["file"]] else identify_photo(record["file"])
                is_requested = photo.path in paths
                if record["error"]:
                    continue
                if not is_requested and self._is_gone(photo):
                    self.removed += 1
                elif is_valid and (photo in requested or not is_requested):
                    rows.append((record["file"], photo))
                    file.write(line)
                elif is_requested:
                    self.replaced += 1
                else:
                    raise InputError(
                        f"{self.path} has a row for {printable(record['file'])}, which is not given now, from another "
                        "model or another --top. Give all its photos again, or choose another --out."
                    )
        files.write_text(self.state, self.state_header + "".join(map(_format_state, rows)))
        return rows

    def _is_gone(self, photo: PhotoId) -> bool:
        """Return whether a photo was in one of the given places, and was deleted or changed since."""
        folders = {photo.path.rpartition("#")[0], *map(str, Path(photo.path).parents)}
        return not folders.isdisjoint(self.places) and (photo.size < 0 or identify_photo(photo.path) != photo)

    def _read_state(self) -> tuple[defaultdict[str, deque[PhotoId]], bool]:
        """Return the photos of each `file`, in the order of their rows, and whether model and `top` are the same."""
        photos: defaultdict[str, deque[PhotoId]] = defaultdict(deque)
        lines = files.read_lines(self.state)
        header = next(lines, b"")
        # a line that was cut off by a kill, or changed
        with suppress(ValueError, TypeError, OverflowError, RecursionError):
            for file, path, size, mtime_ns in map(json.loads, lines):
                photos[file].append(PhotoId(str(path), int(size), int(mtime_ns)))
        return photos, header == self.state_header.encode()

    def _read_records(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Yield each row as bytes and as a record, without a last line that a killed process left unfinished."""
        bom = prediction_csv.BOM.encode()
        start = self.header.removeprefix(bom) or b'{"file": "'
        for index, read in enumerate(files.read_lines(self.path)):
            line = read if index else read.removeprefix(bom)
            is_ours = index > 0 or (self.state.exists() and start.startswith(line[: len(start)]))
            if is_ours and not line.endswith(b"\n") and len(line) < files.MAX_LINE_BYTES:
                return
            is_header = bool(self.header) and not index
            try:
                record = self._parse_header(line) if is_header else self._parse_row(line.decode("utf-8"))
            except (ValueError, KeyError, TypeError, RecursionError, csv.Error):
                record = {}
            if not isinstance(record.get("file"), str):
                raise InputError(f"{self.path} is not a file of predictions. Choose another --out.")
            if not is_header:
                yield line, record

    def _parse_header(self, line: bytes) -> dict[str, Any]:
        self.columns = prediction_csv.parse_header(line.decode("utf-8"))
        return dict(zip(self.columns, self.columns, strict=True))

    def _format_row(self, record: dict[str, Any]) -> str:
        return (
            prediction_csv.format_row(record, self.top)
            if self.header
            else escape_json(json.dumps(record, ensure_ascii=False)) + "\n"
        )

    def _parse_row(self, line: str) -> dict[str, Any]:
        if self.header:
            return dict(prediction_csv.parse_row(line, self.columns))
        record = json.loads(line)
        return {column: record[column] for column in COLUMNS}


def _format_state(row: tuple[str, PhotoId]) -> str:
    file, photo = row
    return json.dumps([file, *photo]) + "\n"
