"""Write a report as HTML, PDF, Markdown or LaTeX."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import modiste
from modiste.errors import InputError
from modiste.reporting import canvas
from modiste.reporting.claims import check
from modiste.reporting.report import (
    front_matter,
    html_format,
    latex_format,
    latex_text,
    markdown_format,
    pdf_format,
    results,
    texts,
)
from modiste.reporting.report.build import build_document
from modiste.reporting.report.document import Document
from modiste.reporting.report_data import ReportData, open_report_data
from modiste.runs import files

Format = Literal["html", "pdf", "markdown", "latex"]

SUFFIXES: dict[Format, tuple[str, ...]] = {
    "html": (".html", ".htm"),
    "pdf": (".pdf",),
    "markdown": (".md", ".markdown"),
    "latex": (".tex",),
}
"""Of each format, the first is the usual one."""

WITH_FILES: dict[str, tuple[str, Callable[[Document, Mapping[str, str]], str]]] = {
    "markdown": ("svg", markdown_format.to_markdown),
    "latex": ("pdf", latex_format.to_latex),
}
"""Formats whose figures are files beside the text: the files that the text shows, and what writes it."""

NO_FONT = (
    "No installed font has the characters {characters}{consequence}. Install one that has, such as Debian's {package}, "
    "and repeat the command{advice}."
)

UNPRINTABLE = (
    "LaTeX prints code points for {characters}. XeLaTeX with ctex has Chinese, Japanese and Korean letters; other "
    "formats have all."
)

CJK = "\u2e80"
"""From here on, characters are mostly Chinese, Japanese or Korean."""

MAX_CHARACTERS = 10
"""Characters that are named in a note."""


def write_report(
    paths: Sequence[Path],
    out: Path,
    lang: str = "en",
    folder: Path | None = None,
    kind: Format = "html",
    config: Path | None = None,
) -> list[str]:
    """Write the report about runs and results files of the user; return notes for the user.

    Args:
        paths: run folders and results files.
        out: the file; its folder is created if necessary.
        lang: en or zh.
        folder: of more results files of the user.
        kind: the format. Markdown and LaTeX have their figures in a folder beside the file, each as SVG and PDF.
        config: as `front_matter.read` describes it.

    Raises:
        InputError: a run, a results file or the config cannot be used, or the PDF lacks a font or a library.
        SettingError: there is no such language.
        OutputError: a file cannot be written.
    """
    language = texts.read(lang)
    missing = canvas.find_fonts(frozenset("".join(language.terms.values())))[1]
    if missing and kind == "pdf":
        raise InputError(_describe_missing(missing, "", ", or use --format html, which uses the fonts of the reader"))
    data = open_report_data(paths, folder)
    if not data.own:
        raise InputError(
            f"{paths[0]} has no single method that was measured here; files that come with modiste are published "
            "results. Give a run, or a results file of `modiste bench`, as well."
        )
    document = build_document(data, language, front_matter.read(config))
    in_english = missing and kind != "html"
    if not in_english:
        for figure in document.figures:
            canvas.translate(figure.plot, language.terms)
    notes = [_describe_missing(missing, "", "; until then, the figures are in English")] if in_english else []
    files.make_folder(out.parent)
    file = files.follow_link(out)
    if kind in WITH_FILES:
        suffix, render = WITH_FILES[kind]
        figures = _write_figures(document, out)
        files.write_text(file, render(document, {key: f"{path}.{suffix}" for key, path in figures.items()}))
    elif kind == "pdf":
        files.write_bytes(file, pdf_format.to_pdf(document))
    else:
        files.write_text(file, html_format.to_html(document))
    return [*_list_result_notes(data), *notes, *_list_missing_characters(document, kind), *_list_missing_claims(data)]


def _list_result_notes(data: ReportData) -> list[str]:
    """Return the notes of the report on results that are missing, as plain text in English, as all messages are."""
    return [note.striptags() for note in results.list_notes(data, texts.read("en"))]


def _describe_missing(characters: str, consequence: str, advice: str) -> str:
    """Describe which characters no font here has, and name a package of fonts with them."""
    shown = characters[:MAX_CHARACTERS] + (" and others" if characters[MAX_CHARACTERS:] else "")
    package = "fonts-noto-cjk" if characters[-1] >= CJK else "fonts-noto-core"
    return NO_FONT.format(characters=shown, consequence=consequence, package=package, advice=advice)


def _list_missing_characters(document: Document, kind: Format) -> list[str]:
    """Return notes on characters that are boxes in figures, or code points in LaTeX; a reader of HTML has fonts."""
    if kind == "html":
        return []
    characters = "".join(sorted(set("".join(canvas.find_missing_characters(each.plot) for each in document.figures))))
    consequence = ", so figures show boxes in their place"
    notes = [_describe_missing(characters, consequence, "")] if characters else []
    text = "".join(document.plain_texts())
    if kind == "latex" and (unprintable := latex_text.find_unprintable(text, with_cjk=document.lang == "zh")):
        notes.append(UNPRINTABLE.format(characters=unprintable[:MAX_CHARACTERS]))
    return notes


def _write_figures(document: Document, out: Path) -> dict[str, str]:
    """Write each figure as SVG and PDF; return their addresses without suffix, relative to the text, by their keys."""
    folder = re.sub(r"[^A-Za-z0-9.-]+", "-", out.stem) + "-figures"
    files.make_folder(out.parent / folder)
    for figure in document.figures:
        for suffix in ("svg", "pdf"):
            canvas.save(figure.plot, out.parent / folder / f"{figure.key}.{suffix}", f"modiste {modiste.__version__}")
    return {figure.key: f"{folder}/{figure.key}" for figure in document.figures}


def _list_missing_claims(data: ReportData) -> list[str]:
    """Return the commands that measure the claims of the course report that no result is about, if any is about one.

    There are none for results on other data, which the claims are not about.
    """
    if not any(result.uses_fashion_mnist for result in data.own):
        return []
    answers = check.check_claims(data)
    commands = dict.fromkeys(answer.values["command"] for answer in answers if "command" in answer.values)
    is_measured = any(answer.verdict != "not_measured" for answer in answers)
    if not is_measured or not commands:
        return []
    return ["More claims of the course report can be checked after:", *(f"  {command}" for command in commands)]
