"""The whole content of a report, from results and the texts that a user wrote."""

import tomllib

from markupsafe import Markup

import modiste
from modiste.reporting.report import dataset, front_matter, published, results, texts, training
from modiste.reporting.report.document import Block, Document, Paragraph, Section
from modiste.reporting.report.front_matter import FrontMatter
from modiste.reporting.report.texts import Texts
from modiste.reporting.report_data import ReportData

SECTIONS = (
    dataset.describe_data,
    dataset.describe_networks,
    training.describe_training,
    training.describe_tricks,
    results.describe_results,
    results.describe_sample,
    published.describe_published,
)
"""Each returns a section, or None or an empty one where it has nothing to say."""

TERMS = ("figure", "table", "abstract", "references")


def build_document(data: ReportData, language: Texts, front_matter: FrontMatter) -> Document:
    """Return the report.

    Args:
        data: results of the user, at least one, and published ones.
        language: of all texts but those that the user wrote.
        front_matter: by the user.
    """
    described = [_introduce(data, language), *(describe(data, language) for describe in SECTIONS)]
    if front_matter.conclusion:
        paragraphs = [Paragraph(text) for text in _as_markup(front_matter.conclusion)]
        described.append(language.section("conclusion", paragraphs))
    references = tomllib.loads(texts.read_text("references.toml"))
    return Document(
        lang=language.lang,
        title=front_matter.title or _default_title(data, language),
        sections=[section for section in described if section and section.blocks],
        authors=front_matter.authors,
        course=front_matter.course,
        abstract=_as_markup(front_matter.abstract),
        references={key: Markup(text) for key, text in references.items()},  # noqa: S704 -- of this package
        terms={key: language.get(f"page.{key}") for key in TERMS}
        | {"foot": language.get("page.foot", version=modiste.__version__)},
    )


def _introduce(data: ReportData, language: Texts) -> Section:
    datasets = language.join(dict.fromkeys(result.dataset for result in data.own))
    names = language.join(result.name for result in data.own)
    blocks: list[Block] = [Paragraph(language.get("introduction.about", datasets=datasets, names=names))]
    for method in data.pooled:
        members = [result.name for result in data.own if result.run and result.run_results[0] in method.run_results]
        if len(members) > 1:
            values = {"name": method.name, "names": language.join(members), "first": members[0]}
            blocks.append(Paragraph(language.get("introduction.pooled", **values)))
    if any(result.uses_fashion_mnist for result in data.own):
        blocks.append(Paragraph(language.get("introduction.course_report")))
    return language.section("introduction", blocks)


def _default_title(data: ReportData, language: Texts) -> str:
    datasets = language.join(dict.fromkeys(result.dataset for result in data.own))
    return language.get("page.title", datasets=datasets).unescape()


def _as_markup(text: str) -> list[Markup]:
    return [Markup.escape(paragraph) for paragraph in front_matter.paragraphs(text)]
