"""The style of all figures, and how they are created and saved, without pyplot and its global state."""

import io
import logging
import re
import warnings
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator

from modiste.runs import files

# it warns about system fonts without a bold face; the regular face is used instead
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

BLUE, VERMILLION, GRAY = "#0072B2", "#D55E00", "#7F7F7F"
PALETTE = (BLUE, VERMILLION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", GRAY)
"""The first six are those of Okabe and Ito (2008), distinguishable with any color vision, on light and dark pages."""

INK, LINE, PAPER = "#1d2128", "#d5d9e0", "#fefefe"
SVG_COLORS = {INK: "currentColor", LINE: "var(--line)", PAPER: "var(--paper)"}

WIDTH = 5.0
"""Inches; 360 points, the width of a phone screen, so that text is readable there."""

PAGE_WIDTH = 7.0
"""Inches; the text of an A4 page with margins of 16 mm is that wide."""

CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei",
    "SimHei", "WenQuanYi Micro Hei", "Noto Sans CJK JP", "Droid Sans Fallback",
)  # fmt: skip
"""Fonts of Linux, macOS and Windows with the Chinese characters that DejaVu Sans lacks."""

STYLE: Any = {  # Any: matplotlib types the keys as a list of 300 literals
    "font.family": ["DejaVu Sans", *(font for font in CHINESE_FONTS if font in fontManager.get_font_names())],
    "text.parse_math": False,  # dollar signs in names are text
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.6,
    **dict.fromkeys(("axes.edgecolor", "grid.color"), LINE),
    **dict.fromkeys(("axes.labelcolor", "axes.titlecolor", "text.color", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor"), PAPER),
    **dict.fromkeys(("xtick.major.size", "ytick.major.size"), 0),
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",  # text stays text, drawn with the reader's fonts, Chinese included
    "svg.hashsalt": "modiste",  # the same figure gives the same file
}

with_style = mpl.rc_context(STYLE)
"""Decorator: applies the style while the decorated function draws or saves, and nowhere else in the process."""


@with_style
def create_axes(
    rows: int = 1, columns: int = 1, height: float = 3.2, width: float = WIDTH, gap: float = 0.02
) -> tuple[Figure, list[Axes]]:
    """Create an empty figure and its axes, row by row; sizes in inches, gap as a fraction of the height of a row."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(hspace=gap))
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def save(figure: Figure, path: Path, software: str | None = None) -> None:
    """Write a figure as PNG, SVG or PDF atomically; raises OutputError when it cannot be written.

    Args:
        figure: of `create_axes`.
        path: whose suffix is the format.
        software: name of the program in the metadata; None for Matplotlib and its version.
    """
    kind = path.suffix.removeprefix(".")
    metadata: dict[str, str | None] = {} if kind == "png" else {"Date" if kind == "svg" else "CreationDate": None}
    if software:
        metadata["Software" if kind == "png" else "Creator"] = software
    files.write_bytes(path, _render(figure, format=kind, dpi=200, metadata=metadata))


def translate(figure: Figure, translations: Mapping[str, str]) -> None:
    """Replace the texts of a figure, those of fixed ticks included; only complete lines of a text are replaced.

    Args:
        figure: of `create_axes`.
        translations: English text -> translation.
    """
    for text in figure.findobj(Text):
        lines = text.get_text().split("\n")
        text.set_text("\n".join(translations.get(line, line) for line in lines))
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            if isinstance(axis.get_major_locator(), FixedLocator):  # a name for each tick
                axis.set_ticklabels([translations.get(name, name) for name in _names(axis)])


def _names(axis: Axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


def has_chinese_font() -> bool:
    """Return whether a font with Chinese characters is installed, of those that are known here."""
    return len(STYLE["font.family"]) > 1


def to_svg(figure: Figure, title: str, as_paths: bool = False) -> str:
    """Return a figure as an SVG element for a page whose CSS defines `--line` and `--paper`.

    Args:
        figure: of `create_axes`.
        title: text for screen readers; ids in the SVG begin with it, so it has to be unique on the page.
        as_paths: whether letters are drawn, for formulas, whose fonts no reader has.
    """
    options = {"transparent": True, "metadata": {"Date": None, "Creator": None}}
    text = (_render_paths if as_paths else _render)(figure, format="svg", **options).decode()
    prefix = re.sub(r"\W+", "-", title)
    for pattern, replacement in (
        (r"^.*?(?=<svg)|<metadata>.*?</metadata>\s*|<!--.*?-->\s*", ""),
        (r"font: ([^;']*?)'DejaVu Sans'[^;\"]*", r"font: \1inherit"),
        (r"(\bid=\"|url\(#|href=\"#)", rf"\1{prefix}-"),
        (r"(<svg[^>]*?) width=\"[\d.]+pt\" height=\"[\d.]+pt\"", r"\1"),
        *SVG_COLORS.items(),
    ):
        text = re.sub(pattern, replacement, text, flags=re.DOTALL)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


def to_svg_of_paths(figure: Figure) -> bytes:
    """Return a figure as an SVG file that needs no font, in the colors of paper."""
    return _render_paths(figure, format="svg", metadata={"Date": None})


@with_style
def _render(figure: Figure, **options: Any) -> bytes:  # Any: as matplotlib types them
    return _save(figure, **options)


@with_style
def _render_paths(figure: Figure, **options: Any) -> bytes:
    with mpl.rc_context({"svg.fonttype": "path"}):
        return _save(figure, **options)


def _save(figure: Figure, **options: Any) -> bytes:
    content = io.BytesIO()
    with warnings.catch_warnings():  # browsers have fonts for characters that no font here has
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        figure.savefig(content, **options)
    return content.getvalue()
