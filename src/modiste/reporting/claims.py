"""The claims of the course report, each checked against measured results.

The rule of each check is in the docstring of its function.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from modiste.metrics import intervals
from modiste.metrics.scores import ClassScore, Scores
from modiste.reporting import formatting, leaderboard, report_data, results_table
from modiste.reporting.report_data import CNN, CNN_ERASING, COURSE_REPORT, RESNET18, ReportData, find_result
from modiste.reporting.results_table import MethodResult

MEASURE_RESNET18 = "modiste bench classic-resnet18 --seeds 2 --set model.weights=imagenet --name resnet18-imagenet"
COMMANDS = {
    **dict.fromkeys(("cnn_accuracy", "cnn_loss"), "modiste bench classic-cnn"),
    **dict.fromkeys(("resnet18_accuracy", "resnet18_loss"), MEASURE_RESNET18),
    "overfit": "modiste train classic-resnet18",
    **dict.fromkeys(("worst", "confused", "best"), "modiste train classic-cnn"),
    **dict.fromkeys(
        ("generalizes", "costs"),
        "modiste bench classic-cnn --set augmentation.random_crop_padding=4 --set augmentation.random_erasing_prob=0.5 "
        "--name classic-cnn-erasing",
    ),
    "xavier": "modiste train classic-cnn --epochs 1 --name default --set model.init=default",
}
"""The command that measures a claim."""

Verdict = Literal["holds", "tied", "fails", "not_measured"]
Translate = Callable[[str], str]
"""Translates a class name, or a word between figures."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The check of a claim.

    Args:
        claim: its key.
        verdict: `tied` where the claim names one class and another one is equal.
        sentence: key of the text that reports the figures.
        values: of the placeholders in the text.
        published: the same check against the results that come with modiste, which does not affect the verdict.
    """

    claim: str
    verdict: Verdict
    sentence: str
    values: Mapping[str, str] = field(default_factory=dict)
    published: "Answer | None" = None


def check_claims(data: ReportData, translate: Translate = str) -> list[Answer]:
    """Check every claim against the user's results, in the order of the course report."""
    published: dict[str, Answer | None] = {
        answer.claim: answer
        for answer in _check_claims(data.published, translate)
        if answer.values and "command" not in answer.values
    }
    published["two_layers"] = published.get("cnn_accuracy")  # the rows of the public leaderboard are in both
    return [replace(answer, published=published.get(answer.claim)) for answer in _check_claims(data.own, translate)]


def _check_claims(all_results: Sequence[MethodResult], translate: Translate) -> list[Answer]:
    """Check every claim against the results on Fashion-MNIST, which the claims are about."""
    results = [result for result in all_results if result.uses_fashion_mnist]
    return [
        *_check_course_figures("cnn", find_result(results, CNN), translate),
        *_check_resnet18(results, translate),
        _check_overfitting(results),
        _check_class("worst", "Shirt", results, lambda each: _describe_recall(each.lowest_recall()), translate),
        _check_class("confused", "T-shirt/top", results, _describe_misclassified_shirts, translate),
        _check_class("best", "Bag", results, lambda each: _describe_recall(each.highest_recall()), translate),
        *_check_crop_and_erasing(find_result(results, CNN_ERASING), find_result(results, CNN), translate),
        _check_xavier(results),
        Answer("batch_norm", "not_measured", "batch_norm"),
        _check_two_layers(find_result(results, CNN)),
    ]


def _not_measured(claim: str, sentence: str = "no_run") -> Answer:
    return Answer(claim, "not_measured", sentence, {"command": COMMANDS[claim]})


def _to_verdict(holds: bool) -> Verdict:
    return "holds" if holds else "fails"


def _check_course_figures(
    network: str, result: MethodResult | None, translate: Translate, suffix: str = ""
) -> list[Answer]:
    """Check that the mean accuracy is at least, and the mean loss at most, that of the course report."""
    if result is None or result.accuracy is None or result.loss is None:
        return [_not_measured(f"{network}_{metric}") for metric in ("accuracy", "loss")]
    loss, accuracy = COURSE_REPORT[network]
    interval = formatting.format_interval(result.interval_images, translate("to"))
    values = {"accuracy": f"{result.accuracy:.2%}", "interval": interval, "n": str(result.n)}
    values |= {"loss": f"{result.loss:.4f}", "limit": f"{loss:.4f}", "epochs": f"{result.epochs:.3g}"}
    return [
        Answer(f"{network}_accuracy", _to_verdict(result.accuracy >= accuracy), f"accuracy{suffix}", values),
        Answer(f"{network}_loss", _to_verdict(result.loss <= loss), f"loss{suffix}", values),
    ]


def _check_resnet18(results: Sequence[MethodResult], translate: Translate) -> list[Answer]:
    """Check the figures of ResNet-18 with ImageNet weights; without these, report those from scratch unchecked."""
    pretrained = [r for r in results if r.network == "resnet18" and r.recipe.model.weights == "imagenet"]
    result = report_data.combine_results(pretrained)
    if result:
        return _check_course_figures("resnet18", result, translate)
    scratch = _check_course_figures("resnet18", find_result(results, RESNET18), translate, "_scratch")
    return [replace(answer, verdict="not_measured") for answer in scratch]


def _check_overfitting(results: Sequence[MethodResult]) -> Answer:
    """Check that after the best epoch of a ResNet-18 validation loss rose while train loss fell."""
    runs = [r for r in results if r.network == "resnet18" and r.history and r.history[0].val_loss is not None]
    if not runs:
        return _not_measured("overfit")
    result = runs[0]
    best, last = result.history[result.best_epoch - 1], result.history[-1]
    before, after = best.val_loss or 0.0, last.val_loss or 0.0
    holds = last.epoch > best.epoch and after > before and last.train_loss < best.train_loss
    values = {"name": result.name, "best": str(best.epoch), "last": str(last.epoch)}
    values |= {"before": f"{before:.4f}", "after": f"{after:.4f}"}
    values |= {"train_before": f"{best.train_loss:.4f}", "train_after": f"{last.train_loss:.4f}"}
    return Answer("overfit", _to_verdict(holds), "overfit", values)


def _check_class(
    claim: str,
    label: str,
    results: Sequence[MethodResult],
    describe: Callable[[Scores], tuple[list[str], str]],
    translate: Translate,
) -> Answer:
    """Check that `describe`, which returns classes and their figure as text, returns this class alone for every run."""
    scores_by_run = {result.name: result.scores for result in results if result.on_fashion_mnist and result.scores}
    if not scores_by_run:
        runs = [result.run.path for result in results if result.run and result.run.model.is_file()]
        if not runs:
            return _not_measured(claim, "no_class_scores")
        return Answer(claim, "not_measured", "no_run", {"command": f"modiste evaluate {shlex.quote(str(runs[0]))}"})
    by_run = {name: describe(scores) for name, scores in scores_by_run.items()}
    verdict: Verdict = "holds" if all(classes == [label] for classes, _ in by_run.values()) else "tied"
    if not all(label in classes for classes, _ in by_run.values()):
        verdict = "fails"
    texts = [f"{name}: {' = '.join(map(translate, classes)) or '-'} {text}" for name, (classes, text) in by_run.items()]
    images = f"{next(iter(scores_by_run.values())).n:,}"
    return Answer(claim, verdict, claim, {"list": translate("; ").join(texts), "images": images, "n": str(len(texts))})


def _describe_recall(classes: Sequence[ClassScore]) -> tuple[list[str], str]:
    return [each.name for each in classes], f"{classes[0].recall or 0:.1%}"


def _describe_misclassified_shirts(scores: Scores) -> tuple[list[str], str]:
    classes, count, errors = scores.most_frequent_errors("Shirt")
    return classes, f"{count} / {errors}"


def _check_crop_and_erasing(
    augmented: MethodResult | None, plain: MethodResult | None, translate: Translate
) -> list[Answer]:
    """Check that random crop and erasing lower the mean test loss, and that they lower the mean test accuracy."""
    if plain is None or augmented is None or plain.loss is None or augmented.loss is None:
        return [_not_measured(claim) for claim in ("generalizes", "costs")]
    change = (augmented.accuracy or 0.0) - (plain.accuracy or 0.0)
    differences = results_table.accuracy_differences(augmented, plain)
    interval = intervals.t_interval(differences)
    text = f"{100 * interval[0]:+.2f} {translate('to')} {100 * interval[1]:+.2f}" if interval else "-"
    values = {"points": f"{100 * change:+.2f}", "interval": text, "n": str(len(differences))}
    for key, result in (("with", augmented), ("without", plain)):
        values |= {key: f"{result.accuracy or 0:.2%}", f"loss_{key}": f"{result.loss:.4f}", f"n_{key}": str(result.n)}
    return [
        Answer("generalizes", _to_verdict(augmented.loss < plain.loss), "generalizes", values),
        Answer("costs", _to_verdict(change < 0), "costs", values),
    ]


def _check_xavier(results: Sequence[MethodResult]) -> Answer:
    """Check that of two runs that differ in initialization alone, Xavier has the lower val loss after one epoch."""
    runs = [result for result in results if result.history and result.history[0].val_loss is not None]
    for xavier in runs:
        for default in runs:
            if results_table.setting_differences(xavier, default) == {"model.init": ("xavier", "default")}:
                losses = [result.history[0].val_loss or 0.0 for result in (xavier, default)]
                texts = {"loss": f"{losses[0]:.4f}", "default_loss": f"{losses[1]:.4f}"}
                names = {"name": xavier.name, "default": default.name}
                return Answer("xavier", _to_verdict(losses[0] < losses[1]), "xavier", names | texts)
    return _not_measured("xavier", "no_pair")


def _check_two_layers(cnn: MethodResult | None) -> Answer:
    """Check that all `2 Conv` rows of the public leaderboard, and the user's CNN, round to 91 to 93 percent."""
    accuracies = [row.accuracy for row in leaderboard.public_table() if row.classifier.startswith("2 Conv")]
    measured = [cnn.accuracy] if cnn and cnn.accuracy is not None else []
    within = [91 <= round(100 * accuracy) <= 93 for accuracy in (*accuracies, *measured)]
    values = {"within": str(sum(within[: len(accuracies)])), "rows": str(len(accuracies))}
    values |= {"low": f"{min(accuracies):.1%}", "high": f"{max(accuracies):.1%}"}
    if cnn and measured:
        values |= {"accuracy": f"{measured[0]:.2%}", "n": str(cnn.n)}
    sentence = "two_layers" if measured else "two_layers_leaderboard"
    return Answer("two_layers", _to_verdict(all(within)), sentence, values)
