"""`modiste report`: write a report about runs and results files."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from modiste.cli.options import RUN_PATH
from modiste.errors import SettingError

if TYPE_CHECKING:
    from modiste.reporting.report.write import Format

FORMATS = ("html", "pdf", "markdown", "latex")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=RUN_PATH, metavar="RUN...")
@click.option("--results", type=click.Path(path_type=Path), metavar="DIR", help="Folder of your results files.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE",
    help="File to write; default: report.html, or the suffix of the format.",
)  # fmt: skip
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Default: that of the suffix of --out, or html.")
@click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE",
    help="TOML file with title, authors, course, abstract and conclusion; default: report.toml in this folder, if any.",
)  # fmt: skip
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language.")
def report(
    paths: tuple[Path, ...], results: Path | None, out: Path | None, kind: str | None, config: Path | None, lang: str
) -> None:
    """Write a report about runs: data, networks, training, results and mistakes, with numbered figures and tables.

    RUN is a run folder or a results file, on any data. Runs that differ in their seed alone are one method. Only the
    networks and tricks of these runs are described. Results on Fashion-MNIST are compared with published ones, in a
    section of their own, and with the claims of a course report. Results files that come with modiste are published
    ones, also where they are passed.

    html is one file, which needs no network connection; pdf is A4 and needs modiste[pdf]. markdown and latex have their
    figures in a folder beside the file, as SVG and PDF. Chinese LaTeX is for XeLaTeX with ctex.

    \b
    Examples:
      modiste report runs/my-cnn runs/my-resnet
      modiste report runs/my-cnn --format pdf
      modiste report runs/my-cnn --results my-results --lang zh --out baogao.html
      modiste report runs/my-cnn --out report.tex
    """
    from modiste.reporting.report.write import SUFFIXES, write_report

    chosen = _choose_format(out, kind, SUFFIXES)
    out = out or Path("report" + SUFFIXES[chosen][0])
    notes = write_report(paths, out, lang, results, chosen, config)
    click.echo(f"{out}: {'open this file in a browser' if chosen == 'html' else 'written'}")
    for note in notes:
        click.echo(note, err=True)


def _choose_format(out: Path | None, kind: str | None, suffixes: "dict[Format, tuple[str, ...]]") -> "Format":
    """Return the format that is named, or that the suffix of the file means; they must agree."""
    by_suffix = {suffix: each for each, names in suffixes.items() for suffix in names}
    if out is None:
        return cast("Format", kind or "html")
    meant = by_suffix.get(out.suffix.lower())
    if meant is None or kind not in (None, meant):
        ends = " or ".join(suffixes[cast("Format", kind)] if kind else by_suffix)
        raise SettingError(f"--out is {out}, but it must end in {ends}. Give another name.")
    return meant
