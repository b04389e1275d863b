"""A file of predictions that grows: a line a picture, CSV or JSON, written as they come and gone on with later."""

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Self

from modiste.errors import InputError, SettingError
from modiste.inference.prediction import STDIN, Prediction, printable
from modiste.runs import files

COLUMNS = ("file", "label", "probability", "top", "model", "error")

OPENED, NEXT = b'{"file": "', b', "label": '
"""What a line of ours in JSON begins with, and what comes behind the name of the file."""

NAMED = re.compile(re.escape(OPENED) + rb'(?:[^"\\]|\\.)*(?:\\|"(.*))?', re.DOTALL)
"""Such a line, whole or cut off behind its first bytes, and what it has behind the name."""


class PredictionsFile:
    """The file of `predict --out`: what it holds is not predicted again, but for what could not be used.

    A context. A line that a killed process left unfinished is dropped when the file is opened, and so are those of
    pictures that could not be used: they may be whole by now. While it is open, no other command can open it, where the
    system has locks.

    Args:
        path: ends in .csv or .jsonl.
        models: names of the models that may write it; a file of another one is not gone on with.

    Raises:
        SettingError: the name ends otherwise.
        InputError: there is a file that holds something else, or predictions of another model, or that another command
            is writing.
        OutputError: the disk refuses.
    """

    def __init__(self, path: Path, models: Collection[str]) -> None:
        if path.suffix not in (".csv", ".jsonl"):
            raise SettingError(f"--out is {path}, but its name must end in .csv or .jsonl.")
        self.path, self.models = path, models
        self.rows = self.failed = 0
        self.seen: Counter[str] = Counter()
        with files.append_text(path):
            pass  # before hours of work: can it be written?
        self.lock = _locked(path)
        try:
            self.read()
            if self.failed:
                self._forget_failures()
            self.add([])
        except BaseException:
            self.lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.close()

    def read(self) -> None:
        """Count what the file holds."""
        self.rows = self.failed = 0
        self.seen.clear()
        for _, record in self._records():
            if record["model"] not in self.models:
                raise InputError(f"{self.path} holds predictions of the model {record['model']}. Choose another --out.")
            self._count(record)

    def missing(self, names: Iterable[str]) -> Iterator[str]:
        """Those of the pictures that have no line yet, in their order; what comes by standard input is always new."""
        told = Counter(self.seen)
        for name in names:
            if name != STDIN and told[printable(name)]:
                told[printable(name)] -= 1
            else:
                yield name

    def add(self, predictions: Iterable[Prediction]) -> None:
        """Append a line for each; raises OutputError when the disk refuses."""
        records = [prediction.as_dict() for prediction in predictions]
        with files.append_text(self.path) as file:
            if self.path.suffix == ".csv" and not file.tell():
                file.write(_csv(COLUMNS))
            file.write("".join(map(self._line, records)))
        for record in records:
            self._count(record)

    def _forget_failures(self) -> None:
        with files.atomic_write(self.path) as partial, partial.open("wb") as kept:
            if self.path.suffix == ".csv":
                kept.write(_csv(COLUMNS).encode())
            kept.writelines(line for line, record in self._records() if not record["error"])
        old, self.lock = self.lock, _locked(self.path)
        old.close()
        self.read()

    def _count(self, record: dict[str, Any]) -> None:
        self.rows += 1
        self.failed += bool(record["error"])
        self.seen[record["file"]] += 1

    def _line(self, record: dict[str, Any]) -> str:
        if self.path.suffix == ".jsonl":
            return json.dumps(record, ensure_ascii=False) + "\n"
        return _csv((record | {"top": json.dumps(record["top"], ensure_ascii=False)}).values())

    def _records(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """What the file holds already, line by line; cuts off what follows its last whole line."""
        whole = 0
        for line in files.lines(self.path):
            if not line.endswith(b"\n") and self._is_cut_off(line, not whole):
                os.truncate(self.path, whole)
                return
            is_head = not whole and self.path.suffix == ".csv"
            whole += len(line)
            try:
                record = self._parsed(line.decode("utf-8"))
            except (ValueError, KeyError, TypeError, RecursionError, csv.Error):
                record = {}
            if not record or (is_head and tuple(record.values()) != COLUMNS):
                raise InputError(f"{self.path} is no file of predictions. Choose another --out.")
            if not is_head:
                yield line, record

    def _is_cut_off(self, line: bytes, is_first: bool) -> bool:
        """Whether a line without its end is what a killed process left, and nothing of anybody else's."""
        if len(line) == files.LONGEST:
            return False
        if not is_first:
            return True
        if self.path.suffix == ".csv":
            return _csv(COLUMNS).encode().startswith(line)
        try:
            return set(COLUMNS) <= set(json.loads(line))
        except (ValueError, TypeError, RecursionError):
            named = NAMED.fullmatch(line)
            return NEXT.startswith((named[1] or b"")[: len(NEXT)]) if named else OPENED.startswith(line)

    def _parsed(self, line: str) -> dict[str, Any]:
        if self.path.suffix == ".jsonl":
            found = json.loads(line)
            return {column: found[column] for column in COLUMNS}
        (values,) = csv.reader([line], strict=True)
        return dict(zip(COLUMNS, values, strict=True))


def _locked(path: Path) -> IO[bytes]:
    """Open a file that nobody else may have open in this way; the system lets go of it when this process ends."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Choose another.") from None
    try:
        import fcntl  # not on every system

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise InputError(f"{path} is being written by another command. Wait for it, or choose another --out.") from None
    except (ImportError, OSError):
        pass  # neither has every file system
    return file


def _csv(values: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
