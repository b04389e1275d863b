"""Tables as Markdown, LaTeX and CSV."""

import csv
import io

import pytest
from markdown_it import MarkdownIt

from modiste.reporting import text_tables
from modiste.reporting.text_tables import TextTable

ODD = r"a|b *c* _d_ `e` <f> [g](h) ~i~ # 5 % & $x^2$ {j} \k ±"


def test_odd_text_is_shown_as_it_is_in_markdown() -> None:
    """In a cell and in a list."""
    markdown = text_tables.to_markdown([TextTable(["name"], [[ODD]])], [ODD])
    html = MarkdownIt("commonmark").enable("table").enable("strikethrough").render(markdown)
    shown = ODD.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f"<td>{shown}</td>" in html
    assert f"<li>{shown}</li>" in html


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("50 %", r"50 \%"), ("a_b & c", r"a\_b \& c"), ("\\x{y}", r"\textbackslash{}x\{y\}"), ("[a]", "{}[a]"),
     ("<0.001", "$<$0.001"), ("±0.5", r"$\pm$0.5"), ("~^", r"\textasciitilde{}\textasciicircum{}")],
)  # fmt: skip
def test_special_characters_are_escaped_in_latex(text: str, escaped: str) -> None:
    """A bracket after the end of a row would be its optional argument."""
    assert text_tables.escape_latex(text) == escaped


def test_csv_has_the_records() -> None:
    """None is an empty cell, and a text that a spreadsheet would run has an apostrophe."""
    text = text_tables.to_csv(("name", "p"), [('a, "b"', None), ("=1+1", -0.5)])
    assert list(csv.DictReader(io.StringIO(text))) == [{"name": 'a, "b"', "p": ""}, {"name": "'=1+1", "p": "-0.5"}]
