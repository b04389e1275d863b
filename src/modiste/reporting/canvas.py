"""The look of every figure, and the only door to matplotlib.

Figures are made without pyplot, so there is no global state and no window. Sizes are those of a phone's width, so that
the letters are readable where space is least. In SVG the ink takes the color of the page around it.
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

# it complains where a font of the system has no bold face, and takes the plain one
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

BLUE, VERMILLION = "#0072B2", "#D55E00"
PALETTE = (BLUE, VERMILLION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7F7F7F")
"""The first six are Okabe and Ito's (2008): told apart with any color vision, on light ground and on dark."""

INK, LINE, PAPER = "#1d2128", "#d5d9e0", "#fefefe"
WIDTH = 5.0
"""Inches; 360 points, about the width of a phone."""

CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
    "Noto Sans CJK JP",
    "Droid Sans Fallback",
)
"""Fonts of Linux, macOS and Windows with the characters that DejaVu Sans lacks."""

STYLE: Any = {  # Any: matplotlib types the keys as a list of 300 literals
    "font.family": ["DejaVu Sans", *(font for font in CHINESE if font in fontManager.get_font_names())],
    "text.parse_math": False,  # a name or a label says what it says, dollar signs included
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
    "svg.fonttype": "none",  # text stays text: the reader's own fonts, also for Chinese
    "svg.hashsalt": "modiste",  # the same figure gives the same file
}

styled = mpl.rc_context(STYLE)
"""Decorates what draws or saves: the style holds there and nowhere else in the process."""


@styled
def axes(
    rows: int = 1, columns: int = 1, height: float = 3.2, width: float = WIDTH, gap: float = 0.02
) -> tuple[Figure, list[Axes]]:
    """Make an empty figure and its axes in reading order.

    Args:
        rows: of axes.
        columns: of axes.
        height: of the figure, inches.
        width: likewise.
        gap: between rows, as a share of a row.
    """
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(hspace=gap))
    grid = figure.subplots(rows, columns, squeeze=False)
    return figure, list(grid.flat)


@styled
def png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all; raises OutputError when the disk refuses."""
    content = io.BytesIO()
    with _without_glyphs():
        figure.savefig(content, format="png", dpi=200)
    files.write_bytes(path, content.getvalue())


@styled
def svg(figure: Figure, title: str, words: Mapping[str, str] | None = None) -> str:
    """Return a figure as an SVG element for a page that defines `--line` and `--paper`.

    Args:
        figure: what `axes` made.
        title: what a screen reader says in its place.
        words: translations of the texts in it, each replaced as a whole.
    """
    content = io.StringIO()
    with _without_glyphs():
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = content.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"font: ([^;']*?)'DejaVu Sans'[^;\"]*", r"font: \1inherit", text)
    text = _unique_ids(text, title)
    for ink, color in ((INK, "currentColor"), (LINE, "var(--line)"), (PAPER, "var(--paper)")):
        text = text.replace(ink, color)
    for word, other in (words or {}).items():
        text = text.replace(f">{escape(word, quote=False)}</text>", f">{escape(other, quote=False)}</text>")
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


@contextmanager
def _without_glyphs() -> Iterator[None]:
    """Draw a box for a character that no font here has, and be silent about it: a page brings fonts of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        yield


def _unique_ids(text: str, title: str) -> str:
    """Keep the ids of several figures on one page apart."""
    mark = re.sub(r"\W+", "-", title)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{mark}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{mark}-\1)", text)
    return re.sub(r'href="#([^"]+)"', rf'href="#{mark}-\1"', text)
