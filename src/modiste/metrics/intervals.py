"""Confidence intervals of an accuracy: over test images, over groups of test images, and over seeds."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

LEVEL = 0.95

MIN_GROUPS = 30
"""With fewer groups or seeds, intervals by resampling or by group cover less than 93 % in some cases
(`benchmarks/interval_coverage.py`), so they are marked as approximate."""

FEWEST_GROUPS = 5
"""With fewer groups there is no interval over them; with so many, an accuracy has been simulated likewise."""

Floats = NDArray[np.float64]

Interval = tuple[float, float]
"""Lower and upper end; of an accuracy as fractions."""

ACCURACY_BOUNDS: Interval = (0.0, 1.0)
"""The bounds of an accuracy."""


def wilson_interval(correct: int, n: int) -> Interval:
    """Return the 95 % interval of a share over n >= 1 independent images, of which some are correct (Wilson 1927)."""
    interval = stats.binomtest(correct, n).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def share_difference(first: tuple[int, int], second: tuple[int, int]) -> Interval:
    """Return the 95 % interval of the difference of two shares, each of some of n other images (Newcombe 1998)."""
    from statsmodels.stats.proportion import (
        confint_proportions_2indep,
    )  # imports pandas, which other intervals do not need

    low, high = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff", alpha=1 - LEVEL)
    return float(low), float(high)


def accuracy_interval(correct: NDArray[np.bool_], groups: NDArray[np.int64] | None) -> Interval | None:
    """Return the 95 % interval of a share: `cluster_interval` where images, [n], have groups; else Wilson's."""
    return wilson_interval(int(correct.sum()), len(correct)) if groups is None else cluster_interval(correct, groups)


def is_approximate(groups: NDArray[np.int64] | None) -> bool:
    """Return whether images, [n], come in so few groups that an interval over them may cover less than 93 %."""
    return groups is not None and len(np.unique(groups)) < MIN_GROUPS


def cluster_interval(correct: NDArray[np.bool_], groups: NDArray[np.int64]) -> Interval | None:
    """Return the 95 % interval of a share over images that come in groups, such as all photos of one person.

    It is that of Student's t for the log odds, with the standard error of `estimate_ratio` (Korn and Graubard 1998).
    Where the share is the same in all groups, which then show no spread, it is Wilson's with each group as one image.
    Images, [n], of one group have the same number; with fewer than `FEWEST_GROUPS` there is no interval.
    """
    hits, sizes = sum_groups(correct, groups)
    count = len(sizes)
    if count < FEWEST_GROUPS:
        return None
    if len(np.unique(hits / sizes)) == 1:
        return wilson_interval(round(float(correct.mean()) * count), count)
    low, high = share_bounds(hits, sizes)
    return float(low), float(high)


def share_bounds(hits: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % interval of shares between 0 and 1; arguments as for `estimate_ratio`."""
    share, standard_error, freedom = estimate_ratio(hits, sizes)
    half_width = stats.t.ppf((1 + LEVEL) / 2, freedom) * standard_error / (share * (1 - share))
    return special.expit(special.logit(share) - half_width), special.expit(special.logit(share) + half_width)


def mean_bounds(sums: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % interval of the means of values that come in groups, as `estimate_ratio` has them."""
    mean, standard_error, freedom = estimate_ratio(sums, sizes)
    half_width = stats.t.ppf((1 + LEVEL) / 2, freedom) * standard_error
    return mean - half_width, mean + half_width


def sum_groups(values: NDArray[Any], groups: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the sum of the values, [n], in each group, and the number of its images."""
    index = np.unique(groups, return_inverse=True)[1]
    return np.bincount(index, weights=values).astype(np.float64), np.bincount(index).astype(np.float64)


def estimate_ratio(sums: Floats, sizes: Floats) -> tuple[Floats, Floats, Floats]:
    """Estimate the mean of values that come in groups, with the delete-one-group jackknife.

    The degrees of freedom are an effective number of groups: a third of their number where all count the same, fewer
    where a few large ones decide, after Satterthwaite (1946). With the percentiles of a bootstrap over 30 groups of
    very unequal size, intervals cover as little as three quarters of the true values.

    Args:
        sums: of the values in each group, [..., groups].
        sizes: of the groups, likewise; at least two groups.

    Returns:
        The mean, its standard error and the degrees of freedom, each [...].
    """
    total, images, count = sums.sum(-1), sizes.sum(-1), sums.shape[-1]
    mean = total / images
    others = (total[..., None] - sums) / (images[..., None] - sizes)
    squares = (others - mean[..., None]) ** 2
    variance = squares.sum(-1)
    freedom = np.divide(variance**2, (squares**2).sum(-1), out=np.ones_like(variance), where=variance > 0)
    return mean, np.sqrt((count - 1) / count * variance), np.clip(freedom, 1, max(count - 1, 1))


def combined_interval(accuracies: Sequence[float], images: int) -> Interval:
    """Return the 95 % interval of the mean accuracy over other test images and other seeds together.

    The two variances are added, with the degrees of freedom of Welch and Satterthwaite. One seed shows no spread, so
    its interval is Wilson's, over images alone.
    """
    mean, n = fmean(accuracies), len(accuracies)
    of_images, of_seeds = mean * (1 - mean) / images, stdev(accuracies) ** 2 / n if n > 1 else 0.0
    if not of_seeds:
        return wilson_interval(round(mean * images), images)
    half_width = _combined_half_width(of_images, of_seeds, n - 1)
    return max(mean - half_width, 0.0), min(mean + half_width, 1.0)


def interval_to_published(
    accuracies: Sequence[float], images: int, published: float, published_images: int
) -> Interval:
    """Return the 95 % interval of a published accuracy minus the mean of measured ones.

    Both have the sampling error of their test images. Over seeds, the published one, of a single training, varies as
    much as each of the measured ones; with one of these, the variance over seeds is not known and left out.
    """
    mean, n = fmean(accuracies), len(accuracies)
    of_images = mean * (1 - mean) / images + published * (1 - published) / published_images
    of_seeds = stdev(accuracies) ** 2 * (1 + 1 / n) if n > 1 else 0.0
    half_width = _combined_half_width(of_images, of_seeds, n - 1)
    return published - mean - half_width, published - mean + half_width


def _combined_half_width(of_images: float, of_seeds: float, freedom: int) -> float:
    """Return the half-width of a 95 % interval for a sum of variances, of which that over seeds is estimated."""
    total = of_images + of_seeds
    quantile = stats.norm.ppf((1 + LEVEL) / 2)
    if of_seeds:
        quantile = stats.t.ppf((1 + LEVEL) / 2, freedom * (total / of_seeds) ** 2)
    return float(quantile) * math.sqrt(total)


def t_interval(values: Sequence[float], bounds: Interval = (-math.inf, math.inf)) -> Interval | None:
    """Return the 95 % interval of the mean over seeds, clipped to bounds (Student 1908); None for one seed."""
    if len(values) < 2:
        return None
    mean = fmean(values)
    half_width = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    return max(mean - half_width, bounds[0]), min(mean + half_width, bounds[1])


def summarize(accuracies: Sequence[float], images: int, has_groups: bool = False) -> dict[str, Any]:
    """Summarize the accuracies of one or several trainings for a results file; sd and interval_seeds are None for one.

    The images are the different ones that were evaluated: seeds share the test images, so more seeds do not narrow
    `interval_images`; each fold has its own, so theirs are added up. It is None where images come in groups, whose
    interval cannot be computed from accuracies alone.
    """
    mean = fmean(accuracies)
    return {
        "mean": mean,
        "sd": stdev(accuracies) if len(accuracies) > 1 else None,
        "interval_seeds": t_interval(accuracies, ACCURACY_BOUNDS),
        "interval_images": None if has_groups else wilson_interval(round(mean * images), images),
    }
