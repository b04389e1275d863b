"""Claims about the test accuracy and loss of methods, alone or against one another."""

import math
from collections.abc import Sequence
from dataclasses import replace

from modiste.metrics import intervals
from modiste.metrics.significance import Comparison
from modiste.reporting import formatting, leaderboard, report_data
from modiste.reporting.claims.answer import (
    Answer,
    Translate,
    combine,
    format_loss_interval,
    interval_of,
    not_measured,
    to_verdict,
    verdict_of,
)
from modiste.reporting.claims.pairs import compare_seeds, find_pair
from modiste.reporting.experiment_results import Experiment
from modiste.reporting.report_data import CNN, CNN_ERASING, COURSE_REPORT, RESNET18, find_result
from modiste.reporting.results_table import MethodResult, has_same_precision


def check_course_figures(
    network: str, result: MethodResult | None, translate: Translate, suffix: str = ""
) -> list[Answer]:
    """Check that the mean accuracy is at least, and the mean loss at most, that of the course report.

    The interval of the accuracy is over images and seeds together; that of the loss over seeds.
    """
    if result is None or result.accuracy is None or result.loss is None:
        return [not_measured(f"{network}_{metric}") for metric in ("accuracy", "loss")]
    loss, accuracy = COURSE_REPORT[network]
    interval = intervals.combined_interval(result.accuracies, result.images)
    loss_interval = intervals.t_interval(list(result.by_seed("loss").values()))
    to = translate("to")
    values = {"accuracy": f"{result.accuracy:.2%}", "interval": formatting.format_interval(interval, to)}
    values |= {"n": str(result.n), "loss_interval": format_loss_interval(loss_interval, to)}
    values |= {"loss": f"{result.loss:.4f}", "limit": f"{loss:.4f}", "epochs": f"{result.epochs:.3g}"}
    return [
        Answer(f"{network}_accuracy", to_verdict(interval, low=accuracy), f"accuracy{suffix}", values),
        Answer(f"{network}_loss", to_verdict(loss_interval, high=loss), f"loss{suffix}", values),
    ]


def check_resnet18(results: Sequence[MethodResult], translate: Translate) -> list[Answer]:
    """Check the figures of ResNet-18 with ImageNet weights; without these, report those from scratch unchecked."""
    pretrained = [r for r in results if r.network == "resnet18" and r.recipe.model.weights == "imagenet"]
    result = report_data.combine_results(pretrained)
    if result:
        return check_course_figures("resnet18", result, translate)
    scratch = check_course_figures("resnet18", find_result(results, RESNET18), translate, "_scratch")
    return [replace(answer, verdict="not_measured") for answer in scratch]


def check_cnn_better(results: Sequence[MethodResult], translate: Translate) -> Answer:
    """Check that the accuracy of the CNN is higher than that of ResNet-18 from random weights, over seeds."""
    cnn, resnet18 = find_result(results, CNN), find_result(results, RESNET18)
    if cnn is None or resnet18 is None or not has_same_precision(cnn, resnet18):
        return not_measured("cnn_better")
    verdict = verdict_of(_compare(cnn, resnet18, "accuracy"), low=math.ulp(0))
    return Answer("cnn_better", verdict, "cnn_better", _values(cnn, resnet18, translate))


def check_crop_and_erasing(results: Sequence[MethodResult], translate: Translate) -> list[Answer]:
    """Check that random crop and erasing lower the test loss, and that they lower the test accuracy, over seeds."""
    augmented, plain = find_result(results, CNN_ERASING), find_result(results, CNN)
    if plain is None or augmented is None or not has_same_precision(plain, augmented):
        return [not_measured(claim) for claim in ("generalizes", "costs")]
    values = _values(augmented, plain, translate)
    verdicts = [verdict_of(_compare(augmented, plain, score), high=0.0) for score in ("loss", "accuracy")]
    claims = zip(("generalizes", "costs"), verdicts, strict=True)
    return [Answer(claim, verdict, claim, values) for claim, verdict in claims]


def check_stopping(results: Sequence[MethodResult], translate: Translate) -> Answer:
    """Check that ResNet-18 has a lower test loss if its training is stopped early than if it is trained to the end."""
    tested = [result for result in results if result.network == "resnet18" and result.split == "test"]
    pair = find_pair(tested, "early_stopping.patience", lambda patience, other: patience > 0 and other == 0)
    if pair is None:
        return not_measured("stopping")
    values = _values(*pair, translate) | {"name": pair[0].name}
    return Answer("stopping", verdict_of(_compare(*pair, "loss"), high=0.0), "stopping", values)


def check_tuning(experiments: Sequence[Experiment], translate: Translate) -> Answer:
    """Report how much more accurate tuned settings of the CNN are than its own, on folds that none was chosen on.

    The interval is over folds, which share training images, so it is approximate and allows no verdict.
    """
    for search in experiments:
        if search.trials and len(search.methods) == 2 and search.unchanged.network == CNN.model.name:
            unchanged, tuned = search.methods
            verdict = verdict_of(_compare(tuned, unchanged, "accuracy"), low=math.ulp(0))
            values = _values(tuned, unchanged, translate) | {"trials": str(search.trials)}
            return Answer("tuning", verdict, "tuning", values)
    return not_measured("tuning")


def _compare(first: MethodResult, second: MethodResult, score: str) -> Comparison | None:
    """Compare two methods in a score; None with fewer than two trainings of each."""
    return compare_seeds(first.by_seed(score), second.by_seed(score), first.unit)


def _values(first: MethodResult, second: MethodResult, translate: Translate) -> dict[str, str]:
    """Return accuracy, loss and n of two methods, and their differences with intervals, over the seeds compared."""
    to, accuracy, loss = translate("to"), _compare(first, second, "accuracy"), _compare(first, second, "loss")
    difference = accuracy.difference if accuracy else (first.accuracy or 0) - (second.accuracy or 0)
    values = {"points": f"{100 * difference:+.2f}"}
    values["interval"] = formatting.format_interval(interval_of(accuracy), to)
    values["loss_interval"] = format_loss_interval(interval_of(loss), to)
    for key, result in (("first", first), ("second", second)):
        values |= {key: formatting.format_percent(result.accuracy), f"n_{key}": str(result.n)}
        values[f"loss_{key}"] = formatting.format_loss(result.loss)
    return values


def check_two_layers(cnn: MethodResult | None) -> Answer:
    """Check that all `2 Conv` rows of the public leaderboard, and the user's CNN, round to 91 to 93 percent.

    The claim fails if the interval of one of them lies outside; a row has that over the test images.
    """
    rows = [row.accuracy for row in leaderboard.public_table() if row.classifier.startswith("2 Conv")]
    each = [intervals.combined_interval([accuracy], leaderboard.TEST_IMAGES) for accuracy in rows]
    if cnn and cnn.accuracies:
        each.append(intervals.combined_interval(cnn.accuracies, cnn.images))
    verdict = combine({to_verdict(interval, 0.905, 0.935) for interval in each})
    values = {"within": str(sum(91 <= round(100 * accuracy) <= 93 for accuracy in rows)), "rows": str(len(rows))}
    values |= {"low": f"{min(rows):.1%}", "high": f"{max(rows):.1%}"}
    values["outside"] = str(sum(to_verdict(interval, 0.905, 0.935) == "fails" for interval in each[: len(rows)]))
    if cnn and cnn.accuracies:
        values |= {"accuracy": f"{cnn.accuracy:.2%}", "n": str(cnn.n)}
    return Answer("two_layers", verdict, "two_layers" if "n" in values else "two_layers_leaderboard", values)
