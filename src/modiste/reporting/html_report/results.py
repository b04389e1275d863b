"""The results: curves and confusion matrices of our runs, beside the course report's numbers."""

from modiste.labels import FASHION_MNIST
from modiste.metrics.scores import Scores
from modiste.reporting import canvas, figures, formatting
from modiste.reporting.figures import Metric
from modiste.reporting.html_report.html import Html, details, figure, join, picture, table, tag
from modiste.reporting.html_report.texts import Texts
from modiste.reporting.report_data import COURSE_REPORT, ReportData
from modiste.reporting.results_table import MethodResult


def section(study: ReportData, say: Texts) -> Html:
    """Numbers first, then the figures."""
    parts = [say("results.about"), _numbers(study, say), _side_by_side(study, say)]
    parts += [_curves(study, say, "loss"), _curves(study, say, "accuracy")]
    parts += [_missing(study, say)]
    parts += [_judged(entry, entry.scores, say) for entry in study.shown() if entry.scores]
    return join(parts)


def _missing(study: ReportData, say: Texts) -> Html:
    """Which of the report's two networks nobody has trained here."""
    known = {entry.network for entry in study.everything()}
    gone = [say(f"results.no_{network}") for network in COURSE_REPORT if network not in known]
    waiting = [entry.name for entry in study.given if entry.accuracy is None]
    if waiting:
        gone.append(say("results.not_judged", names=", ".join(waiting)))
    return join(tag("p", sentence, class_="missing") for sentence in gone)


def _numbers(study: ReportData, say: Texts) -> Html:
    rows, marked = [], []
    for network, (loss, accuracy) in COURSE_REPORT.items():
        rows.append([say(f"results.report_{network}"), "", f"{accuracy:.2%}", "", "", f"{loss:.4f}", "", ""])
    for entry in study.everything():
        if entry.accuracy is None:
            continue
        marked.append(len(rows))
        rows.append([
            entry.name,
            say(f"results.{entry.split}"),
            formatting.format_percent(entry.accuracy),
            formatting.format_interval(entry.interval_images, say.word("to")),
            formatting.format_half_width(entry.interval_seeds),
            f"{entry.loss:.4f}" if entry.loss is not None else "-",
            str(entry.n),
            formatting.format_count(entry.parameters) if entry.parameters else "-",
        ])  # fmt: skip
    keys = ("run", "split", "accuracy", "images", "seeds", "loss", "n", "parameters")
    return table([say(f"results.{key}") for key in keys], rows, marked, "figures")


def _side_by_side(study: ReportData, say: Texts) -> Html:
    judged = [entry for entry in study.everything() if entry.on_fashion_mnist]
    rows = [(e.name, e.accuracy, e.interval_images) for e in judged if e.accuracy is not None and e.interval_images]
    if len(rows) < 2:
        return Html("")
    drawn = figures.plot_accuracies(rows)
    return figure(Html(canvas.to_svg(drawn, "accuracies", say.words)), say("results.accuracies"))


def _curves(study: ReportData, say: Texts, quantity: Metric) -> Html:
    runs = [entry for entry in study.shown() if entry.history]
    if not runs:
        return tag("p", say("results.no_curves"), class_="missing")
    drawn = figures.plot_curve(
        {entry.name: entry.history for entry in runs}, quantity, {entry.name: entry.best_epoch for entry in runs}
    )
    ours = figure(Html(canvas.to_svg(drawn, f"{quantity} curves", say.words)), say(f"results.{quantity}_curves"))
    return _beside(ours, study, say, quantity)


def _beside(ours: Html, study: ReportData, say: Texts, quantity: Metric) -> Html:
    """Our figure, and the numbers of the report's own figure next to ours."""
    place = ("loss", "accuracy").index(quantity)
    rows = []
    for network, report in COURSE_REPORT.items():
        best = study.measured(f"classic-{network}")
        mine = (best.loss, best.accuracy)[place] if best else None
        here = "-" if mine is None or best is None else f"{_figure(mine, quantity)} (n = {best.n})"
        rows.append([say(f"results.short_{network}"), _figure(report[place], quantity), here])
    head = [say("results.test_" + quantity), say("results.report"), say("results.here")]
    return tag("div", ours, tag("aside", table(head, rows, kind="figures")), class_="pair")


def _figure(value: float, quantity: Metric) -> str:
    return f"{value:.2%}" if quantity == "accuracy" else f"{value:.4f}"


def _judged(entry: MethodResult, scores: Scores, say: Texts) -> Html:
    """The confusion matrix of a run, its labels one by one, and its worst mistakes."""
    matrix = Html(canvas.to_svg(figures.plot_confusion_matrix(scores), f"confusion {entry.name}", say.words))
    values = {
        "name": entry.name,
        "n": f"{scores.n:,}",
        "accuracy": f"{scores.accuracy:.2%}",
        "ece": f"{100 * scores.ece:.1f}",
    }
    pairs = [(say.word(p.true), say.word(p.predicted), p.count) for p in scores.most_confused[:5]]
    confused = table([say("results.true"), say("results.taken_for"), say("results.count")], pairs)
    aside = tag(
        "aside", say("results.of_run", **values), _classes(scores, say), tag("h4", say("results.confused")), confused
    )
    rows = [
        [
            say.word(label.name),
            formatting.format_percent_number(label.precision),
            formatting.format_percent_number(label.recall),
            formatting.format_percent_number(label.f1),
            str(label.support),
        ]
        for label in scores.per_class
    ]
    head = [say(f"results.{key}") for key in ("label", "precision", "recall", "f1", "support")]
    counts = Html(
        canvas.to_svg(figures.plot_confusion_matrix(scores, normalized=False), f"counts {entry.name}", say.words)
    )
    parts = [
        tag("h3", entry.name),
        tag("div", figure(matrix, say("results.confusion")), aside, class_="pair"),
        details(say("results.per_label"), table(head, rows, kind="figures")),
        details(say("results.counts"), counts),
    ]
    if entry.run and entry.run.mistakes.is_file():
        sheet = picture(entry.run.mistakes.read_bytes(), str(say("results.mistakes")), "sheet")
        parts.append(details(say("results.mistakes"), sheet))
    return join(parts)


def _classes(scores: Scores, say: Texts) -> Html:
    """What the report says of its classes, beside what holds for this run."""
    if tuple(label.name for label in scores.per_class) != FASHION_MNIST:
        return Html("")
    ranked = sorted(scores.per_class, key=lambda label: label.recall or 0.0)
    worst, best = ranked[0], ranked[-1]
    taken_for = next((pair.predicted for pair in scores.most_confused if pair.true == worst.name), "-")
    values = {"worst": worst.name, "taken_for": taken_for, "best": best.name}
    shares = {
        "low": formatting.format_percent_number(worst.recall),
        "high": formatting.format_percent_number(best.recall),
    }
    return say("results.classes", **{key: say.word(label) for key, label in values.items()}, **shares)
