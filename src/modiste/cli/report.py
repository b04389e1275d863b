"""`modiste report`: some runs as one HTML page, in the order of the course report."""

from pathlib import Path

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "--results", type=click.Path(path_type=Path), metavar="DIR", help="Results files; left out: the published."
)
@click.option("--out", type=click.Path(path_type=Path), default="report.html", show_default=True, metavar="F")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the text.")
def report(runs: tuple[Path, ...], results: Path | None, out: Path, lang: str) -> None:
    """Write the report of some runs as one HTML file that opens from disk and needs no network.

    RUN is a run folder or a results file. What was not measured is said, not left out.

    \b
    Examples:
      modiste report runs/my-cnn runs/my-resnet
      modiste report runs/my-cnn --results results --lang zh --out baogao.html
    """
    from modiste.reporting.html_report import page

    page.write(runs, out, lang, results)
    click.echo(f"{out}: open it in a browser")
