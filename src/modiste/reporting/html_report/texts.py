"""The texts of the report in one language: a file a language beside this one."""

import tomllib
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

from modiste.errors import SettingError
from modiste.reporting.html_report.html import Html, safe

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Texts:
    """All texts of one language.

    Args:
        lang: its code, as HTML has it.
        known: dotted key -> markup with $names.
        words: English label or word of a figure -> that of the language.
    """

    lang: str
    known: dict[str, str]
    words: dict[str, str]

    def __call__(self, key: str, **values: object) -> Html:
        """Return a text with its values filled in; values that are no markup are escaped."""
        return Html(Template(self.known[key]).substitute({name: safe(value) for name, value in values.items()}))

    def word(self, english: str) -> str:
        """Say a label or a word of a figure; what has no translation stays English."""
        return self.words.get(english, english)


def read(lang: str) -> Texts:
    """Read the texts of a language; raises SettingError when there are none."""
    if lang not in LANGUAGES:
        raise SettingError(f"lang is {lang!r}, but it must be one of {', '.join(LANGUAGES)}.")
    content = tomllib.loads(beside(f"{lang}.toml"))
    words = content.pop("words", {})
    return Texts(lang, dict(_flat(content)), words)


def beside(name: str) -> str:
    """Read a file that lies beside this one."""
    return (resources.files("modiste") / "reporting" / "html_report" / name).read_text(encoding="utf-8")


def _flat(content: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in content.items():
        pairs += _flat(value, f"{above}{key}.") if isinstance(value, dict) else [(above + key, value.strip())]
    return pairs
