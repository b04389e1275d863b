"""The section on published results: those of the course report, of modiste and of the public leaderboard."""

from markupsafe import Markup

from modiste.reporting import figures, formatting, leaderboard
from modiste.reporting.claims import check
from modiste.reporting.claims.answer import Answer
from modiste.reporting.report.document import Block, Figure, Heading, Paragraph, Row, Section, Source, Table
from modiste.reporting.report.results import list_numbers
from modiste.reporting.report.texts import Texts
from modiste.reporting.report.training import compare_tricks
from modiste.reporting.report_data import COURSE_REPORT, ReportData
from modiste.reporting.results_table import MethodResult

LEADERBOARD_ALONE = "two_layers_leaderboard"
"""The answer about two-layer CNNs where the user trained none."""


def describe_published(data: ReportData, texts: Texts) -> Section | None:
    """Return published results beside those of the user on Fashion-MNIST; None where the user has none."""
    if not any(result.uses_fashion_mnist for result in data.own):
        return None
    blocks: list[Block] = [
        Paragraph(texts.get("published.about")),
        *_list_course_report(data, texts),
        *_list_published(data, texts),
        *_plot_accuracies(data, texts),
        *compare_tricks(data.published, "published", texts),
        *_list_leaderboard(data, texts),
        *_list_claims(data, texts),
    ]
    return texts.section("published", blocks)


def _list_course_report(data: ReportData, texts: Texts) -> list[Block]:
    """Return the figures of the course report for the networks that were trained."""
    networks = {result.network for result in data.own if result.uses_fashion_mnist}
    rows: list[Row] = [
        ("published", [texts.get(f"published.{network}"), f"{accuracy:.2%}", f"{loss:.4f}"])
        for network, (loss, accuracy) in COURSE_REPORT.items()
        if network in networks
    ]
    head = texts.titles("results", "method accuracy loss")
    return [Table("tab-course", texts.get("published.course_caption"), head, rows, "lrr")] if rows else []


def _list_published(data: ReportData, texts: Texts) -> list[Block]:
    results = [result for result in data.published if result.on_fashion_mnist and result.accuracy is not None]
    if not results:
        return []
    blocks: list[Block] = [list_numbers("tab-published", texts.get("published.caption"), results, "published", texts)]
    mixed = [result.name for result in results if len(result.precisions) > 1]
    note = Paragraph(texts.get("results.mixed_precision", names=texts.join(mixed)), is_note=True)
    return [*blocks, note] if mixed else blocks


def _plot_accuracies(data: ReportData, texts: Texts) -> list[Block]:
    """Plot the accuracies on the official test split, those of the user and published ones, unless one is missing."""
    own, published = (
        [
            (f"{result.name} (n = {result.n})", result.accuracy, result.interval_images)
            for result in results
            if result.on_fashion_mnist and result.accuracy is not None and result.interval_images
        ]
        for results in (data.pooled, data.published)
    )
    if not own or not published:
        return []
    return [Figure("fig-accuracies", texts.get("published.figure_caption"), figures.plot_accuracies(own, published))]


def _list_leaderboard(data: ReportData, texts: Texts) -> list[Block]:
    """Return the public leaderboard with the results of user and modiste, marked against the best of the user."""
    own = [result for result in data.pooled if result.on_fashion_mnist and result.accuracy is not None]
    if not own:
        return [Paragraph(texts.get("leaderboard.no_own"), is_note=True)]
    best = max(own, key=lambda result: result.accuracy or 0.0)
    rows: list[Row] = []
    for row in leaderboard.add_results([*own, *data.published]):
        source: Source = ""
        note, preprocessing = Markup.escape(texts.translate(row.note)), [row.preprocessing]
        if row.result:
            source = "own" if row.result in own else "published"
            note, preprocessing = texts.get(f"leaderboard.{source}", n=row.result.n), row.preprocessing.split(", ")
        done = texts.join(map(texts.translate, preprocessing))
        cells = [row.classifier, formatting.format_percent(row.accuracy), row.data_version, row.parameters, done]
        mark = _describe_mark(row, best, texts)
        rows.append((source, [*cells, row.submitter, note, mark]))
    head = texts.titles("leaderboard", "classifier accuracy data parameters preprocessing submitter note")
    compared = texts.get("leaderboard.compared", name=best.name)
    table = Table("tab-leaderboard", texts.get("leaderboard.caption"), [*head, compared], rows, "lrlrllll")
    return [Heading(texts.get("leaderboard.title")), Paragraph(texts.get("leaderboard.about")), table]


def _describe_mark(row: leaderboard.LeaderboardRow, best: MethodResult, texts: Texts) -> str:
    mark = leaderboard.mark(row, best)
    return texts.get(f"leaderboard.{mark.replace(' ', '_')}") if mark else ""


def _list_claims(data: ReportData, texts: Texts) -> list[Block]:
    """Return the claims of the course report that the user's results are about, each with its check."""
    answers = check.check_claims(data, texts.translate)
    measured = [each for each in answers if each.verdict != "not_measured" and each.sentence != LEADERBOARD_ALONE]
    blocks: list[Block] = [Heading(texts.get("claims.title"))]
    if measured:
        head = texts.titles("claims", "claim verdict answer published")
        rows: list[Row] = [("", _list_answer(answer, texts)) for answer in measured]
        table = Table("tab-claims", texts.get("claims.caption"), head, rows)
        about = texts.get("claims.about")
        if any(answer.published for answer in measured):
            about += texts.get("claims.about_published")
        blocks += [Paragraph(about), table]
    if others := len(answers) - len(measured):
        blocks.append(Paragraph(texts.get("claims.others", n=others, all=len(answers))))
    return blocks


def _list_answer(answer: Answer, texts: Texts) -> list[object]:
    sentences = [texts.get(f"answers.{each.sentence}", **each.values) for each in (answer, answer.published) if each]
    verdict = texts.get(f"verdict.{answer.verdict}")
    return [texts.get(f"claims.{answer.claim}"), verdict, sentences[0], sentences[1] if answer.published else "-"]
