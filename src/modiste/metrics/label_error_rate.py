"""The share of wrong labels, estimated from the verdicts on a sample."""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from modiste.metrics.intervals import LEVEL, Interval


@dataclass(frozen=True, slots=True)
class Stratum:
    """Images of one kind, of which some have a verdict.

    Args:
        images: number of images in the stratum.
        n: number of them with a verdict: all, or a random sample without replacement.
        errors: number of wrong labels among these n.
    """

    images: int
    n: int
    errors: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share of wrong labels with its 95 % interval, and the number of wrong labels that it stands for."""

    rate: float
    interval: Interval
    errors: float


def estimate_rate(strata: Sequence[Stratum]) -> Estimate:
    """Estimate the share of wrong labels among the images of all strata.

    The estimate is the stratified mean, each stratum weighted by its number of images (Cochran 1977, Sampling
    Techniques, 3rd edition, section 5.3). A stratum in which every image has a verdict, as that of the least probable
    labels, has no sampling error. The others have the exact binomial interval (Clopper and Pearson 1934, Biometrika
    26), which covers at least 95 % also where hardly any of a hundred labels is wrong, as a normal or Wilson interval
    does not; without replacement it is slightly wider than needed. With s sampled strata, each gets the level
    1 - 0.05 / s (Bonferroni), so that their weighted ends cover 95 % together.

    Args:
        strata: of which each has at least one verdict and one image.
    """
    total = sum(stratum.images for stratum in strata)
    sampled = sum(stratum.n < stratum.images for stratum in strata)
    level = 1 - (1 - LEVEL) / max(1, sampled)
    ends = [_interval(stratum, level) for stratum in strata]
    weights = [stratum.images / total for stratum in strata]
    rate = sum(weight * stratum.errors / stratum.n for weight, stratum in zip(weights, strata, strict=True))
    low, high = (sum(weight * end[side] for weight, end in zip(weights, ends, strict=True)) for side in (0, 1))
    return Estimate(rate, (low, high), rate * total)


def _interval(stratum: Stratum, level: float) -> Interval:
    share = stratum.errors / stratum.n
    if stratum.n == stratum.images:
        return share, share
    interval = stats.binomtest(stratum.errors, stratum.n).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)
