"""The report: one HTML file without external resources, in the order of the course report."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import modiste
from modiste.reporting import formatting
from modiste.reporting.html_report import comparisons, dataset, results, texts, training
from modiste.reporting.html_report.texts import Texts
from modiste.reporting.report_data import ReportData, open_report_data
from modiste.runs import files

MAX_CARDS = 6

ENVIRONMENT = Environment(
    loader=PackageLoader("modiste", "reporting/html_report/templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""It escapes everything that a template inserts, unless it is `Markup` or marked as safe."""

SECTIONS: dict[str, Callable[[ReportData, Texts], dict[str, Any]]] = {
    "data": dataset.describe_data,
    "networks": dataset.describe_networks,
    "training": training.describe_training,
    "tricks": training.describe_tricks,
    "results": results.describe_results,
    "sample": comparisons.describe_sample,
    "leaderboard": comparisons.describe_leaderboard,
    "claims": comparisons.describe_claims,
}
"""Each returns the values of the template with its name."""


def write_report(paths: Sequence[Path], out: Path, lang: str = "en", folder: Path | None = None) -> None:
    """Write the report about runs and results files of the user.

    Args:
        paths: run folders and results files.
        out: the HTML file; its folder is created if necessary.
        lang: en or zh.
        folder: of more results files of the user.

    Raises:
        InputError: a run or a results file cannot be used.
        SettingError: there is no such language.
        OutputError: the file cannot be written.
    """
    language = texts.read(lang)
    html = render_report(open_report_data(paths, folder), language)
    files.make_folder(out.parent)
    files.write_text(out, html)


def render_report(data: ReportData, language: Texts) -> str:
    """Return the report as HTML."""
    return ENVIRONMENT.get_template("page.html").render(
        lang=language.lang,
        text=language.get,
        translate=language.translate,
        abbreviate_number=formatting.abbreviate_number,
        style=texts.read_text("style.css"),
        names=language.translate(", ").join(result.name for result in data.own),
        cards=_list_cards(data, language),
        sections={name: describe(data, language) for name, describe in SECTIONS.items()},
        version=modiste.__version__,
    )


def _list_cards(data: ReportData, language: Texts) -> list[dict[str, object]]:
    """Return name, accuracy and a caption for the first results of the user."""
    return [
        {
            "name": result.name,
            "accuracy": formatting.format_percent(result.accuracy),
            "split": results.describe_split(result, language),
            "n": result.n,
            "interval": formatting.format_interval(result.interval_images, language.translate("to")),
        }
        for result in data.own
        if result.accuracy is not None
    ][:MAX_CARDS]
