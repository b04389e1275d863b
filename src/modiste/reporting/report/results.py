"""The sections on the results of the user, with numbers, curves and classes, and on a sample prediction."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from markupsafe import Markup

from modiste import inference
from modiste.errors import InputError
from modiste.imaging import decode
from modiste.metrics.scores import Scores
from modiste.metrics.significance import Comparison
from modiste.reporting import canvas, figures, formatting, mistakes
from modiste.reporting.pairwise import Pair
from modiste.reporting.report.document import Block, Figure, Heading, Paragraph, Row, Section, Source, Table, unmarked
from modiste.reporting.report.texts import Texts
from modiste.reporting.report_data import ReportData
from modiste.reporting.results_table import MethodResult

MISTAKES, MISTAKES_PER_ROW = 16, 8

MAX_DIFFERENCES = 15
"""Pairs of methods in one table; of more, those with the most accurate method are listed."""


def describe_results(data: ReportData, texts: Texts) -> Section:
    """Return the table of numbers, the figures, and the details of each evaluated run."""
    measured = [result for result in data.pooled if result.accuracy is not None]
    blocks: list[Block] = []
    if measured:
        table = list_numbers("tab-results", texts.get("results.caption"), measured, "own", texts)
        blocks += [Paragraph(texts.get("results.about") + _describe_groups(measured, texts)), table]
        blocks += _list_differences(data, measured, texts)
    blocks += [Paragraph(note, is_note=True) for note in list_notes(data, texts)]
    blocks += _plot_curves(data, texts)
    for place, result in enumerate(data.runs, start=1):
        if result.scores:
            blocks += _describe_run(str(place), result, result.scores, texts)
    return texts.section("results", blocks)


def _list_differences(data: ReportData, measured: Sequence[MethodResult], texts: Texts) -> list[Block]:
    """Return the table of the differences of the methods in accuracy; nothing where none can be compared."""
    pairs = [pair for pair in data.compare() if pair.main] if len(measured) > 1 else []
    if not pairs:
        return []
    about = texts.get("results.differences_about")
    if len(pairs) > MAX_DIFFERENCES:
        compared = {name for pair in pairs for name in (pair.first, pair.second)}
        best = max((each for each in measured if each.name in compared), key=lambda each: each.accuracy or 0.0).name
        about += texts.get("results.differences_of_best", name=best, n=len(pairs))
        pairs = [pair for pair in pairs if best in (pair.first, pair.second)]
    head = texts.titles("results", "pair difference interval over p verdict")
    rows: list[Row] = [("own", _list_difference(pair, pair.main, texts)) for pair in pairs if pair.main]
    table = Table("tab-differences", texts.get("results.differences_caption"), head, rows, "lrrlrl")
    return [Paragraph(about), table]


def _list_difference(pair: Pair, comparison: Comparison, texts: Texts) -> list[object]:
    kind = "paired" if comparison.is_paired else "unpaired"
    values = {
        "unit": texts.get(f"units.{comparison.unit}"),
        "n": f"{comparison.n:,}",
        "n_other": f"{comparison.n_other:,}",
    }
    verdict = texts.get("leaderboard.not_distinguishable" if comparison.p_value is not None else "results.no_test")
    if comparison.is_significant:
        verdict = texts.get("results.better", name=pair.first if comparison.difference > 0 else pair.second)
    return [
        f"{pair.first} − {pair.second}",
        f"{100 * comparison.difference:+.2f}",
        texts.interval(comparison.interval, comparison.is_approximate),
        texts.get(f"results.{kind}", **values),
        formatting.format_p_value(comparison.p_value if comparison.p_holm is None else comparison.p_holm),
        verdict,
    ]


def _describe_groups(results: Sequence[MethodResult], texts: Texts) -> Markup:
    """Say how the interval over images is computed where these come in groups, and of which results there is none."""
    grouped = [result for result in results if result.has_groups]
    missing = [result.name for result in grouped if result.interval_images is None]
    names = {"groups": [result.name for result in grouped], "too_few_groups": missing}
    about = [texts.get(f"results.{key}", names=texts.join(each)) for key, each in names.items() if each]
    return Markup().join(about)


def list_notes(data: ReportData, texts: Texts) -> list[Markup]:
    """Return sentences on results that are missing, or that cannot be compared as they are."""
    uses_fashion_mnist = any(result.uses_fashion_mnist for result in data.own)
    other_data = [result.name_with_data for result in data.own if not result.uses_fashion_mnist]
    names = {
        "unfinished": [result.name for result in data.own if result.run and not result.run.finished],
        "not_evaluated": [
            result.name for result in data.own if result.accuracy is None and result.run and result.run.finished
        ],
        "other_data": other_data if uses_fashion_mnist else [],
        "mixed_precision": [result.name for result in data.pooled if len(result.precisions) > 1],
    }
    return [texts.get(f"results.{key}", names=texts.join(each)) for key, each in names.items() if each]


def list_numbers(key: str, caption: Markup, results: Sequence[MethodResult], source: Source, texts: Texts) -> Table:
    """Return the table of the accuracies and losses of these results."""
    head = texts.titles("results", "method split accuracy interval_images interval_seeds loss n parameters")
    rows: list[Row] = [(source, _list_cells(result, texts)) for result in results]
    return Table(key, caption, head, rows, "llrrrrrr")


def describe_split(result: MethodResult, texts: Texts) -> Markup:
    """Return the split of the accuracy, whether the best epoch was chosen on it, and data other than Fashion-MNIST."""
    split = texts.get("results.chosen" if result.chosen_on_split else f"results.{result.split}")
    return split if result.uses_fashion_mnist else texts.get("results.of_data", split=split, dataset=result.dataset)


def _list_cells(result: MethodResult, texts: Texts) -> list[object]:
    return [
        result.name,
        describe_split(result, texts),
        formatting.format_percent(result.accuracy),
        texts.interval(result.interval_images, result.is_interval_approximate),
        formatting.format_half_width(result.interval_seeds, texts.translate("to")),
        formatting.format_loss(result.loss),
        result.n,
        formatting.abbreviate_number(result.parameters) if result.parameters else "-",
    ]


def _plot_curves(data: ReportData, texts: Texts) -> list[Block]:
    """Plot loss and accuracy over the epochs, and say why the train accuracy of some runs falls."""
    runs = {result.name_with_data: result for result in data.runs if result.history}
    if not runs:
        return [Paragraph(texts.get("results.no_epoch" if data.runs else "results.no_curves"), is_note=True)]
    histories = {name: result.history for name, result in runs.items()}
    best_epochs = {name: result.best_epoch for name, result in runs.items()}
    plot = figures.plot_curves(histories, best_epochs, canvas.PAGE_WIDTH)
    blocks: list[Block] = [Figure("fig-curves", texts.get("results.curves_caption"), plot)]
    return blocks + [Paragraph(text) for result in runs.values() for text in _explain_train_accuracy(result, texts)]


def _explain_train_accuracy(result: MethodResult, texts: Texts) -> list[Markup]:
    """Say that only hard images are trained on after the first epoch, where train accuracy falls for that reason."""
    skipped, last = result.recipe.schedule.skip_easy_fraction, result.history[-1]
    best = max(result.history, key=lambda epoch: epoch.train_accuracy)
    if not skipped or best is last:
        return []
    values = {"best": f"{best.train_accuracy:.1%}", "best_epoch": best.epoch, "last": f"{last.train_accuracy:.1%}"}
    text = texts.get("results.skip_easy", name=result.name, trained=f"{1 - skipped:.0%}", epochs=last.epoch, **values)
    if best.val_accuracy is None or last.val_accuracy is None:
        return [text]
    validation = {"best": f"{best.val_accuracy:.1%}", "last": f"{last.val_accuracy:.1%}"}
    return [text + texts.get("results.skip_easy_validation", **validation)]


def _describe_run(place: str, result: MethodResult, scores: Scores, texts: Texts) -> list[Block]:
    """Return the confusion matrix of a run, the scores of its classes, and its worst mistakes."""
    values = {"accuracy": f"{scores.accuracy:.2%}", "n": f"{scores.n:,}", "ece": f"{100 * scores.ece:.1f}"}
    references = {"matrix": _reference(f"fig-confusion-{place}"), "classes": _reference(f"tab-classes-{place}")}
    about = texts.get("results.of_run", split=describe_split(result, texts), **references, **values)
    if scores.ece_calibrated not in (None, scores.ece):
        about += texts.get("results.calibrated", ece=f"{100 * (scores.ece_calibrated or 0):.1f}")
    matrix = figures.plot_confusion_matrix(scores)
    blocks: list[Block] = [Heading(Markup.escape(result.name)), Paragraph(about)]
    blocks += [Paragraph(Markup.escape(texts.translate(note)), is_note=True) for note in scores.notes]
    blocks += [Paragraph(text) for text in _describe_classes(result, scores, texts)]
    caption = texts.get("results.matrix_caption", name=result.name)
    blocks += [Figure(f"fig-confusion-{place}", caption, matrix), *_list_classes(place, result.name, scores, texts)]
    return blocks + _plot_mistakes(place, result, texts)


def _reference(key: str) -> Markup:
    return Markup('<a href="#{}"></a>').format(key)


def _list_classes(place: str, name: str, scores: Scores, texts: Texts) -> list[Block]:
    """Return the tables of the scores of the classes, and of the most confused ones."""
    rows = [
        [texts.translate(label.name), *map(formatting.format_percent_number, (label.precision, label.recall, label.f1)),
         label.support]
        for label in scores.per_class
    ]  # fmt: skip
    head = texts.titles("results", "class precision recall f1 support")
    classes = Table(
        f"tab-classes-{place}", texts.get("results.classes_caption", name=name), head, unmarked(rows), "lrrrr"
    )
    pairs = [
        [texts.translate(each.true), texts.translate(each.predicted), each.count] for each in scores.most_confused[:5]
    ]
    if not pairs:
        return [classes]
    caption = texts.get("results.confused_caption", name=name)
    titles = texts.titles("results", "true predicted count")
    return [classes, Table(f"tab-confused-{place}", caption, titles, unmarked(pairs), "llr")]


def _plot_mistakes(place: str, result: MethodResult, texts: Texts) -> list[Block]:
    """Plot the mistakes with the highest confidence; nothing where the run lacks their images."""
    run = result.run
    if not run or not run.mistakes_page.is_file() or not run.mistakes_table.is_file():
        return []
    shown = mistakes.read_shown(run.mistakes_page, run.mistakes_table, MISTAKES)
    if not shown:
        return []
    shown_mistakes, images = zip(*shown, strict=True)
    plot = figures.plot_mistakes(images, shown_mistakes, MISTAKES_PER_ROW, canvas.PAGE_WIDTH)
    return [Figure(f"fig-mistakes-{place}", texts.get("results.mistakes_caption", name=result.name), plot)]


def _describe_classes(result: MethodResult, scores: Scores, texts: Texts) -> list[Markup]:
    """Name the classes with the lowest and the highest recall, if there are any, beside those of the course report."""
    worst, best = scores.lowest_recall(), scores.highest_recall()
    if not worst:
        return []
    errors = dict.fromkeys(name for label in worst for name in scores.most_frequent_errors(label.name)[0])
    names = {"worst": [label.name for label in worst], "best": [label.name for label in best], "confused": list(errors)}
    text = texts.get(
        "results.classes" if errors else "results.classes_without_errors",
        **{key: texts.join(map(texts.translate, classes)) for key, classes in names.items()},
        low=formatting.format_percent_number(worst[0].recall),
        high=formatting.format_percent_number(best[0].recall),
    )
    return [text + texts.get("results.course_classes")] if result.on_fashion_mnist else [text]


def describe_sample(data: ReportData, texts: Texts) -> Section | None:
    """Return a test image of Fashion-MNIST and the prediction of each run on it; None without such a run."""
    png = (resources.files("modiste") / "assets" / "samples" / "ankle-boot.png").read_bytes()
    models = {result.name: result.run.model for result in data.runs if result.run and result.uses_fashion_mnist}
    rows: list[Row] = [
        ("own", [name, _predict(model, png, texts)]) for name, model in models.items() if model.is_file()
    ]
    if not rows:
        return None
    plot = figures.plot_image(decode.decode_bytes(png)[..., 0])
    head = texts.titles("sample", "model prediction")
    blocks: list[Block] = [
        Paragraph(texts.get("sample.about")),
        Figure("fig-sample", texts.get("sample.figure_caption"), plot),
        Table("tab-sample", texts.get("sample.caption"), head, rows),
    ]
    return texts.section("sample", blocks)


def _predict(model: Path, png: bytes, texts: Texts) -> str:
    """Return the three most probable classes, or why there is no prediction."""
    try:
        (prediction,) = inference.load(model).predict([png], top=3)
    except InputError as error:
        return str(error)
    top = texts.join(f"{texts.translate(name)} {probability:.1%}" for name, probability in prediction.top)
    return prediction.error or top
