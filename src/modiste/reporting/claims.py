"""The claims of the course report, each checked against measured results.

A claim holds, or does not hold, only where a 95 % interval says so; otherwise it cannot be distinguished here. The rule
of each check is in the docstring of its function.
"""

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Literal

from modiste.metrics import intervals, significance
from modiste.metrics.intervals import Interval
from modiste.metrics.scores import Scores
from modiste.metrics.significance import Comparison
from modiste.reporting import class_claims, formatting, leaderboard, report_data, results_table
from modiste.reporting.class_claims import ClassFinding
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

Verdict = Literal["holds", "fails", "not_distinguishable", "not_measured"]
Translate = Callable[[str], str]
"""Translates a class name, or a word between figures."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The check of a claim.

    Args:
        claim: its key.
        verdict: `not_distinguishable` where the interval allows both.
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
        _check_overfitting(results, translate),
        _check_class("worst", results, lambda each: class_claims.find_lowest_recall(each, "Shirt"), translate),
        _check_class(
            "confused", results, lambda each: class_claims.find_confusion(each, "Shirt", "T-shirt/top"), translate
        ),
        _check_class("best", results, lambda each: class_claims.find_highest_recall(each, "Bag"), translate),
        *_check_crop_and_erasing(find_result(results, CNN_ERASING), find_result(results, CNN), translate),
        _check_xavier(results, translate),
        Answer("batch_norm", "not_measured", "batch_norm"),
        _check_two_layers(find_result(results, CNN)),
    ]


def _not_measured(claim: str, sentence: str = "no_run") -> Answer:
    return Answer(claim, "not_measured", sentence, {"command": COMMANDS[claim]})


def _to_verdict(interval: Interval | None, low: float = -math.inf, high: float = math.inf) -> Verdict:
    """Return whether an interval lies within bounds, outside of them, or neither; without one, neither."""
    if interval is None:
        return "not_distinguishable"
    if low <= interval[0] and interval[1] <= high:
        return "holds"
    return "fails" if interval[1] < low or high < interval[0] else "not_distinguishable"


def _combine(verdicts: set[Verdict]) -> Verdict:
    """Return the verdict on a claim that holds if it holds each time, and fails if it fails once."""
    return "fails" if "fails" in verdicts else "holds" if verdicts == {"holds"} else "not_distinguishable"


def _check_course_figures(
    network: str, result: MethodResult | None, translate: Translate, suffix: str = ""
) -> list[Answer]:
    """Check that the mean accuracy is at least, and the mean loss at most, that of the course report.

    The interval of the accuracy is over images and seeds together; that of the loss over seeds.
    """
    if result is None or result.accuracy is None or result.loss is None:
        return [_not_measured(f"{network}_{metric}") for metric in ("accuracy", "loss")]
    loss, accuracy = COURSE_REPORT[network]
    interval = intervals.combined_interval(result.accuracies, result.images)
    loss_interval = intervals.t_interval(list(result.by_seed("loss").values()))
    to = translate("to")
    values = {"accuracy": f"{result.accuracy:.2%}", "interval": formatting.format_interval(interval, to)}
    values |= {"n": str(result.n), "loss_interval": _format_loss_interval(loss_interval, to)}
    values |= {"loss": f"{result.loss:.4f}", "limit": f"{loss:.4f}", "epochs": f"{result.epochs:.3g}"}
    return [
        Answer(f"{network}_accuracy", _to_verdict(interval, low=accuracy), f"accuracy{suffix}", values),
        Answer(f"{network}_loss", _to_verdict(loss_interval, high=loss), f"loss{suffix}", values),
    ]


def _interval(comparison: Comparison | None) -> Interval | None:
    """Return the interval of a comparison; None where there is no comparison or no spread."""
    return comparison.interval if comparison else None


def _format_loss_interval(interval: Interval | None, to: str) -> str:
    return "-" if interval is None else f"{interval[0]:.4f} {to} {interval[1]:.4f}"


def _check_resnet18(results: Sequence[MethodResult], translate: Translate) -> list[Answer]:
    """Check the figures of ResNet-18 with ImageNet weights; without these, report those from scratch unchecked."""
    pretrained = [r for r in results if r.network == "resnet18" and r.recipe.model.weights == "imagenet"]
    result = report_data.combine_results(pretrained)
    if result:
        return _check_course_figures("resnet18", result, translate)
    scratch = _check_course_figures("resnet18", find_result(results, RESNET18), translate, "_scratch")
    return [replace(answer, verdict="not_measured") for answer in scratch]


def _check_overfitting(results: Sequence[MethodResult], translate: Translate) -> Answer:
    """Check that after the best epoch of a ResNet-18 validation loss rose while train loss fell.

    It needs two runs of the same method that differ in their seed: the interval of the rise is over these.
    """
    runs = [r for r in results if r.network == "resnet18" and r.history and r.history[0].val_loss is not None]
    if not runs:
        return _not_measured("overfit")
    first, same = runs[0], [run for run in runs if not results_table.setting_differences(run, runs[0])]
    ends = [(run.history[run.best_epoch - 1], run.history[-1]) for run in same]
    rises = [(last.val_loss or 0.0) - (best.val_loss or 0.0) for best, last in ends]
    train_rises = [last.train_loss - best.train_loss for best, last in ends]
    verdict = _to_verdict(intervals.t_interval(rises), low=math.ulp(0))
    if verdict == "holds":
        verdict = _to_verdict(intervals.t_interval(train_rises), high=-math.ulp(0))
    best, last = ends[0]
    values = {"name": first.name, "best": str(best.epoch), "last": str(last.epoch), "n": str(len(same))}
    values |= {"before": f"{best.val_loss or 0:.4f}", "after": f"{last.val_loss or 0:.4f}"}
    values |= {"train_before": f"{best.train_loss:.4f}", "train_after": f"{last.train_loss:.4f}"}
    values["interval"] = _format_loss_interval(intervals.t_interval(rises), translate("to"))
    return Answer("overfit", verdict, "overfit", values)


def _check_class(
    claim: str, results: Sequence[MethodResult], find: Callable[[Scores], ClassFinding], translate: Translate
) -> Answer:
    """Check a claim about a class in each run: it holds if it does in all, and does not if it does not in one."""
    scores_by_run = {result.name: result.scores for result in results if result.on_fashion_mnist and result.scores}
    if not scores_by_run:
        runs = [result.run.path for result in results if result.run and result.run.model.is_file()]
        if not runs:
            return _not_measured(claim, "no_class_scores")
        return Answer(claim, "not_measured", "no_run", {"command": f"modiste evaluate {shlex.quote(str(runs[0]))}"})
    findings = {name: find(scores) for name, scores in scores_by_run.items()}
    verdict = _combine({_to_verdict(finding.lead, low=0.0) for finding in findings.values()})
    texts = [
        f"{name}: {' = '.join(map(translate, finding.classes)) or '-'} {finding.figure}"
        for name, finding in findings.items()
    ]
    images = f"{next(iter(scores_by_run.values())).n:,}"
    return Answer(claim, verdict, claim, {"list": translate("; ").join(texts), "images": images, "n": str(len(texts))})


def _check_crop_and_erasing(
    augmented: MethodResult | None, plain: MethodResult | None, translate: Translate
) -> list[Answer]:
    """Check that random crop and erasing lower the test loss, and that they lower the test accuracy, over seeds."""
    if plain is None or augmented is None or plain.loss is None or augmented.loss is None:
        return [_not_measured(claim) for claim in ("generalizes", "costs")]
    loss, accuracy = (
        _interval(significance.compare_runs(augmented.by_seed(score), plain.by_seed(score)))
        for score in ("loss", "accuracy")
    )
    change, to = (augmented.accuracy or 0.0) - (plain.accuracy or 0.0), translate("to")
    values = {"points": f"{100 * change:+.2f}"}
    values["interval"] = formatting.format_interval(accuracy, to)
    values["loss_interval"] = _format_loss_interval(loss, to)
    for key, result in (("with", augmented), ("without", plain)):
        values |= {key: f"{result.accuracy or 0:.2%}", f"loss_{key}": f"{result.loss:.4f}", f"n_{key}": str(result.n)}
    return [
        Answer("generalizes", _to_verdict(loss, high=0.0), "generalizes", values),
        Answer("costs", _to_verdict(accuracy, high=0.0), "costs", values),
    ]


def _check_xavier(results: Sequence[MethodResult], translate: Translate) -> Answer:
    """Check that of runs that differ in initialization alone, Xavier has the lower val loss after one epoch.

    The interval of the difference is over seeds; it needs two of each.
    """
    runs = [result for result in results if result.history and result.history[0].val_loss is not None]
    for xavier in runs:
        for default in runs:
            if results_table.setting_differences(xavier, default) == {"model.init": ("xavier", "default")}:
                losses, others = (_losses_after_one_epoch(runs, method) for method in (xavier, default))
                interval = _interval(significance.compare_runs(losses, others))
                values = {"name": xavier.name, "default": default.name, "n": f"{len(losses)} / {len(others)}"}
                means = {"loss": fmean(losses.values()), "default_loss": fmean(others.values())}
                values |= {key: f"{mean:.4f}" for key, mean in means.items()}
                values["interval"] = _format_loss_interval(interval, translate("to"))
                return Answer("xavier", _to_verdict(interval, high=0.0), "xavier", values)
    return _not_measured("xavier", "no_pair")


def _losses_after_one_epoch(runs: Sequence[MethodResult], method: MethodResult) -> dict[tuple[int, int], float]:
    """Return the validation loss after one epoch of all runs of a method, by seed and fold."""
    same = [run for run in runs if not results_table.setting_differences(run, method)]
    return {(run.run_results[0].seed, run.run_results[0].fold): run.history[0].val_loss or 0.0 for run in same}


def _check_two_layers(cnn: MethodResult | None) -> Answer:
    """Check that all `2 Conv` rows of the public leaderboard, and the user's CNN, round to 91 to 93 percent.

    The claim fails if the interval of one of them lies outside; a row has that over the test images.
    """
    rows = [row.accuracy for row in leaderboard.public_table() if row.classifier.startswith("2 Conv")]
    each = [intervals.combined_interval([accuracy], leaderboard.TEST_IMAGES) for accuracy in rows]
    if cnn and cnn.accuracies:
        each.append(intervals.combined_interval(cnn.accuracies, cnn.images))
    verdict = _combine({_to_verdict(interval, 0.905, 0.935) for interval in each})
    values = {"within": str(sum(91 <= round(100 * accuracy) <= 93 for accuracy in rows)), "rows": str(len(rows))}
    values |= {"low": f"{min(rows):.1%}", "high": f"{max(rows):.1%}"}
    values["outside"] = str(sum(_to_verdict(interval, 0.905, 0.935) == "fails" for interval in each[: len(rows)]))
    if cnn and cnn.accuracies:
        values |= {"accuracy": f"{cnn.accuracy:.2%}", "n": str(cnn.n)}
    return Answer("two_layers", verdict, "two_layers" if "n" in values else "two_layers_leaderboard", values)
