"""The content of a report, apart from its format."""

import pytest
from markupsafe import Markup

from modiste.reporting.report.document import Document, Paragraph, Section, Table, column_widths, tables_by_method


def table(*rows: list[object], head: list[object]) -> Table:
    """A table without caption."""
    return Table("tab-x", Markup("x"), head, [("", row) for row in rows])


def test_columns_have_room_for_their_longest_word() -> None:
    """A narrow table does not fill the page, and a wide one is as wide as it, with room for each word."""
    narrow = column_widths(table(["a", "b"], head=["method", "n"]))
    assert sum(narrow) < 0.3
    wide = column_widths(table(["word " * 60, "word " * 60, "classification"], head=["a", "b", "c"]))
    assert sum(wide) == pytest.approx(1)
    assert wide[2] > 0.14
    assert wide[0] == wide[1] > 0.3


def test_chinese_characters_are_twice_as_wide() -> None:
    """As in every font."""
    assert column_widths(table(["准确率"], head=["n"])) == column_widths(table(["abcdef"], head=["n"]))


def test_many_methods_are_several_tables() -> None:
    """Each has the first column and at most four methods."""
    head, row = ["setting", *"abcdef"], ["lr", *range(6)]
    first, second = tables_by_method("tab-settings", Markup("Settings."), head, [row], Markup(" (continued)"))
    assert first.head == ["setting", "a", "b", "c", "d"]
    assert second.rows[0][1] == ["lr", 4, 5]
    assert (second.key, second.caption) == ("tab-settings-5", "Settings. (continued)")


def test_references_are_numbered_by_their_first_citation() -> None:
    """In abstract, paragraphs and captions."""
    blocks = [Paragraph(Markup("<cite>b</cite> <cite>a</cite>")), table(["x"], head=["n"])]
    document = Document("en", "T", [Section("s", Markup("S"), blocks)], abstract=[Markup("<cite>c</cite>")])
    assert document.citations() == {"c": 1, "b": 2, "a": 3}
