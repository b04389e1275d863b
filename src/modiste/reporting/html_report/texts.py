"""The texts of the report in one language, from a TOML file per language."""

import tomllib
from dataclasses import dataclass
from typing import Any

from modiste.errors import SettingError
from modiste.reporting.html_report.render import Markup, read_text

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Texts:
    """All texts of one language.

    Args:
        lang: language code of the HTML page.
        texts: key with dots -> markup with {placeholders}.
        terms: English class name or text of a figure -> translation.
    """

    lang: str
    texts: dict[str, str]
    terms: dict[str, str]

    def get(self, key: str, **values: object) -> Markup:
        """Return a text with its placeholders filled in; values that are not markup are escaped."""
        return Markup(self.texts[key]).format(**values)

    def translate(self, english: str) -> str:
        """Translate a class name or a text of a figure; without a translation it stays English."""
        return self.terms.get(english, english)


def read(lang: str) -> Texts:
    """Read the texts of a language; raises SettingError if there are none."""
    if lang not in LANGUAGES:
        raise SettingError(f"lang is {lang!r}, but it must be one of {', '.join(LANGUAGES)}.")
    content = tomllib.loads(read_text(f"{lang}.toml"))
    terms = content.pop("terms", {})
    return Texts(lang, dict(_flatten(content)), terms)


def _flatten(content: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in content.items():
        pairs += _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value.strip())]
    return pairs
