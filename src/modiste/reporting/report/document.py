"""The content of a report, the same for every format: sections of paragraphs, tables, figures and formulas.

A text is `Markup` in a small part of HTML, which `inline.convert` turns into each format: b, em, i, code and span;
`<a href="#tab-results"></a>` refers to a figure or table by its key, `<cite>he2016</cite>` to a reference by its key.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup
from matplotlib.figure import Figure as Plot

Source = Literal["", "own", "published"]
"""Whether the user measured a result, or modiste published it."""

Row = tuple[Source, Sequence[object]]

MAX_METHODS = 4
"""Columns of values in a table that has a column for each method, so that it fits on A4; more methods, more tables."""

CITATION = re.compile(r"<cite>(\w+)</cite>")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph; a note is set apart."""

    text: Markup
    is_note: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a section."""

    text: Markup


@dataclass(frozen=True, slots=True)
class Formula:
    """A displayed formula: what LaTeX writes between dollar signs, as far as Matplotlib draws it, too."""

    tex: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A numbered figure; the key begins with `fig-`."""

    key: str
    caption: Markup
    plot: Plot


@dataclass(frozen=True, slots=True)
class Table:
    """A numbered table; the key begins with `tab-`.

    Args:
        key: for references.
        caption: above the table.
        head: a title for each column.
        rows: each with its source, and a cell for each column.
        align: for each column l or r; empty: all on the left.
        has_total: whether the last row is a sum.
    """

    key: str
    caption: Markup
    head: Sequence[object]
    rows: Sequence[Row]
    align: str = ""
    has_total: bool = False

    @property
    def alignment(self) -> str:
        """L or r for each column."""
        return self.align or "l" * len(self.head)


Block = Paragraph | Heading | Formula | Figure | Table


@dataclass(frozen=True, slots=True)
class Section:
    """A section with its blocks in order."""

    key: str
    title: Markup
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Document:
    """A report.

    Args:
        lang: en or zh.
        title: plain text, as are the authors and the course, which may be empty.
        abstract: paragraphs; may be empty.
        sections: in order.
        references: text of each entry that may be cited, by its key.
        terms: the words of the format: figure, table, abstract, references, foot.
    """

    lang: str
    title: str
    sections: Sequence[Section]
    authors: Sequence[str] = ()
    course: str = ""
    abstract: Sequence[Markup] = ()
    references: Mapping[str, Markup] = field(default_factory=dict)
    terms: Mapping[str, Markup] = field(default_factory=dict)

    @property
    def blocks(self) -> list[Block]:
        """The blocks of all sections."""
        return [block for section in self.sections for block in section.blocks]

    @property
    def figures(self) -> list[Figure]:
        """The figures in order."""
        return [block for block in self.blocks if isinstance(block, Figure)]

    def labels(self) -> dict[str, str]:
        """Return `Figure 1`, `Table 2` and so on, by the key of the figure or table."""
        labels: dict[str, str] = {}
        for kind, name in ((Figure, "figure"), (Table, "table")):
            keys = [block.key for block in self.blocks if isinstance(block, kind)]
            labels |= {key: f"{self.terms[name]} {index}" for index, key in enumerate(keys, start=1)}
        return labels

    def citations(self) -> dict[str, int]:
        """Return the number of each reference that is cited, in the order in which they are."""
        keys = dict.fromkeys(key for text in self._texts() for key in CITATION.findall(text))
        return {key: index for index, key in enumerate(keys, start=1)}

    def plain_texts(self) -> Iterator[str]:
        """Yield all texts but titles, without tags, for their characters."""
        yield from (self.title, self.course, *self.authors)
        yield from (_plain(text) for text in self._texts())
        for block in self.blocks:
            if isinstance(block, Table):
                yield from (_plain(cell) for cells in (block.head, *(each for _, each in block.rows)) for cell in cells)

    def _texts(self) -> Iterator[str]:
        yield from self.abstract
        for block in self.blocks:
            if isinstance(block, Paragraph | Heading):
                yield block.text
            elif isinstance(block, Figure | Table):
                yield block.caption
            if isinstance(block, Table):
                yield from (str(cell) for _, cells in block.rows for cell in cells if isinstance(cell, Markup))


def unmarked(rows: Sequence[Sequence[object]]) -> list[Row]:
    """Return rows without a source."""
    return [("", row) for row in rows]


def tables_by_method(
    key: str, caption: Markup, head: Sequence[object], rows: Sequence[Sequence[object]], continued: Markup
) -> list[Table]:
    """Return tables of at most `MAX_METHODS` columns beside the first one, which each of them repeats."""
    tables = []
    for start in range(1, len(head), MAX_METHODS):
        columns = slice(start, start + MAX_METHODS)
        parts = unmarked([[row[0], *row[columns]] for row in rows])
        suffix, more = ("", "") if start == 1 else (f"-{start}", continued)
        tables.append(Table(key + suffix, caption + more, [head[0], *head[columns]], parts))
    return tables


PAGE_CHARACTERS = 100
"""Characters of a table's text in the width of an A4 page; narrower tables do not fill it."""

MAX_WORD, MAX_CELL = 20, 48
"""Characters of a word that is not broken, and of a cell on one line, where there is room."""

BOLD = 1.2
"""How much wider the letters of a title are."""


def column_widths(table: Table) -> list[float]:
    """Return the width of each column as a fraction of the width of the page.

    Each column has room for its longest word, and a share of what is left in proportion to what its cells need beyond.
    """
    columns = list(zip(table.head, *(cells for _, cells in table.rows), strict=True))
    least = [2 + min(MAX_WORD, max(BOLD * _longest_word(cells[0]), *map(_longest_word, cells))) for cells in columns]
    wanted = [
        max(low, 2 + min(MAX_CELL, max(_width(_plain(cell)) for cell in cells)))
        for low, cells in zip(least, columns, strict=True)
    ]
    spare, missing = PAGE_CHARACTERS - sum(least), sum(wanted) - sum(least)
    share = max(0.0, min(1.0, spare / missing)) if missing else 0.0
    widths = [low + share * (high - low) for low, high in zip(least, wanted, strict=True)]
    return [width / max(PAGE_CHARACTERS, sum(widths)) for width in widths]


def _longest_word(cell: object) -> int:
    return max((_width(word) for word in _plain(cell).split()), default=0)


def _plain(cell: object) -> str:
    return Markup.escape(cell).striptags()


def _width(text: str) -> int:
    """Count the characters of a text, those of Chinese twice."""
    return sum(2 if character > "\u2e80" else 1 for character in text)
