"""A report as Markdown of GitHub and Pandoc, with its figures as files beside it."""

from collections.abc import Iterator, Mapping

from modiste.reporting.report import inline
from modiste.reporting.report.document import Block, Document, Figure, Formula, Heading, Paragraph, Table
from modiste.reporting.report.inline import InlineFormat
from modiste.reporting.text_tables import escape_markdown

TAGS = {"b": ("**", "**"), "em": ("*", "*"), "i": ("*", "*"), "code": ("`", "`")} | dict.fromkeys(
    ("span.own", "span.published"), ("", "")
)


def to_markdown(document: Document, figures: Mapping[str, str]) -> str:
    """Return the text.

    Args:
        document: the report.
        figures: address of each figure, relative to the text, by its key.
    """
    labels, citations = document.labels(), document.citations()
    style = InlineFormat(
        escape=escape_markdown,
        tags=TAGS,
        refer=labels.__getitem__,
        cite=lambda key: f"\\[{citations[key]}\\]",
        escape_code=lambda text: text.replace("`", "'").replace("|", r"\|"),
    )
    return "\n\n".join(_list_parts(document, labels, figures, style)) + "\n"


def _list_parts(
    document: Document, labels: Mapping[str, str], figures: Mapping[str, str], style: InlineFormat
) -> Iterator[str]:
    yield f"# {escape_markdown(document.title)}"
    yield from (escape_markdown(line) for line in (", ".join(document.authors), document.course) if line)
    if document.abstract:
        yield f"## {document.terms['abstract']}"
        yield from (inline.convert(text, style) for text in document.abstract)
    for index, section in enumerate(document.sections, start=1):
        yield f"## {index}. {inline.convert(section.title, style)}"
        yield from (_write_block(block, labels, figures, style) for block in section.blocks)
    if citations := document.citations():
        yield f"## {document.terms['references']}"
        references = {key: inline.convert(document.references[key], style) for key in citations}
        yield "\n".join(f"{index}. {references[key]}" for key, index in citations.items())
    yield f"---\n\n{inline.convert(document.terms['foot'], style)}"


def _write_block(block: Block, labels: Mapping[str, str], figures: Mapping[str, str], style: InlineFormat) -> str:
    match block:
        case Paragraph():
            return ("> " if block.is_note else "") + inline.convert(block.text, style)
        case Heading():
            return f"### {inline.convert(block.text, style)}"
        case Formula():
            return f"$$\n{block.tex}\n$$"
        case Figure():
            image = f"![{labels[block.key]}]({figures[block.key]})"
            return f"{image}\n\n**{labels[block.key]}.** {inline.convert(block.caption, style)}"
        case Table():
            return f"**{labels[block.key]}.** {inline.convert(block.caption, style)}\n\n{_write_table(block, style)}"


def _write_table(table: Table, style: InlineFormat) -> str:
    rule = ["---:" if side == "r" else "---" for side in table.alignment]
    rows = [
        [inline.convert(cell, style) for cell in cells] for cells in (table.head, *(cells for _, cells in table.rows))
    ]
    for (source, _), cells in zip(table.rows, rows[1:], strict=True):
        if source == "own":
            cells[0] = f"**{cells[0]}**"
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (rows[0], rule, *rows[1:]))
