"""Tables of text as Markdown, LaTeX and CSV, with every special character escaped."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from modiste.csv_cells import escape_formula

LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"$<$",
    ">": r"$>$", "|": r"$|$", **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip
"""Characters that LaTeX does not print as they are."""


class TextTable(NamedTuple):
    """A table; the first columns of names are left-aligned, all others to the right. A caption is below it."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 1
    caption: str = ""


def to_markdown(tables: Sequence[TextTable], sentences: Sequence[str] = ()) -> str:
    """Return tables, and a list of sentences, as GitHub's Markdown."""
    parts = [_markdown_table(table) for table in tables]
    if sentences:
        parts.append("\n".join(f"- {escape_markdown(sentence)}" for sentence in sentences))
    return "\n\n".join(parts)


def _markdown_table(table: TextTable) -> str:
    rule = ["---" if column < table.names else "---:" for column in range(len(table.headers))]
    rows = [list(map(escape_markdown, table.headers)), rule, *(list(map(escape_markdown, row)) for row in table.rows)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", escape_markdown(table.caption)] if table.caption else lines)


def escape_markdown(text: str) -> str:
    """Escape the characters that have a meaning in the Markdown of GitHub or Pandoc, line breaks included."""
    return re.sub(r"([\\`*_{}\[\]<>|~$#&])", r"\\\1", re.sub(r"[\r\n]", " ", text))


def to_latex(tables: Sequence[TextTable], sentences: Sequence[str] = ()) -> str:
    """Return tables, and a list of sentences, as LaTeX that needs no package."""
    parts = [_latex_table(table) for table in tables]
    if sentences:
        items = "\n".join(f"  \\item {escape_latex(sentence)}" for sentence in sentences)
        parts.append(f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}")
    return "\n\n".join(parts)


def _latex_table(table: TextTable) -> str:
    columns = "l" * table.names + "r" * (len(table.headers) - table.names)
    head, *rows = [" & ".join(map(escape_latex, row)) for row in (table.headers, *table.rows)]
    body = "".join(f"  {row} \\\\\n" for row in rows)
    caption = f"\n\n{escape_latex(table.caption)}" if table.caption else ""
    rows_and_rules = f"  \\hline\n  {head} \\\\\n  \\hline\n{body}  \\hline"
    return f"\\begin{{tabular}}{{{columns}}}\n{rows_and_rules}\n\\end{{tabular}}{caption}"


def escape_latex(text: str) -> str:
    """Escape the characters that have a meaning in LaTeX; a bracket at the start is no argument of the line before."""
    escaped = "".join(LATEX.get(character, character) for character in " ".join(text.split()))
    return f"{{}}{escaped}" if escaped.startswith(("[", "*")) else escaped


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV with a header; None is an empty cell, and no text is a formula of a spreadsheet."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([escape_formula(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()
