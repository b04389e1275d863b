"""Formulas as figures, drawn by Matplotlib's own TeX, which needs no LaTeX."""

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

from modiste.reporting import canvas

SIZE = 11
"""Points."""


def plot_formula(tex: str) -> Figure:
    """Plot a formula, the figure as large as it.

    Args:
        tex: between the dollar signs; raises ValueError where Matplotlib cannot read it.
    """
    with mpl.rc_context({**canvas.STYLE, "text.parse_math": True, "mathtext.fontset": "cm"}):
        text = f"${tex}$"
        width, height, depth, _, _ = MathTextParser("path").parse(text, dpi=72, prop=_font())
        figure = Figure(figsize=((width + 4) / 72, (height + depth + 6) / 72))
        figure.text(2 / (width + 4), (depth + 3) / (height + depth + 6), text, fontproperties=_font(), color=canvas.INK)
        return figure


def _font() -> "mpl.font_manager.FontProperties":
    return mpl.font_manager.FontProperties(size=SIZE)
