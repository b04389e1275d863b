"""The section on the results: numbers, curves and confusion matrices beside those of the course report."""

from markupsafe import Markup

from modiste.imaging.png import data_url
from modiste.metrics.scores import ClassScore, Scores
from modiste.reporting import canvas, figures, formatting
from modiste.reporting.figures import Metric
from modiste.reporting.html_report.dataset import Section
from modiste.reporting.html_report.texts import Texts
from modiste.reporting.report_data import CNN, COURSE_REPORT, RESNET18, ReportData, find_result
from modiste.reporting.results_table import MethodResult


def describe_results(data: ReportData, texts: Texts) -> Section:
    """Return the table of numbers, the figures, and the details of each evaluated run."""
    return {
        "numbers": _list_numbers(data, texts),
        "notes": _list_notes(data, texts),
        **_plot_accuracies(data, texts),
        "curves": [_describe_metric(data, texts, metric) for metric in ("loss", "accuracy")],
        "runs": [_describe_run(result, result.scores, texts) for result in data.runs if result.scores],
    }


def _list_notes(data: ReportData, texts: Texts) -> list[Markup]:
    """Return sentences on networks that were not measured, and on results that cannot be compared as they are."""
    networks = {result.network for result in data.own if result.uses_fashion_mnist}
    pooled = [find_result(data.own, result.recipe) or result for result in data.methods]
    names = {
        "not_evaluated": [result.name for result in data.own if result.accuracy is None],
        "other_data": [result.name_with_data for result in data.own if not result.uses_fashion_mnist],
        "mixed_precision": [result.name for result in (*pooled, *data.published) if len(result.precisions) > 1],
    }
    return [
        *(texts.get(f"results.no_{network}") for network in COURSE_REPORT if network not in networks),
        *(texts.get(f"results.{key}", names=texts.translate(", ").join(each)) for key, each in names.items() if each),
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


def describe_split(result: MethodResult, texts: Texts) -> Markup:
    """Return the split of the accuracy, whether the best epoch was chosen on it, and data other than Fashion-MNIST."""
    split = texts.get("results.chosen" if result.chosen_on_split else f"results.{result.split}")
    return split if result.uses_fashion_mnist else texts.get("results.of_data", split=split, dataset=result.dataset)


def _list_cells(result: MethodResult, source: str, texts: Texts) -> list[object]:
    return [
        result.name,
        texts.get(f"source.{'run' if result.run else source}"),
        describe_split(result, texts),
        formatting.format_percent(result.accuracy),
        formatting.format_interval(result.interval_images, texts.translate("to")),
        formatting.format_half_width(result.interval_seeds),
        "-" if result.loss is None else f"{result.loss:.4f}",
        result.n,
        formatting.abbreviate_number(result.parameters) if result.parameters else "-",
    ]


def _plot_accuracies(data: ReportData, texts: Texts) -> Section:
    """Plot the accuracies on the official test split, unless there are fewer than two; return the sources, too."""
    rows = {
        source: [
            (f"{result.name} (n = {result.n})", result.accuracy, result.interval_images)
            for result in results
            if result.on_fashion_mnist and result.accuracy is not None and result.interval_images
        ]
        for source, results in (("own", data.own), ("published", data.published))
    }
    is_drawn = len(rows["own"]) + len(rows["published"]) > 1
    plot = canvas.to_svg(figures.plot_accuracies(**rows), "accuracies", texts.terms) if is_drawn else None
    return {"accuracies": plot, "accuracy_sources": [source for source in rows if rows[source]]}


def _describe_metric(data: ReportData, texts: Texts, metric: Metric) -> Section:
    """Return the curves of the user's runs, and the figures of the course report, the user and modiste."""
    runs = {result.name_with_data: result for result in data.runs if result.history}
    figure = None
    if runs:
        histories = {name: result.history for name, result in runs.items()}
        plot = figures.plot_curve(histories, metric, {name: result.best_epoch for name, result in runs.items()})
        figure = canvas.to_svg(plot, f"{metric} curves", texts.terms)
    rows: dict[str, list[str | None]] = {}
    rows["course"] = [_format_metric(metric, *course) for course in COURSE_REPORT.values()]
    for source, results in (("own", data.own), ("published", data.published)):
        matches = [find_result(results, recipe) for recipe in (CNN, RESNET18)]
        rows[source] = [_format_metric(metric, r.loss, r.accuracy, r.n) if r else None for r in matches]
    return {"metric": metric, "figure": figure, "rows": rows}


def _format_metric(metric: Metric, loss: float | None, accuracy: float | None, n: int = 0) -> str:
    value = f"{accuracy:.2%}" if metric == "accuracy" else f"{loss:.4f}"
    return f"{value} (n = {n})" if n else value


def _describe_run(result: MethodResult, scores: Scores, texts: Texts) -> Section:
    """Return the confusion matrices of a run, the scores of its classes, and its worst mistakes."""
    matrix, counts = (
        canvas.to_svg(figures.plot_confusion_matrix(scores, normalized), f"{title} {result.name}", texts.terms)
        for title, normalized in (("confusion", True), ("counts", False))
    )
    sheet = result.run.mistakes if result.run else None
    values = {"accuracy": f"{scores.accuracy:.2%}", "n": f"{scores.n:,}", "ece": f"{100 * scores.ece:.1f}"}
    pairs = scores.most_confused[:5]
    return {
        "name": result.name,
        "about": texts.get("results.of_run", split=describe_split(result, texts), **values),
        "notes": [texts.translate(note) for note in scores.notes],
        "matrix": matrix,
        "counts": counts,
        "confused": [[texts.translate(each.true), texts.translate(each.predicted), each.count] for each in pairs],
        "per_class": [_list_class_scores(each, texts) for each in scores.per_class],
        "mistakes": data_url(sheet.read_bytes()) if sheet and sheet.is_file() else None,
        "classes": _describe_classes(scores, texts) if result.uses_fashion_mnist else None,
    }


def _list_class_scores(label: ClassScore, texts: Texts) -> list[object]:
    shares = map(formatting.format_percent_number, (label.precision, label.recall, label.f1))
    return [texts.translate(label.name), *shares, label.support]


def _describe_classes(scores: Scores, texts: Texts) -> Markup | None:
    """Compare the classes with the lowest and the highest recall with those of the course report, if there are any."""
    worst, best = scores.lowest_recall(), scores.highest_recall()
    if not worst:
        return None
    errors = dict.fromkeys(name for label in worst for name in scores.most_frequent_errors(label.name)[0])
    names = {"worst": [label.name for label in worst], "best": [label.name for label in best], "confused": list(errors)}
    return texts.get(
        "results.classes",
        **{key: " = ".join(map(texts.translate, classes)) for key, classes in names.items()},
        low=formatting.format_percent_number(worst[0].recall),
        high=formatting.format_percent_number(best[0].recall),
    )
