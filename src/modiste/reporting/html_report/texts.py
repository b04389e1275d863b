"""The texts of the report in one language, from a TOML file per language."""

import tomllib
from dataclasses import dataclass

from modiste.errors import SettingError
from modiste.reporting.html_report.render import Markup, read_text

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Texts:
    """All texts of one language.

    Args:
        lang: language code of the HTML page.
        texts: section -> key -> markup with {placeholders}.
        terms: English class name or text of a figure -> translation.
    """

    lang: str
    texts: dict[str, dict[str, str]]
    terms: dict[str, str]

    def get(self, key: str, **values: object) -> Markup:
        """Return the text `section.key` with its placeholders filled in; values that are not markup are escaped."""
        section, name = key.split(".")
        return Markup(self.texts[section][name]).format(**values)

    def translate(self, english: str) -> str:
        """Translate a class name or a text of a figure; without a translation it stays English."""
        return self.terms.get(english, english)


def read(lang: str) -> Texts:
    """Read the texts of a language; raises SettingError if there are none."""
    if lang not in LANGUAGES:
        raise SettingError(f"lang is {lang!r}, but it must be one of {', '.join(LANGUAGES)}.")
    content = tomllib.loads(read_text(f"{lang}.toml"))
    return Texts(lang, content, content["terms"])
