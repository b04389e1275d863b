"""The section on the results: numbers, curves and confusion matrices beside those of the course report."""

from modiste.labels import FASHION_MNIST
from modiste.metrics.scores import Scores
from modiste.reporting import canvas, figures, formatting
from modiste.reporting.claims import most_frequent_errors
from modiste.reporting.figures import AccuracyRow, Metric
from modiste.reporting.html_report.dataset import Section, encode_png
from modiste.reporting.html_report.render import Markup
from modiste.reporting.html_report.texts import Texts
from modiste.reporting.report_data import CNN, COURSE_REPORT, RESNET18, ReportData, find_result
from modiste.reporting.results_table import MethodResult


def describe_results(data: ReportData, texts: Texts) -> Section:
    """Return the table of numbers, the figures, and the details of each evaluated run."""
    return {
        "numbers": _list_numbers(data, texts),
        "notes": _list_notes(data, texts),
        "accuracies": _plot_accuracies(data, texts),
        "curves": [_describe_metric(data, texts, metric) for metric in ("loss", "accuracy")],
        "runs": [_describe_run(result, result.scores, texts) for result in data.runs if result.scores],
    }


def _list_notes(data: ReportData, texts: Texts) -> list[Markup]:
    """Return a sentence for each network that was not measured, and for results that cannot be compared as they are."""
    networks = {result.network for result in data.own}
    pooled = [find_result(data.own, result.recipe) or result for result in data.methods]
    lists = {
        "not_evaluated": [result.name for result in data.own if result.accuracy is None],
        "other_data": [result.name for result in data.own if not result.uses_fashion_mnist],
        "mixed_precision": [result.name for result in (*pooled, *data.published) if len(result.precisions) > 1],
    }
    return [
        *(texts.get(f"results.no_{network}") for network in COURSE_REPORT if network not in networks),
        *(
            texts.get(f"results.{key}", names=texts.translate(", ").join(names))
            for key, names in lists.items()
            if names
        ),
    ]


def _list_numbers(data: ReportData, texts: Texts) -> list[tuple[str, list[object]]]:
    """Return rows of the course report, of the user's results and of the published ones, each with its source."""
    rows: list[tuple[str, list[object]]] = []
    for network, (loss, accuracy) in COURSE_REPORT.items():
        name, course = texts.get(f"results.{network}"), texts.get("source.course")
        rows.append(("", [name, course, "", f"{accuracy:.2%}", "", "", f"{loss:.4f}", "", ""]))
    for source, results in (("own", data.own), ("published", data.published)):
        rows += [(source, _list_cells(result, source, texts)) for result in results if result.accuracy is not None]
    return rows


def _list_cells(result: MethodResult, source: str, texts: Texts) -> list[object]:
    is_chosen = result.split == "validation" and bool(result.recipe.early_stopping.patience)
    if result.scores:
        is_chosen = result.scores.chosen_on_split
    return [
        result.name,
        texts.get(f"source.{'run' if result.run else source}"),
        texts.get("results.chosen" if is_chosen else f"results.{result.split}"),
        formatting.format_percent(result.accuracy),
        formatting.format_interval(result.interval_images, texts.translate("to")),
        formatting.format_half_width(result.interval_seeds),
        "-" if result.loss is None else f"{result.loss:.4f}",
        result.n,
        formatting.format_count(result.parameters) if result.parameters else "-",
    ]


def _plot_accuracies(data: ReportData, texts: Texts) -> Markup | None:
    """Plot the accuracies on the official test split; None for fewer than two."""
    own, published = _list_accuracies(data.own), _list_accuracies(data.published)
    if len(own) + len(published) < 2:
        return None
    return Markup(canvas.to_svg(figures.plot_accuracies(own, published), "accuracies", texts.terms))


def _list_accuracies(results: tuple[MethodResult, ...]) -> list[AccuracyRow]:
    return [
        (f"{result.name} (n = {result.n})", result.accuracy, result.interval_images)
        for result in results
        if result.on_fashion_mnist and result.accuracy is not None and result.interval_images
    ]


def _describe_metric(data: ReportData, texts: Texts, metric: Metric) -> Section:
    """Return the curves of the user's runs, and the figures of the course report, the user and modiste."""
    runs = {result.name: result for result in data.runs if result.history}
    figure = None
    if runs:
        histories = {name: result.history for name, result in runs.items()}
        plot = figures.plot_curve(histories, metric, {name: result.best_epoch for name, result in runs.items()})
        figure = Markup(canvas.to_svg(plot, f"{metric} curves", texts.terms))
    rows: list[list[str | None]] = [[_format_metric(metric, *course) for course in COURSE_REPORT.values()]]
    for results in (data.own, data.published):
        matches = [find_result(results, recipe) for recipe in (CNN, RESNET18)]
        rows.append([_format_metric(metric, r.loss, r.accuracy, r.n) if r else None for r in matches])
    return {"metric": metric, "figure": figure, "rows": dict(zip(("course", "own", "published"), rows, strict=True))}


def _format_metric(metric: Metric, loss: float | None, accuracy: float | None, n: int = 0) -> str:
    value = f"{accuracy:.2%}" if metric == "accuracy" else f"{loss:.4f}"
    return f"{value} (n = {n})" if n else value


def _describe_run(result: MethodResult, scores: Scores, texts: Texts) -> Section:
    """Return the confusion matrices of a run, the scores of its classes, and its worst mistakes."""
    matrices = [
        canvas.to_svg(figures.plot_confusion_matrix(scores, normalized), f"{title} {result.name}", texts.terms)
        for title, normalized in (("confusion", True), ("counts", False))
    ]
    values = [(each.precision, each.recall, each.f1) for each in scores.per_class]
    per_class = [
        [texts.translate(each.name), *map(formatting.format_percent_number, value), each.support]
        for each, value in zip(scores.per_class, values, strict=True)
    ]
    sheet = result.run.mistakes if result.run else None
    return {
        "name": result.name,
        "n": f"{scores.n:,}",
        "accuracy": f"{scores.accuracy:.2%}",
        "ece": f"{100 * scores.ece:.1f}",
        "matrix": Markup(matrices[0]),
        "counts": Markup(matrices[1]),
        "confused": scores.most_confused[:5],
        "per_class": per_class,
        "mistakes": encode_png(sheet.read_bytes()) if sheet and sheet.is_file() else None,
        "classes": _describe_classes(scores, texts),
    }


def _describe_classes(scores: Scores, texts: Texts) -> Markup | None:
    """Compare the lowest and the highest recall with the course report's; None for other classes."""
    worst, best = scores.lowest_recall(), scores.highest_recall()
    if tuple(label.name for label in scores.per_class) != FASHION_MNIST or not worst:
        return None
    errors = dict.fromkeys(name for label in worst for name in most_frequent_errors(scores, label.name)[0])
    names = {"worst": [label.name for label in worst], "best": [label.name for label in best], "confused": list(errors)}
    return texts.get(
        "results.classes",
        **{key: " = ".join(map(texts.translate, classes)) for key, classes in names.items()},
        low=formatting.format_percent_number(worst[0].recall),
        high=formatting.format_percent_number(best[0].recall),
    )
