"""The difference of two methods over pairs of trainings that share their seed and their images."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from scipy import optimize, stats

from modiste.metrics.intervals import LEVEL, t_interval

POWER = 0.8
"""Probability with which the minimum detectable difference would be detected."""


def paired_difference(values: Sequence[float], baseline: Sequence[float]) -> dict[str, Any]:
    """Compare n values with n of a baseline in pairs, by Student's t; without intervals for one pair.

    Returns:
        The mean `difference`, its 95 % `difference_interval`, the two-sided `p`, and the
        `minimum_detectable_difference`: the least that n such pairs detect at p < 0.05 with a probability of 80 %.
    """
    differences = [value - other for value, other in zip(values, baseline, strict=True)]
    n, sd = len(differences), stdev(differences) if len(differences) > 1 else math.nan
    return {
        "difference": fmean(differences),
        "difference_interval": t_interval(differences),
        "p": float(stats.ttest_1samp(differences, 0).pvalue) if n > 1 and sd > 0 else None,
        "minimum_detectable_difference": detectable_effect(n) * sd if n > 1 else None,
    }


def detectable_effect(n: int) -> float:
    """Return the mean difference, in standard deviations, that a paired t-test over n >= 2 pairs detects with `POWER`.

    It is the noncentrality at which the noncentral t distribution exceeds the critical value (Cohen 1988, section 2.3).
    """
    critical = stats.t.ppf((1 + LEVEL) / 2, n - 1)

    def missing_power(noncentrality: float) -> float:
        return float(stats.nct.sf(critical, n - 1, noncentrality)) - POWER  # the other tail has less than 1e-5

    return float(optimize.brentq(missing_power, 0.01, 2 * critical)) / math.sqrt(n)
