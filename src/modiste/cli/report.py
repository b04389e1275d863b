"""`modiste report`: write an HTML report about runs and results files."""

from pathlib import Path

import click

from modiste.cli.options import OutputFile


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--results", type=click.Path(path_type=Path), metavar="DIR", help="Folder of your results files.")
@click.option(
    "--out", type=OutputFile(".html", ".htm"), default="report.html", show_default=True, metavar="FILE",
    help="HTML file to write.",
)  # fmt: skip
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the page.")
def report(paths: tuple[Path, ...], results: Path | None, out: Path, lang: str) -> None:
    """Write a report about runs as one HTML file, which needs no network connection.

    RUN is a run folder or a results file. The report follows the course report on Fashion-MNIST and checks its claims
    against your results. Results that come with modiste are shown beside them, marked as published. Runs on other data
    are marked with the name of their data, and no claim is checked against them.

    \b
    Examples:
      modiste report runs/my-cnn runs/my-resnet
      modiste report runs/my-cnn --results results --lang zh --out baogao.html
    """
    from modiste.reporting.html_report.page import write_report

    write_report(paths, out, lang, results)
    click.echo(f"{out}: open this file in a browser")
