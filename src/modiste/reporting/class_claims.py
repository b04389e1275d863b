"""Claims about the class with the lowest or highest recall, or with the most confusions, in the scores of one run."""

from collections.abc import Sequence
from dataclasses import dataclass

from modiste.metrics import intervals
from modiste.metrics.intervals import Interval
from modiste.metrics.scores import ClassScore, Scores


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
    classes, count, errors = scores.most_frequent_errors(label)
    names = [each.name for each in scores.per_class]
    counts = dict(zip(names, scores.confusion_matrix[names.index(label)], strict=True))
    rival = max(count for name, count in counts.items() if name not in (label, claimed))
    lead = None
    if counts[claimed] + rival:
        low, high = intervals.wilson_interval(counts[claimed], counts[claimed] + rival)
        lead = (low - 0.5, high - 0.5)
    return ClassFinding(classes, f"{count} / {errors}", lead)
