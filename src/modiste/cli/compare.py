"""`modiste compare`: several runs side by side, and in the public table."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from modiste.reporting.results_table import MethodResult

UNTESTED = "The public table calls its results untested; v1 is the data before 31 August 2017, v2 today's."


WIDE = 140
"""Columns where there is no terminal: nothing is cut short in a file or a pipe."""


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "--out", type=click.Path(path_type=Path), default="comparison", show_default=True, help="Folder of figures."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def compare(runs: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Put runs, or results files of several seeds, side by side, and into the public table.

    Draws loss and accuracy over the epochs, the accuracies with their intervals, and the confusion matrices.

    \b
    Examples:
      modiste compare runs/my-cnn runs/my-resnet
      modiste compare results/classic-cnn.json results/sprint.json --out figures
    """
    from modiste.cli.output import print_json
    from modiste.reporting import comparison, results_table

    opened = results_table.read_methods(runs)
    drawn = comparison.draw(opened, out)
    if as_json:
        told = {"entries": [entry.as_dict() for entry in opened], "figures": list(map(str, drawn))}
        print_json(told)
        return
    _print(opened)
    for entry in opened:
        if entry.accuracy is None and entry.run:
            click.echo(f"{entry.name} is not judged yet. Try: modiste evaluate {entry.run.path}")
    click.echo(f"Figures: {', '.join(map(str, drawn))}")


def _print(opened: list["MethodResult"]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDE)
    console.print(_side_by_side(opened))
    console.print("images, seeds: 95 % interval of the accuracy over other images and over other seeds")
    if any(entry.on_fashion_mnist for entry in opened):
        console.print(_public_table(opened))
        console.print(UNTESTED)


def _side_by_side(opened: list["MethodResult"]) -> "Table":
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from modiste.reporting import formatting

    table = Table("run", "split", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.columns[0].overflow, table.columns[0].min_width = "fold", 12
    for title in ("n", "accuracy", "images", "seeds", "loss", "epochs", "params", "s"):
        table.add_column(title, justify="right", no_wrap=True)
    for entry in opened:
        table.add_row(
            escape(entry.name),
            entry.split or "-",
            str(entry.n),
            formatting.format_percent(entry.accuracy),
            formatting.format_interval(entry.interval_images),
            formatting.format_half_width(entry.interval_seeds),
            "-" if entry.loss is None else f"{entry.loss:.4f}",
            f"{entry.epochs:.3g}",
            formatting.format_count(entry.parameters),
            f"{entry.seconds:.0f}",
        )
    return table


def _public_table(opened: list["MethodResult"]) -> "Table":
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from modiste.reporting import formatting, leaderboard

    table = Table("classifier", box=box.SIMPLE_HEAD)
    table.add_column("accuracy", justify="right", no_wrap=True)
    for title in ("parameters", "data", "remark"):
        table.add_column(title)
    for row in leaderboard.add_results(opened):
        remark = (
            f"ours, n = {row.result.n}, {formatting.format_interval(row.result.interval_images)}"
            if row.result
            else row.note
        )
        cells = (row.classifier, formatting.format_percent(row.accuracy), row.parameters, row.data_version, remark)
        table.add_row(*map(escape, cells), style="bold green" if row.result else None)
    return table
