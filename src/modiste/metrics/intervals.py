"""The two intervals of an accuracy: over the test images, and over the seeds."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from scipy import stats

LEVEL = 0.95

Interval = tuple[float, float]
"""Lower and upper end, as fractions."""


def wilson_interval(right: int, n: int) -> Interval:
    """95 % interval of a share: what other images of the same kind would give (Wilson 1927).

    Args:
        right: how many of the images were right.
        n: how many images, at least 1.
    """
    found = stats.binomtest(right, n).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def t_interval(values: Sequence[float]) -> Interval | None:
    """95 % interval of the mean over seeds: what other seeds would give (Student 1908); None for fewer than two."""
    if len(values) < 2:
        return None
    reach = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    return fmean(values) - reach, fmean(values) + reach


def summarize(accuracies: Sequence[float], images: int) -> dict[str, Any]:
    """Describe the accuracies of several seeds or folds as results files do.

    Args:
        accuracies: fractions, one a training, at least one.
        images: different ones that all of them were measured on label_groups: the test images for seeds, which share them,
            so that more seeds do not narrow this interval; the sum over the folds, each of which holds its own.

    Returns:
        `mean`, `sd` (None for one training), `interval_seeds` (likewise) and `interval_images`.
    """
    mean = fmean(accuracies)
    return {
        "mean": mean,
        "sd": stdev(accuracies) if len(accuracies) > 1 else None,
        "interval_seeds": t_interval(accuracies),
        "interval_images": wilson_interval(round(mean * images), images),
    }
