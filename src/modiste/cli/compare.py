"""`modiste compare`: the results of several runs in one table, and in the public leaderboard."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from modiste.reporting import formatting

if TYPE_CHECKING:
    from modiste.reporting.results_table import MethodResult


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "--out", type=click.Path(path_type=Path), default="comparison", show_default=True, help="Folder of figures."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def compare(runs: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Compare runs, or results files of several seeds, with one another and with the public leaderboard.

    Plots loss and accuracy over the epochs, the accuracies with their intervals, and the confusion matrices.

    \b
    Examples:
      modiste compare runs/my-cnn runs/my-resnet
      modiste compare results/classic-cnn.json results/sprint.json --out figures
    """
    from modiste.cli.output import print_json
    from modiste.reporting import comparison, results_table

    methods = results_table.read_methods(runs)
    different_data = comparison.describe_different_data(methods)
    figures = list(map(str, comparison.plot_figures(methods, out)))
    if as_json:
        records = [method.as_dict() for method in methods]
        print_json({"methods": records, "different_data": different_data, "figures": figures})
        return
    _print_tables(methods)
    _print_notes(methods, different_data)
    click.echo(f"Figures: {', '.join(figures)}")


def _print_notes(methods: list["MethodResult"], different_data: dict[str, str]) -> None:
    for method in methods:
        if method.accuracy is None and method.run:
            click.echo(f"{method.name} is not evaluated yet. Try: modiste evaluate {method.run.path}")
        if method.chosen_on_split:
            click.echo(f"{method.name}: the epoch was chosen on the validation split, so its accuracy is optimistic.")
    precisions = {method.name: ", ".join(method.precisions) or "not recorded" for method in methods}
    if len({precision for method in methods for precision in method.precisions}) > 1:
        click.echo("The trainings differ in precision, which changes accuracy and seconds:")
        click.echo("\n".join(f"  {name}: {value}" for name, value in precisions.items()))
    if different_data:
        click.echo("The runs were trained or evaluated on different images, which changes accuracy and loss:")
        click.echo("\n".join(f"  {name}: {data}" for name, data in different_data.items()))


def _print_tables(methods: list["MethodResult"]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 140  # nothing is cut in a file or a pipe
    console.print(_results_table(methods))
    console.print("images, seeds: 95 % interval of the accuracy over other images, other seeds; n = 2 is uninformative")
    if any(method.on_fashion_mnist for method in methods):
        console.print(_leaderboard(methods))
        console.print(
            "The public leaderboard calls its results untested; v1 is the data before 31 August 2017, v2 today's."
        )


def _results_table(methods: list["MethodResult"]) -> Table:
    table = Table("run", "split", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.columns[0].overflow, table.columns[0].min_width = "fold", 12
    for title in ("n", "accuracy", "images", "seeds", "loss", "epochs", "params", "s"):
        table.add_column(title, justify="right", no_wrap=True)
    for method in methods:
        table.add_row(
            escape(method.name),
            method.split or "-",
            str(method.n),
            formatting.format_percent(method.accuracy),
            formatting.format_interval(method.interval_images),
            formatting.format_half_width(method.interval_seeds),
            "-" if method.loss is None else f"{method.loss:.4f}",
            f"{method.epochs:.3g}",
            formatting.abbreviate_number(method.parameters),
            f"{method.seconds:.0f}",
        )
    return table


def _leaderboard(methods: list["MethodResult"]) -> Table:
    from modiste.reporting import leaderboard

    table = Table("classifier", "accuracy", "parameters", "data", "remark", box=box.SIMPLE_HEAD)
    table.columns[1].justify, table.columns[1].no_wrap = "right", True
    for row in leaderboard.add_results(methods):
        remark = row.note
        if row.result:
            remark = f"ours, n = {row.result.n}, {formatting.format_interval(row.result.interval_images)}"
        cells = (row.classifier, formatting.format_percent(row.accuracy), row.parameters, row.data_version, remark)
        table.add_row(*map(escape, cells), style="bold green" if row.result else None)
    return table
