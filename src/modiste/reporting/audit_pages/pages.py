"""The pages of an audit: each one HTML file without external resources, in the style of the report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

import modiste
from modiste.imaging.thumbnails import thumbnail_url
from modiste.reporting import formatting
from modiste.reporting.report import texts
from modiste.runs import files

ENVIRONMENT = Environment(
    loader=ChoiceLoader(
        [PackageLoader("modiste", f"reporting/{page}/templates") for page in ("audit_pages", "report")]
    ),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""It escapes everything that a template inserts, unless it is `Markup` or marked as safe."""

SIDE = 96
"""Pixels a side of a photo in a page."""

SUBSETS = ("all", "without_suspects", "without_duplicates", "without_both")


@dataclass(frozen=True, slots=True)
class SuspectCard:
    """An image whose label is probably wrong, with the probabilities of its label and of the suggested one."""

    url: str
    name: str
    label: str
    label_probability: float
    suggested: str
    suggested_probability: float


@dataclass(frozen=True, slots=True)
class DuplicateCard:
    """Two images that are near-duplicates; `flipped`: one is like the mirror image of the other."""

    urls: tuple[str, str]
    names: tuple[str, str]
    labels: tuple[str, str]
    similarity: float
    flipped: bool


@dataclass(frozen=True, slots=True)
class VerdictCard:
    """An image that waits for a verdict on its label."""

    url: str
    name: str
    label: str


def image_url(image: NDArray[np.uint8]) -> str:
    """Return an image, uint8 [s, s] or [s, s, 3], as the data URL of a small file."""
    return thumbnail_url(image, SIDE)


def write_gallery(
    path: Path,
    summary: Mapping[str, Any],
    suspects: Mapping[str, Sequence[SuspectCard]],
    duplicates: Sequence[DuplicateCard],
) -> None:
    """Write the gallery: what was found, suspects of each split, and near-duplicates side by side.

    Args:
        path: of the HTML file.
        summary: `splits`, `duplicates` and `accuracies`, as in audit.json.
        suspects: the cards of each split, the most suspect first.
        duplicates: the pairs.
    """
    rows = [[row["method"], *(_format_score(row[subset]) for subset in SUBSETS)] for row in summary["accuracies"]]
    _write(path, "gallery.html", summary=summary, suspects=suspects, duplicates=duplicates, accuracies=rows)


def write_verdict_page(path: Path, split: str, cards: Sequence[VerdictCard], verdicts: Sequence[str]) -> None:
    """Write the page that asks for a verdict on each card, and saves the verdicts as a file."""
    names = json.dumps([card.name for card in cards]).replace("<", "\\u003c")  # so that no name ends the script
    script = _read_text("verdicts.js")
    _write(path, "verdicts.html", split=split, cards=cards, verdicts=verdicts, script=script, names=names)


def _format_score(score: Mapping[str, Any] | None) -> str:
    if score is None:
        return "-"
    interval = formatting.format_interval(score["interval_images"])
    mark = formatting.format_approximate(score["is_interval_approximate"])
    return f"{formatting.format_percent(score['accuracy'])} ({interval}){mark}, n = {score['n']:,}"


def _write(path: Path, template: str, **values: Any) -> None:
    style = texts.read_text("style.css") + _read_text("audit.css")
    html = ENVIRONMENT.get_template(template).render(style=style, version=modiste.__version__, **values)
    files.write_text(path, html)


def _read_text(name: str) -> str:
    """Read a text file of this package."""
    return (resources.files("modiste") / "reporting" / "audit_pages" / name).read_text(encoding="utf-8")
