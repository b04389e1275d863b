"""Tables on a terminal, or as text in a file or a pipe."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from modiste.reporting.text_tables import TextTable


def open_console() -> Console:
    """Return the console of standard output; in a file or a pipe it is so wide that nothing is cut."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 140
    return console


def to_rich(table: TextTable) -> Table:
    """Return a table for `open_console`, whose names are broken where they do not fit."""
    rich_table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, title in enumerate(table.headers):
        is_name = place < table.names
        rich_table.add_column(
            title, justify="left" if is_name else "right", overflow="fold", min_width=12 if place == 0 else None,
            no_wrap=not is_name and len(table.headers) > 7 and len(title) < 9,
        )  # fmt: skip
    for row in table.rows:
        rich_table.add_row(*map(escape, row))
    return rich_table
