"""Claims about the class with the lowest or highest recall, or with the most confusions, in the scores of each run."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modiste.metrics import intervals
from modiste.metrics.intervals import Interval
from modiste.metrics.scores import ClassScore, Scores
from modiste.reporting.claims.answer import Answer, Translate, combine, not_measured, to_verdict
from modiste.reporting.results_table import MethodResult


@dataclass(frozen=True, slots=True)
class ClassFinding:
    """The class that a claim is about, and those that the scores have in its place.

    Args:
        classes: the class with the figure that the claim is about; several when they tie.
        figure: of these, as text.
        lead: 95 % interval of how far the claimed class is ahead of the next one, or behind the first; below 0 if
            another class is in its place. None without figures.
    """

    classes: list[str]
    figure: str
    lead: Interval | None


def check_classes(results: Sequence[MethodResult], translate: Translate) -> list[Answer]:
    """Check the claims about classes in each run: each holds if it does in all, and fails if it does in one."""
    return [
        _check_class("worst", results, lambda scores: find_lowest_recall(scores, "Shirt"), translate),
        _check_class("confused", results, lambda scores: find_confusion(scores, "Shirt", "T-shirt/top"), translate),
        _check_class("best", results, lambda scores: find_highest_recall(scores, "Bag"), translate),
    ]


def _check_class(
    claim: str, results: Sequence[MethodResult], find: Callable[[Scores], ClassFinding], translate: Translate
) -> Answer:
    scores_by_run = {result.name: result.scores for result in results if result.on_fashion_mnist and result.scores}
    if not scores_by_run:
        runs = [result.run.path for result in results if result.run and result.run.model.is_file()]
        if not runs:
            return not_measured(claim, "no_class_scores")
        return Answer(claim, "not_measured", "no_run", {"command": f"modiste evaluate {shlex.quote(str(runs[0]))}"})
    findings = {name: find(scores) for name, scores in scores_by_run.items()}
    verdict = combine({to_verdict(finding.lead, low=0.0) for finding in findings.values()})
    texts = [
        f"{name}: {' = '.join(map(translate, finding.classes)) or '-'} {finding.figure}"
        for name, finding in findings.items()
    ]
    images = f"{next(iter(scores_by_run.values())).n:,}"
    return Answer(claim, verdict, claim, {"list": translate("; ").join(texts), "images": images, "n": str(len(texts))})


def find_lowest_recall(scores: Scores, claimed: str) -> ClassFinding:
    """Find the class with the lowest recall; the lead is the least recall of another class minus the claimed one's."""
    return _find_recall(scores, scores.lowest_recall(), claimed, sign=-1)


def find_highest_recall(scores: Scores, claimed: str) -> ClassFinding:
    """Find the class with the highest recall; the lead is that of the claimed class minus the best of another."""
    return _find_recall(scores, scores.highest_recall(), claimed, sign=1)


def _find_recall(scores: Scores, best: Sequence[ClassScore], claimed: str, sign: int) -> ClassFinding:
    figure = f"{best[0].recall or 0:.1%}" if best else "-"
    own = next((each for each in scores.per_class if each.name == claimed and each.support), None)
    others = [each for each in scores.per_class if each.name != claimed and each.support]
    lead = None
    if own and others:
        rival = max(others, key=lambda each: sign * (each.recall or 0.0))
        counts = [(round((each.recall or 0.0) * each.support), each.support) for each in (own, rival)]
        low, high = intervals.share_difference(*counts)
        lead = (low, high) if sign > 0 else (-high, -low)
    return ClassFinding([each.name for each in best], figure, lead)


def find_confusion(scores: Scores, label: str, claimed: str) -> ClassFinding:
    """Find the class that images of another are mostly mistaken for.

    The lead is over the errors of the claimed class and the next one: its share of both, minus one half.
    """
    names = [each.name for each in scores.per_class]
    if not {label, claimed} <= set(names):
        return ClassFinding([], "-", None)  # the classes have other names
    classes, count, errors = scores.most_frequent_errors(label)
    counts = dict(zip(names, scores.confusion_matrix[names.index(label)], strict=True))
    rival = max(count for name, count in counts.items() if name not in (label, claimed))
    lead = None
    if counts[claimed] + rival:
        low, high = intervals.wilson_interval(counts[claimed], counts[claimed] + rival)
        lead = (low - 0.5, high - 0.5)
    return ClassFinding(classes, f"{count} / {errors}", lead)
