"""Hypothesis tests and bootstrap intervals of a mean, or of the difference of two, on plain arrays."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from modiste.metrics.intervals import LEVEL, Interval

MIN_BOOTSTRAP_SEEDS = 10

RESAMPLES = 9999

MAX_EXACT_SEEDS = 40
"""With more seeds, the signs of the sign-flip test are drawn at random."""

Floats = NDArray[np.float64]


def is_constant(values: Floats) -> bool:
    """Return whether all values are equal but for rounding."""
    return bool(np.ptp(values) < 1e-12)


def t_test(first: Floats, second: Floats | None = None) -> tuple[Floats, Floats, Floats]:
    """Test along the last axis, and return the ends of the 95 % interval and the two-sided p-value.

    Args:
        first: paired differences, [..., n] (Student 1908); or the values of one method.
        second: the values of the other one, [..., m] (Welch 1947).
    """
    if second is None:
        result = stats.ttest_1samp(first, 0, axis=-1)
    else:
        result = stats.ttest_ind(first, second, axis=-1, equal_var=False)
    low, high = result.confidence_interval(LEVEL)
    return low, high, result.pvalue


def sign_flip_test(differences: Floats) -> float:
    """Return the exact two-sided p-value of the sign-flip test of paired differences, [n] (Fisher 1935).

    It is the share of the 2^n ways to swap the two methods in a pair that give a sum at least as far from 0. The sums
    are those of one half of the pairs and of the other; counting them needs no list of all.
    """
    n, observed = len(differences), abs(float(differences.sum())) * (1 - 1e-9)
    if n > MAX_EXACT_SEEDS:
        test = stats.permutation_test(
            (differences,), lambda values, axis: values.mean(axis), permutation_type="samples", vectorized=True,
            n_resamples=99_999, batch=1000, rng=np.random.default_rng(0),
        )  # fmt: skip
        return float(test.pvalue)
    one, other = (_signed_sums(half) for half in np.array_split(differences, 2))
    count = int((len(other) - np.searchsorted(np.sort(other), observed - one)).sum())
    return min(1.0, 2 * count / 2.0**n)


def _signed_sums(values: Floats) -> Floats:
    """Return the sums of the values with each choice of their signs, [2^n]."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def bca_interval(*samples: Floats) -> Interval | None:
    """Return the 95 % BCa bootstrap interval of a mean, or of the difference of two (Efron 1987).

    None for fewer than ten seeds each, or without spread.
    """
    if min(map(len, samples)) < MIN_BOOTSTRAP_SEEDS or any(map(is_constant, samples)):
        return None
    low, high = bca_bounds(*samples)
    return float(low), float(high)


def bca_bounds(*samples: Floats) -> tuple[Floats, Floats]:
    """Return the ends of `bca_interval` along the last axis of the samples, [..., n]."""
    result = stats.bootstrap(
        samples,
        lambda *values, axis: values[0].mean(axis) - (values[1].mean(axis) if len(values) > 1 else 0),
        n_resamples=RESAMPLES, batch=500, confidence_level=LEVEL, method="BCa", axis=-1, vectorized=True,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    return result.confidence_interval.low, result.confidence_interval.high


def image_bootstrap(differences: Floats) -> Interval:
    """Return the 95 % percentile bootstrap interval of the mean difference over images, [n] (Efron 1979).

    Images are drawn with replacement. The differences have few values (of two predictions -1, 0 and 1), so how often
    each is drawn is multinomial, which gives the same distribution as n draws and takes a thousandth of the time.
    """
    values, counts = np.unique(differences, return_counts=True)
    n, random = len(differences), np.random.default_rng(0)
    means = random.multinomial(n, counts / n, RESAMPLES) @ values / n
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def mcnemar_test(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the exact two-sided p-value of McNemar's test (1947) of two predictions of the same images, bool [n]."""
    table = [[np.sum(first & second), np.sum(first & ~second)], [np.sum(~first & second), np.sum(~first & ~second)]]
    return float(mcnemar(table, exact=True).pvalue)
