"""The report: one HTML file that needs nothing else, in the order of the course report."""

from collections.abc import Callable, Sequence
from pathlib import Path
from string import Template

import modiste
from modiste.reporting import report_data as studies
from modiste.reporting.html_report import closing, data, networks, results, texts, training
from modiste.reporting.html_report.html import Html, join, tag
from modiste.reporting.html_report.texts import Texts
from modiste.reporting.report_data import ReportData
from modiste.runs import files

SECTIONS: dict[str, Callable[[ReportData, Texts], Html]] = {
    "data": data.section,
    "networks": networks.section,
    "training": training.section,
    "tricks": training.tricks,
    "results": results.section,
    "picture": closing.prediction,
    "table": closing.public_table,
    "claims": closing.answered,
}


def write(runs: Sequence[Path], out: Path, lang: str = "en", folder: Path | None = None) -> None:
    """Write the report of some runs.

    Args:
        runs: run folders and results files.
        out: the HTML file; its folder is made when it is not there.
        lang: en or zh.
        folder: of results files; left out: those that this version of the package publishes.

    Raises:
        InputError: a run or a results file cannot be used.
        SettingError: there is no such language.
        OutputError: the file cannot be written.
    """
    say = texts.read(lang)
    text = page(studies.open_report_data(runs, folder), say)
    files.make_folder(out.parent)
    files.write_text(out, text)


def page(study: ReportData, say: Texts) -> str:
    """Return the whole page."""
    written = {name: make(study, say) for name, make in SECTIONS.items()}
    links = [tag("a", say(f"{name}.title"), href=f"#{name}") for name in written]
    titled = [tag("section", tag("h2", say(f"{name}.title")), body, id=name) for name, body in written.items()]
    return Template(texts.beside("page.html")).substitute(
        lang=say.lang,
        title=say("page.title"),
        style=texts.beside("style.css"),
        lead=say("page.lead", runs=", ".join(entry.name for entry in study.given), n=len(study.given)),
        cards=_cards(study, say),
        contents=join(links),
        body=join(titled),
        foot=say("page.foot", version=modiste.__version__),
    )


def _cards(study: ReportData, say: Texts) -> Html:
    """The accuracy of each method that was given, large."""
    cards = []
    for entry in study.given:
        if entry.accuracy is None or entry.interval_images is None:
            continue
        low, high = entry.interval_images
        values = {"low": f"{low:.2%}", "high": f"{high:.2%}", "split": say(f"results.{entry.split}"), "n": entry.n}
        number = tag("b", f"{entry.accuracy:.2%}")
        cards.append(tag("div", tag("span", entry.name), number, tag("small", say("page.card", **values))))
    return join(cards[:6])
