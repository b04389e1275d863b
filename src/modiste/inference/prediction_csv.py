"""Predictions as CSV for spreadsheets: a column for each class and probability, and no cell that becomes a formula.

A name with a line break or another control character, or that begins with a quotation mark, is written as a JSON
string: so each row is one line, and no two names are equal. Spreadsheets take a file for UTF-8 if it begins with a byte
order mark. `web/static/csv.js` writes the same in JavaScript.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modiste.csv_cells import escape_formula, unescape_formula
from modiste.inference.prediction import escape_json, printable

BOM = "\ufeff"
"""Byte order mark."""


def columns(top: int) -> tuple[str, ...]:
    """Return the names of the columns, with `top` classes in each row."""
    classes = [f"{name}_{rank}" for rank in range(1, top + 1) for name in ("label", "probability")]
    return ("file", "label", "probability", *classes, "model", "error")


def format_header(top: int) -> str:
    """Return the first line."""
    return _format_line(columns(top))


def format_row(record: Mapping[str, Any], top: int) -> str:
    """Return the line of a record, as `Prediction.as_dict` returns it; classes that it lacks are empty cells."""
    classes = [(each["label"], _format_probability(each["probability"])) for each in record["top"][:top]]
    classes += [("", "")] * (top - len(classes))
    first = (_escape_name(record["file"]), record["label"] or "", _format_probability(record["probability"]))
    return _format_line((*first, *sum(classes, ()), record["model"], record["error"] or ""))


def parse_header(line: str) -> tuple[str, ...]:
    """Return the columns of a first line; raises ValueError unless `format_header` wrote it."""
    names = tuple(*csv.reader([line.removeprefix(BOM)], strict=True))
    if names != columns((len(names) - len(columns(0))) // 2):
        raise ValueError("not a header of predictions")
    return names


def parse_row(line: str, names: Sequence[str]) -> dict[str, str]:
    """Return the cells of a line by their columns, as `format_row` got them; raises ValueError."""
    (cells,) = csv.reader([line], strict=True)
    row = dict(zip(names, map(unescape_formula, cells), strict=True))
    return row | {"file": json.loads(row["file"])} if row["file"].startswith('"') else row


def _escape_name(name: str) -> str:
    is_plain = printable(name) == name and not name.startswith('"')
    return name if is_plain else escape_json(json.dumps(name, ensure_ascii=False))


def _format_probability(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _format_line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(escape_formula, cells))
    return text.getvalue()
