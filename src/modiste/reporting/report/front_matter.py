"""What a user writes for a report: `report.toml` with title, authors, course, abstract and conclusion."""

import difflib
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from modiste.errors import InputError

DEFAULT_FILE = Path("report.toml")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The plain texts of a user; the paragraphs of abstract and conclusion are separated by empty lines.

    Args:
        title: empty: one that names the data.
        authors: names, in order.
        course: or any other line below the authors.
    """

    title: str = ""
    authors: tuple[str, ...] = ()
    course: str = ""
    abstract: str = ""
    conclusion: str = ""


KEYS = tuple(field.name for field in fields(FrontMatter))


def read(path: Path | None = None) -> FrontMatter:
    """Read a file; without a path `report.toml` in the current folder, if there is one.

    Raises:
        InputError: the file cannot be read, or has a key or a value that no report has.
    """
    if path is None and not DEFAULT_FILE.is_file():
        return FrontMatter()
    path = path or DEFAULT_FILE
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}). It must be a TOML file with {', '.join(KEYS)}.") from error
    return FrontMatter(**{key: _parse(path, key, value) for key, value in content.items()})


def paragraphs(text: str) -> list[str]:
    """Split a text at its empty lines."""
    parts = (" ".join(part.split()) for part in text.replace("\r\n", "\n").split("\n\n"))
    return [part for part in parts if part]


def _parse(path: Path, key: str, value: Any) -> Any:
    """Return the value of a key; authors may be one name."""
    if key not in KEYS:
        nearest = difflib.get_close_matches(key, KEYS, 1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        raise InputError(f"{path} has the key {key!r}, but a report has {', '.join(KEYS)} only.{hint}")
    values = value if key == "authors" and isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in values):
        kind = "a text or a list of texts" if key == "authors" else "a text"
        raise InputError(f"{key} in {path} is {value!r}, but it must be {kind}, in quotation marks.")
    return tuple(values) if key == "authors" else value
