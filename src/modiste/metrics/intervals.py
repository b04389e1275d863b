"""Confidence intervals of an accuracy: over test images, over groups of test images, and over seeds."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95

Interval = tuple[float, float]
"""Lower and upper end; of an accuracy as fractions."""

ACCURACY_BOUNDS: Interval = (0.0, 1.0)
"""The bounds of an accuracy."""


def wilson_interval(correct: int, n: int) -> Interval:
    """Return the 95 % interval of a share over n >= 1 independent images, of which some are correct (Wilson 1927)."""
    interval = stats.binomtest(correct, n).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def accuracy_interval(correct: NDArray[np.bool_], groups: NDArray[np.int64] | None) -> Interval:
    """Return the 95 % interval of a share: `cluster_bootstrap` where images, [n], have groups; else Wilson's."""
    return wilson_interval(int(correct.sum()), len(correct)) if groups is None else cluster_bootstrap(correct, groups)


def cluster_bootstrap(correct: NDArray[np.bool_], groups: NDArray[np.int64]) -> Interval:
    """Return the 95 % interval of a share over images that come in groups, such as all photos of one person.

    Whole groups are drawn with replacement, and the interval is that of the percentiles (Davison and Hinkley 1997,
    section 3.8). Where all images are correct, or none is, it is Wilson's with each group as one image; one group
    alone says nothing. Images, [n], of one group have the same number.
    """
    index = np.unique(groups, return_inverse=True)[1]
    sizes, hits = np.bincount(index), np.bincount(index, weights=correct)
    if len(sizes) < 2:
        return ACCURACY_BOUNDS
    if correct.all() or not correct.any():
        return wilson_interval(len(sizes) if correct.all() else 0, len(sizes))
    interval = stats.bootstrap(
        (hits, sizes),
        lambda hits, sizes, axis: hits.sum(axis) / sizes.sum(axis),
        n_resamples=9999,
        batch=100,
        paired=True,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def t_interval(values: Sequence[float], bounds: Interval = (-math.inf, math.inf)) -> Interval | None:
    """Return the 95 % interval of the mean over seeds, clipped to bounds (Student 1908); None for one seed."""
    if len(values) < 2:
        return None
    mean = fmean(values)
    half_width = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    return max(mean - half_width, bounds[0]), min(mean + half_width, bounds[1])


def summarize(accuracies: Sequence[float], images: int) -> dict[str, Any]:
    """Summarize the accuracies of one or several trainings for a results file; sd and interval_seeds are None for one.

    The images are the different ones that were evaluated: seeds share the test images, so more seeds do not narrow
    `interval_images`; each fold has its own, so theirs are added up.
    """
    mean = fmean(accuracies)
    return {
        "mean": mean,
        "sd": stdev(accuracies) if len(accuracies) > 1 else None,
        "interval_seeds": t_interval(accuracies, ACCURACY_BOUNDS),
        "interval_images": wilson_interval(round(mean * images), images),
    }
