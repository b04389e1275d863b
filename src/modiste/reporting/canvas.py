"""The style of all figures, and how they are created and saved.

Figures are created without pyplot, so there is no global state and no window. They are as wide as the screen of a
phone, so that their text is readable there. In SVG, text and axes take the colors of the page.
"""

import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.layout_engine import ConstrainedLayoutEngine

from modiste.runs import files

# it warns about system fonts without a bold face; the regular face is used instead
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

BLUE, VERMILLION, GRAY = "#0072B2", "#D55E00", "#7F7F7F"
PALETTE = (BLUE, VERMILLION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", GRAY)
"""The first six are those of Okabe and Ito (2008), distinguishable with any color vision, on light and dark pages."""

INK, LINE, PAPER = "#1d2128", "#d5d9e0", "#fefefe"
WIDTH = 5.0
"""Inches; 360 points, about the width of a phone screen."""

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
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "svg.fonttype": "none",  # text stays text, drawn with the reader's fonts, Chinese included
    "svg.hashsalt": "modiste",  # the same figure gives the same file
}

with_style = mpl.rc_context(STYLE)
"""Decorator: applies the style while the decorated function draws or saves, and nowhere else in the process."""


@with_style
def create_axes(
    rows: int = 1, columns: int = 1, height: float = 3.2, width: float = WIDTH, gap: float = 0.02
) -> tuple[Figure, list[Axes]]:
    """Create an empty figure and its axes.

    Args:
        rows: number of rows of axes.
        columns: number of columns of axes.
        height: of the figure, in inches.
        width: of the figure, in inches.
        gap: between rows, as a fraction of the height of a row.

    Returns:
        The figure, and its axes row by row.
    """
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(hspace=gap))
    grid = figure.subplots(rows, columns, squeeze=False)
    return figure, list(grid.flat)


@with_style
def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG atomically; raises OutputError when it cannot be written."""
    content = io.BytesIO()
    with _ignore_missing_glyphs():
        figure.savefig(content, format="png", dpi=200)
    files.write_bytes(path, content.getvalue())


@with_style
def to_svg(figure: Figure, title: str, translations: Mapping[str, str] | None = None) -> str:
    """Return a figure as an SVG element for a page whose CSS defines `--line` and `--paper`.

    Args:
        figure: a figure of `create_axes`.
        title: text for screen readers; ids in the SVG begin with it, so it has to be unique on the page.
        translations: English text -> translation; only complete texts of the figure are replaced.
    """
    content = io.StringIO()
    with _ignore_missing_glyphs():
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = content.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"font: ([^;']*?)'DejaVu Sans'[^;\"]*", r"font: \1inherit", text)
    text = _unique_ids(text, title)
    for ink, color in ((INK, "currentColor"), (LINE, "var(--line)"), (PAPER, "var(--paper)")):
        text = text.replace(ink, color)
    for english, other in (translations or {}).items():
        text = text.replace(f">{escape(english, quote=False)}</text>", f">{escape(other, quote=False)}</text>")
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


@contextmanager
def _ignore_missing_glyphs() -> Iterator[None]:
    """Suppress the warning about characters that no installed font has; browsers have fonts of their own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        yield


def _unique_ids(text: str, title: str) -> str:
    """Prefix ids with the title, so that several figures can be on one page."""
    prefix = re.sub(r"\W+", "-", title)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)
    return re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', text)
