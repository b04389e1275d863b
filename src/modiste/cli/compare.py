"""`modiste compare`: which methods differ, in one table, in sentences, and in the public leaderboard."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.markup import escape
from rich.table import Table

from modiste.cli.options import RUN_PATH
from modiste.cli.tables import open_console, to_rich
from modiste.reporting import formatting

if TYPE_CHECKING:
    from modiste.reporting.comparison import ComparedMethods
    from modiste.reporting.results_table import MethodResult
    from modiste.reporting.text_tables import TextTable


@click.command()
@click.argument("runs", nargs=-1, type=RUN_PATH, metavar="RUN...")
@click.option(
    "--logits", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="One more file, which has logits."
)
@click.option("--data", metavar="FOLDER", help="Data of the prediction files.  [default: that of the first run]")
@click.option(
    "--split",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="Split of the prediction files.",
)
@click.option(
    "--format", "table_format", type=click.Choice(["markdown", "latex", "csv"]), help="Print tables to paste."
)
@click.option(
    "--figures", "figure_format", type=click.Choice(["png", "svg", "pdf"]), default="png", show_default=True,
    help="Format of the figures.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), default="comparison", show_default=True,
    help="Folder of figures; files of the same name are replaced.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def compare(
    runs: tuple[Path, ...],
    logits: tuple[Path, ...],
    data: str | None,
    split: str,
    table_format: str | None,
    figure_format: str,
    out: Path,
    as_json: bool,
) -> None:
    """Compare runs, results files of several seeds, and predictions of other tools, with one another.

    Each pair gets a sentence: the difference with its 95 % interval and a test, or that it cannot be shown. Seeds are
    compared by a paired t-test where both methods have the same, by Welch's otherwise; single runs by McNemar's test on
    the images that both predicted. Runs that differ in their seed alone are one method.

    A prediction file (.npz, .npy, .csv) has one row per image: probabilities, or one predicted label. It may have a
    header and an index column. Accuracies on the test split of Fashion-MNIST are shown beside those rows of the public
    leaderboard that are near; --json has all rows.

    \b
    Examples:
      modiste compare runs/my-cnn runs/my-resnet
      modiste compare results/classic-cnn.json results/sprint.json --out figures
      modiste compare runs/my-cnn forest.npy svm.csv --format latex --figures pdf
    """
    from modiste.cli.output import print_json
    from modiste.errors import SettingError
    from modiste.reporting import comparison

    if as_json and table_format:
        raise SettingError("--json and --format are two forms of the same output. Give one of them.")
    compared = comparison.compare(runs, out, logits=logits, data=data, split=split, figure_format=figure_format)
    different_data = comparison.describe_different_data(compared.inputs)
    figures = list(map(str, compared.figures))
    notes = _describe_notes(compared.inputs, different_data)
    if as_json:
        print_json(_as_dict(compared) | {"different_data": different_data, "notes": notes, "figures": figures})
        return
    if table_format:
        click.echo(_format_tables(compared, table_format))
    else:
        _print_tables(compared)
    for line in (*notes, f"Figures: {', '.join(figures)}"):
        click.echo(line, err=bool(table_format))


def _as_dict(compared: "ComparedMethods") -> dict[str, object]:
    from modiste.reporting import leaderboard, statements

    measured = [method for method in compared.methods if method.on_fashion_mnist and method.accuracy is not None]
    marks = [
        {
            "classifier": row.classifier,
            "accuracy": row.accuracy,
            "marks": {method.name: leaderboard.mark(row, method) for method in measured},
        }
        for row in (leaderboard.public_table() if measured else [])
    ]
    return {
        "methods": [method.as_dict() for method in compared.methods],
        "pairs": [pair.as_dict() | {"sentence": statements.describe_pair(pair)} for pair in compared.pairs],
        "leaderboard": marks,
    }


def _format_tables(compared: "ComparedMethods", table_format: str) -> str:
    from modiste.reporting import comparison_tables, statements, text_tables

    if table_format == "csv":
        records = comparison_tables.to_records(compared.methods, compared.pairs)
        return text_tables.to_csv(list(records[0]), [list(each.values()) for each in records]).rstrip("\n")
    sentences = list(map(statements.describe_pair, compared.pairs))
    convert = text_tables.to_markdown if table_format == "markdown" else text_tables.to_latex
    return convert(_tables(compared), sentences)


def _tables(compared: "ComparedMethods") -> "list[TextTable]":
    """Return the tables that have rows."""
    from modiste.reporting import comparison_tables

    tables = [
        comparison_tables.methods_table(compared.methods),
        comparison_tables.scores_table(compared.methods),
        comparison_tables.pairs_table(compared.pairs),
    ]
    return [table for table in tables if table.rows]


def _describe_notes(methods: Sequence["MethodResult"], different_data: dict[str, str]) -> list[str]:
    """Return lines on what limits the comparison."""
    lines = []
    for method in methods:
        if method.accuracy is None and method.run:
            lines.append(f"{method.name} is not evaluated yet. Try: modiste evaluate {method.run.path}")
        if method.chosen_on_split:
            lines.append(f"{method.name}: the epoch was chosen on the validation split, so its accuracy is optimistic.")
        if method.scores and not method.run:
            lines += [f"{method.name}: {note}" for note in method.scores.notes]
    precisions = {method.name: ", ".join(method.precisions) or "not recorded" for method in methods}
    if len({precision for method in methods for precision in method.precisions}) > 1:
        lines.append("The trainings differ in precision, which changes accuracy and seconds:")
        lines += [f"  {name}: {value}" for name, value in precisions.items()]
    if different_data:
        lines.append("The runs were trained or evaluated on different images, which changes accuracy and loss:")
        lines += [f"  {name}: {data}" for name, data in different_data.items()]
    return lines


def _print_tables(compared: "ComparedMethods") -> None:
    from modiste.reporting import statements

    console = open_console()
    for table in _tables(compared):
        console.print(to_rich(table))
        if table.caption:
            console.print(table.caption)
    measured = [method for method in compared.methods if method.on_fashion_mnist and method.accuracy is not None]
    if measured:
        console.print(_leaderboard(measured))
        console.print(
            "Of the public leaderboard, the rows near ours; --json has all. It calls its results untested; v1 is the "
            "data before 31 August 2017, v2 today's. The last columns say whether a row is higher or lower than ours, "
            "by the sampling error of both on the test images and by the spread over our seeds."
        )
    for pair in compared.pairs:
        click.echo(statements.describe_pair(pair))


def _leaderboard(methods: Sequence["MethodResult"]) -> Table:
    """Return our rows of the leaderboard and those that are near."""
    from modiste.reporting import leaderboard

    table = Table("classifier", "accuracy", "parameters", "data", "remark", box=box.SIMPLE_HEAD)
    table.columns[1].justify, table.columns[1].no_wrap = "right", True
    for method in methods:
        table.add_column(escape(f"than {method.name}"), overflow="fold")
    for row in leaderboard.select_near(leaderboard.add_results(methods), methods):
        remark = row.note
        if row.result:
            remark = f"ours, n = {row.result.n}, {formatting.format_interval(row.result.interval_images)}"
        cells = (row.classifier, formatting.format_percent(row.accuracy), row.parameters, row.data_version, remark)
        marks = [leaderboard.mark(row, method) or "" for method in methods]
        table.add_row(*map(escape, (*cells, *marks)), style="bold green" if row.result else None)
    return table
