"""Claims about the class with the lowest or highest recall, or with the most confusions, in the scores of methods."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modiste.metrics import intervals
from modiste.metrics.intervals import Interval
from modiste.reporting import pairwise
from modiste.reporting.claims.answer import Answer, Translate, combine, not_measured, to_verdict
from modiste.reporting.results_table import MethodResult


@dataclass(frozen=True, slots=True)
class Confusion:
    """The mean confusion matrix over the seeds of a method, float64 [k, k] of [true, predicted], and the k classes.

    Seeds share the test images, so the counts are those of one test split.
    """

    counts: NDArray[np.float64]
    class_names: list[str]


@dataclass(frozen=True, slots=True)
class ClassFinding:
    """The class that a claim is about, and those that the scores have in its place.

    Args:
        classes: the class with the figure that the claim is about; several when they tie.
        figure: of these, as text.
        lead: 95 % interval, over images, of how far the claimed class is ahead of the next one, or behind the first;
            below 0 if another class is in its place. None without figures.
    """

    classes: list[str]
    figure: str
    lead: Interval | None


def check_classes(results: Sequence[MethodResult], translate: Translate) -> list[Answer]:
    """Check the claims about classes for each method: each holds if it does for all, and fails if it does for one."""
    return [
        _check_class("worst", results, lambda confusion: find_recall(confusion, "Shirt", sign=-1), translate),
        _check_class("confused", results, lambda confusion: find_error(confusion, "Shirt", "T-shirt/top"), translate),
        _check_class("best", results, lambda confusion: find_recall(confusion, "Bag", sign=1), translate),
    ]


def _check_class(
    claim: str, results: Sequence[MethodResult], find: Callable[[Confusion], ClassFinding], translate: Translate
) -> Answer:
    scored = [result for result in results if result.on_fashion_mnist and result.scores]
    if not scored:
        runs = [result.run.path for result in results if result.run and result.run.model.is_file()]
        if not runs:
            return not_measured(claim, "no_class_scores")
        return Answer(claim, "not_measured", "no_run", {"command": f"modiste evaluate {shlex.quote(str(runs[0]))}"})
    methods = pairwise.pool_methods(scored)
    findings = {f"{method.name} (n = {len(method.parts)})": find(_mean_confusion(method.parts)) for method in methods}
    verdict = combine({to_verdict(finding.lead, low=0.0) for finding in findings.values()})
    texts = [
        f"{name}: {' = '.join(map(translate, finding.classes)) or '-'} {finding.figure}"
        for name, finding in findings.items()
    ]
    values = {"list": translate("; ").join(texts), "images": f"{scored[0].images:,}"}
    return Answer(claim, verdict, claim, values)


def _mean_confusion(runs: Sequence[MethodResult]) -> Confusion:
    scores = [run.scores for run in runs if run.scores]
    counts = np.mean([each.confusion_matrix for each in scores], axis=0)
    return Confusion(counts, [each.name for each in scores[0].per_class])


def find_recall(confusion: Confusion, claimed: str, sign: int) -> ClassFinding:
    """Find the class with the highest recall, with a sign of -1 that with the lowest.

    The lead is the recall of the claimed class minus that of the best other one, with a sign of -1 the lowest recall of
    another class minus that of the claimed one.
    """
    hits, support = np.diag(confusion.counts), confusion.counts.sum(1)
    recalls = {
        name: float(hit / images)
        for name, hit, images in zip(confusion.class_names, hits, support, strict=True)
        if images
    }
    extreme = max(recalls.values(), key=lambda recall: sign * recall)
    lead = None
    if claimed in recalls and len(recalls) > 1:
        rival = max((name for name in recalls if name != claimed), key=lambda name: sign * recalls[name])
        places = [confusion.class_names.index(name) for name in (claimed, rival)]
        low, high = intervals.share_difference(*((round(hits[place]), round(support[place])) for place in places))
        lead = (low, high) if sign > 0 else (-high, -low)
    return ClassFinding([name for name, recall in recalls.items() if recall == extreme], f"{extreme:.1%}", lead)


def find_error(confusion: Confusion, label: str, claimed: str) -> ClassFinding:
    """Find the class that images of another are mostly mistaken for.

    The lead is over the errors of the claimed class and the next one: its share of both, minus one half.
    """
    if not {label, claimed} <= set(confusion.class_names):
        return ClassFinding([], "-", None)  # the classes have other names
    row = confusion.counts[confusion.class_names.index(label)]
    errors = {name: float(n) for name, n in zip(confusion.class_names, row, strict=True) if name != label}
    most, rival = max(errors.values()), max(n for name, n in errors.items() if name != claimed)
    lead = None
    if errors[claimed] + rival:
        low, high = intervals.wilson_interval(round(errors[claimed]), round(errors[claimed] + rival))
        lead = (low - 0.5, high - 0.5)
    classes = [name for name, n in errors.items() if n == most > 0]
    return ClassFinding(classes, f"{most:.4g} / {sum(errors.values()):.4g}", lead)
