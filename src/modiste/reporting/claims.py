"""The claims of the course report, each checked against measured results.

The rule of each check is in the docstring of its function. The sentences that report the figures are texts of the
report, one file per language.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from modiste.labels import FASHION_MNIST
from modiste.metrics import intervals
from modiste.metrics.scores import ClassScore, Scores
from modiste.reporting import formatting, leaderboard, results_table
from modiste.reporting.report_data import (
    CNN,
    CNN_ERASING,
    COURSE_REPORT,
    RESNET18,
    ReportData,
    combine_results,
    find_result,
)
from modiste.reporting.results_table import MethodResult

BENCH_RESNET18 = "modiste bench classic-resnet18 --seeds 2"
BENCH_ERASING = (
    "modiste bench classic-cnn --set augmentation.random_crop_padding=4 --set augmentation.random_erasing_prob=0.5 "
    "--name classic-cnn-erasing"
)
COMMANDS = {
    "cnn_accuracy": "modiste bench classic-cnn",
    "cnn_loss": "modiste bench classic-cnn",
    "resnet18_accuracy": BENCH_RESNET18,
    "resnet18_loss": BENCH_RESNET18,
    "overfit": "modiste train classic-resnet18",
    "worst": "modiste evaluate RUN",
    "confused": "modiste evaluate RUN",
    "best": "modiste evaluate RUN",
    "generalizes": BENCH_ERASING,
    "costs": BENCH_ERASING,
    "xavier": "modiste train classic-cnn --epochs 1 --name default --set model.init=default",
}
"""The command that measures a claim."""

Verdict = Literal["holds", "tied", "fails", "not_measured"]
Translate = Callable[[str], str]
"""Translates a class name, or a word between figures, into the language of the report."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The check of a claim.

    Args:
        claim: its key.
        verdict: `tied` where the claim names one class and another one is equal.
        sentence: key of the sentence that reports the figures.
        values: of the placeholders in the sentence.
        published: the same check against the results that come with modiste, which has no part in the verdict; None
            without such results.
    """

    claim: str
    verdict: Verdict
    sentence: str
    values: Mapping[str, str] = field(default_factory=dict)
    published: "Answer | None" = None

    @property
    def has_figures(self) -> bool:
        """Whether the sentence reports measurements."""
        return bool(self.values) and "command" not in self.values


def check_claims(data: ReportData, translate: Translate = str) -> list[Answer]:
    """Check every claim against the user's results, in the order of the course report."""
    published = {answer.claim: answer for answer in _check_all(data.published, translate)}
    published["two_layers"] = published["cnn_accuracy"]  # the rows of the public leaderboard are in both
    return [
        replace(answer, published=other if (other := published[answer.claim]).has_figures else None)
        for answer in _check_all(data.own, translate)
    ]


def _check_all(results: Sequence[MethodResult], translate: Translate) -> list[Answer]:
    tested = [result for result in results if result.on_fashion_mnist and _has_fashion_mnist_classes(result)]
    return [
        *_check_course_figures("cnn", find_result(results, CNN), translate),
        *_check_resnet18(results, translate),
        _check_overfitting(results),
        _check_recall("worst", "Shirt", tested, Scores.lowest_recall, translate),
        _check_confusion(tested, translate),
        _check_recall("best", "Bag", tested, Scores.highest_recall, translate),
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
    values = {
        "accuracy": f"{result.accuracy:.2%}",
        "interval": formatting.format_interval(result.interval_images, translate("to")),
        "loss": f"{result.loss:.4f}",
        "limit": f"{loss:.4f}",
        "n": str(result.n),
        "epochs": f"{result.epochs:.3g}",
    }
    return [
        Answer(f"{network}_accuracy", _to_verdict(result.accuracy >= accuracy), f"accuracy{suffix}", values),
        Answer(f"{network}_loss", _to_verdict(result.loss <= loss), f"loss{suffix}", values),
    ]


def _check_resnet18(results: Sequence[MethodResult], translate: Translate) -> list[Answer]:
    """Check the figures of ResNet-18 with ImageNet weights; without these, report those from scratch unchecked."""
    pretrained = [r for r in results if r.network == "resnet18" and r.recipe.model.weights == "imagenet"]
    result = combine_results(pretrained)
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
    values = {
        "name": result.name,
        "best": str(best.epoch),
        "last": str(last.epoch),
        "before": f"{before:.4f}",
        "after": f"{after:.4f}",
        "train_before": f"{best.train_loss:.4f}",
        "train_after": f"{last.train_loss:.4f}",
    }
    return Answer("overfit", _to_verdict(holds), "overfit", values)


def _has_fashion_mnist_classes(result: MethodResult) -> bool:
    """Return whether the classes are those of Fashion-MNIST."""
    return result.scores is not None and tuple(c.name for c in result.scores.per_class) == FASHION_MNIST


def _compare_classes(label: str, classes_by_run: Collection[set[str]]) -> Verdict:
    """Return whether a class is the only one of its kind in every run, or ties with others in some."""
    if not all(label in classes for classes in classes_by_run):
        return "fails"
    return "holds" if all(len(classes) == 1 for classes in classes_by_run) else "tied"


def _check_recall(
    claim: str,
    label: str,
    runs: Sequence[MethodResult],
    select: Callable[[Scores], tuple[ClassScore, ...]],
    translate: Translate,
) -> Answer:
    """Check that in every run one class, and no other, has the lowest or the highest recall."""
    if not runs:
        return _not_measured(claim)
    classes_by_run = {result.name: select(result.scores) for result in runs if result.scores}
    texts = [
        f"{name}: {' = '.join(translate(each.name) for each in classes)} {classes[0].recall or 0:.1%}"
        for name, classes in classes_by_run.items()
    ]
    verdict = _compare_classes(label, [{each.name for each in classes} for classes in classes_by_run.values()])
    values = {"list": translate("; ").join(texts), "images": f"{runs[0].images:,}", "n": str(len(runs))}
    return Answer(claim, verdict, claim, values)


def _check_confusion(runs: Sequence[MethodResult], translate: Translate) -> Answer:
    """Check that in every run most of the misclassified shirts are predicted to be T-shirts."""
    if not runs:
        return _not_measured("confused")
    texts, classes_by_run = [], []
    for name, scores in ((result.name, result.scores) for result in runs if result.scores):
        classes, count, errors = most_frequent_errors(scores, "Shirt")
        texts.append(f"{name}: {' = '.join(map(translate, classes)) or '-'} {count} / {errors}")
        classes_by_run.append(set(classes))
    values = {"list": translate("; ").join(texts), "n": str(len(runs))}
    return Answer("confused", _compare_classes("T-shirt/top", classes_by_run), "confused", values)


def most_frequent_errors(scores: Scores, label: str) -> tuple[list[str], int, int]:
    """Find the wrong class that is most often predicted for the images of a class.

    Returns:
        Its name, or several names when they tie, or none without errors; number of these errors; number of all errors.
    """
    names = [each.name for each in scores.per_class]
    counts = dict(zip(names, scores.confusion_matrix[names.index(label)], strict=True))
    del counts[label]
    most = max(counts.values())
    return [name for name, count in counts.items() if count == most > 0], most, sum(counts.values())


def _check_crop_and_erasing(
    augmented: MethodResult | None, plain: MethodResult | None, translate: Translate
) -> list[Answer]:
    """Check that random crop and erasing lower the mean test loss, and that they lower the mean test accuracy."""
    if plain is None or augmented is None or plain.loss is None or augmented.loss is None:
        return [_not_measured(claim) for claim in ("generalizes", "costs")]
    differences = accuracy_differences(augmented, plain)
    mean = (augmented.accuracy or 0.0) - (plain.accuracy or 0.0)
    interval = intervals.t_interval(differences)
    values = {
        "with": f"{augmented.accuracy or 0:.2%}",
        "without": f"{plain.accuracy or 0:.2%}",
        "loss_with": f"{augmented.loss:.4f}",
        "loss_without": f"{plain.loss:.4f}",
        "points": f"{100 * mean:+.2f}",
        "interval": f"{100 * interval[0]:+.2f} {translate('to')} {100 * interval[1]:+.2f}" if interval else "-",
        "n": str(len(differences)),
        "n_with": str(augmented.n),
        "n_without": str(plain.n),
    }
    return [
        Answer("generalizes", _to_verdict(augmented.loss < plain.loss), "generalizes", values),
        Answer("costs", _to_verdict(mean < 0), "costs", values),
    ]


def accuracy_differences(result: MethodResult, baseline: MethodResult) -> list[float]:
    """Return the difference in accuracy to the baseline for each seed that both have."""
    by_seed = {outcome.seed: outcome.accuracy for outcome in baseline.run_results}
    pairs = [(outcome.accuracy, by_seed.get(outcome.seed)) for outcome in result.run_results]
    return [accuracy - other for accuracy, other in pairs if accuracy is not None and other is not None]


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
    values = {
        "within": str(sum(within[: len(accuracies)])),
        "rows": str(len(accuracies)),
        "low": f"{min(accuracies):.1%}",
        "high": f"{max(accuracies):.1%}",
    }
    if cnn and measured:
        values |= {"accuracy": f"{measured[0]:.2%}", "n": str(cnn.n)}
    sentence = "two_layers" if measured else "two_layers_leaderboard"
    return Answer("two_layers", _to_verdict(all(within)), sentence, values)
