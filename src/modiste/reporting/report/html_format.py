"""A report as one HTML page without external resources, and the page that becomes a PDF."""

import base64
from collections.abc import Callable
from html import escape

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure as Plot

from modiste.reporting import canvas, formula
from modiste.reporting.report import inline, texts
from modiste.reporting.report.document import Document, column_widths
from modiste.reporting.report.inline import InlineFormat

ENVIRONMENT = Environment(
    loader=PackageLoader("modiste", "reporting/report/templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""It escapes everything that a template inserts, unless it is `Markup` or marked as safe."""

TAGS = {name: (f"<{name}>", f"</{name}>") for name in ("b", "em", "i", "code")} | {
    f"span.{name}": (f'<span class="{name}">', "</span>") for name in ("own", "published")
}

Draw = Callable[[Plot, str], str]
"""Figure and its title -> HTML."""


def to_html(document: Document) -> str:
    """Return the page for a browser, in light and dark colors."""
    return _render(document, canvas.to_svg, texts.read_text("style.css") + texts.read_text("report.css"))


def to_print_html(document: Document) -> str:
    """Return the page for paper: A4, in light colors, with figures that need no font."""
    return _render(document, _embed, texts.read_text("print.css"))


def _render(document: Document, draw: Draw, style: str) -> str:
    labels, citations = document.labels(), document.citations()
    style_of_texts = InlineFormat(
        escape=escape,
        tags=TAGS,
        refer=lambda key: f'<a href="#{key}">{escape(labels[key])}</a>',
        cite=lambda key: f'<a href="#ref-{key}">[{citations[key]}]</a>',
        escape_code=escape,
    )

    def draw_figure(plot: Plot, title: str) -> Markup:
        return Markup(draw(plot, title))  # noqa: S704 -- an SVG of Matplotlib, whose texts are escaped

    def draw_formula(tex: str) -> Markup:
        plot = formula.plot_formula(tex)
        svg = Markup(canvas.to_svg(plot, tex, as_paths=True))  # noqa: S704 -- likewise
        return Markup('<div style="width: {:.2f}in">{}</div>').format(plot.get_figwidth(), svg)

    def convert(text: object) -> Markup:
        return Markup(inline.convert(text, style_of_texts))  # noqa: S704 -- what the converter did not write is escaped

    return ENVIRONMENT.get_template("report.html").render(
        document=document,
        labels=labels,
        citations=citations,
        style=style,
        inline=convert,
        draw=draw_figure,
        draw_formula=draw_formula,
        widths=column_widths,
        kind=lambda block: type(block).__name__.lower(),
    )


def _embed(plot: Plot, title: str) -> str:
    """Return a figure as an image of the width that it has on paper, in the size that it was drawn for."""
    width, data = plot.get_figwidth(), base64.b64encode(canvas.to_svg_of_paths(plot)).decode("ascii")
    return f'<img alt="{escape(title)}" style="width: {width:.2f}in" src="data:image/svg+xml;base64,{data}">'
