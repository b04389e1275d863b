"""The texts of the report in one language, from a TOML file per language."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

from markupsafe import Markup

from modiste.errors import SettingError
from modiste.metrics.intervals import Interval
from modiste.reporting import formatting
from modiste.reporting.report.document import Block, Section

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Texts:
    """All texts of one language.

    Args:
        lang: language code.
        texts: section -> key -> markup with {placeholders}.
        terms: English class name or text of a figure -> translation.
    """

    lang: str
    texts: dict[str, dict[str, str]]
    terms: dict[str, str]

    def get(self, key: str, **values: object) -> Markup:
        """Return the text `section.key` with its placeholders filled in; values that are not markup are escaped."""
        section, name = key.split(".", 1)
        return Markup(self.texts[section][name]).format(**values)  # noqa: S704 -- a text of this package, no input

    def titles(self, section: str, keys: str) -> list[Markup]:
        """Return the texts of a section with these keys, which spaces separate."""
        return [self.get(f"{section}.{key}") for key in keys.split()]

    def section(self, key: str, blocks: Sequence[Block]) -> Section:
        """Return a section with its title."""
        return Section(key, self.get(f"{key}.title"), blocks)

    def translate(self, english: str) -> str:
        """Translate a class name or a text of a figure; without a translation it stays English."""
        return self.terms.get(english, english)

    def interval(self, interval: Interval | None, is_approximate: bool = False) -> str:
        """Format an interval of fractions in percent, marked where it is approximate."""
        text = formatting.format_interval(interval, self.translate("to"))
        return self.get("results.approximate", interval=text) if interval and is_approximate else text

    def join(self, names: Iterable[str]) -> str:
        """Join names to a list."""
        return self.translate(", ").join(names)


def read(lang: str) -> Texts:
    """Read the texts of a language; raises SettingError if there are none."""
    if lang not in LANGUAGES:
        raise SettingError(f"lang is {lang!r}, but it must be one of {', '.join(LANGUAGES)}.")
    content = tomllib.loads(read_text(f"{lang}.toml"))
    return Texts(lang, content, content["terms"])


def read_text(name: str) -> str:
    """Read a text file of this package."""
    return (resources.files("modiste") / "reporting" / "report" / name).read_text(encoding="utf-8")
