"""Compare two methods: over their seeds, or over the images that both predicted.

`compare_seeds`, `compare_runs` and `compare_images` take plain arrays and return a `Comparison`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from modiste.metrics import hypothesis_tests, intervals, power
from modiste.metrics.intervals import MIN_GROUPS, Interval

MIN_UNEQUAL_SEEDS = 8
"""With fewer seeds of one method than of the other, Welch's test has more than 5.5 % false alarms in some cases
(`benchmarks/interval_coverage.py`)."""

PAIRED_SCORES = ("difference_interval", "p_value", "p_sign_flip", "minimum_detectable_difference")


Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A difference of two methods, the first minus the second, and what is known about it.

    Args:
        difference: of the two means.
        interval: 95 % interval of the difference; None where the values have no spread.
        p_value: two-sided, of the test; None likewise.
        test: its name; "" where there is none.
        unit: what the spread is over: seeds, folds, images or groups.
        n: number of units of the first method.
        n_other: number of units of the second; the same where they are paired.
        is_paired: whether each unit of one method belongs to one of the other.
        is_approximate: whether interval and test may be wrong more often than they say: with few groups, with few and
            unequal numbers of seeds, and with folds, because these share training images.
        p_sign_flip: exact two-sided p-value of the sign-flip test of paired seeds; None otherwise.
        interval_bca: BCa bootstrap interval over seeds, from ten on; None otherwise.
        minimum_detectable_difference: of a test of this kind with as many units and this spread, at a power of 80 %.
        required_n: how many units would show a true difference of this size with a power of 80 %; None for none.
        p_holm: p-value after Holm's correction for all comparisons of the same family; None without one.
    """

    difference: float
    interval: Interval | None
    p_value: float | None
    test: str
    unit: str
    n: int
    n_other: int
    is_paired: bool
    is_approximate: bool = False
    p_sign_flip: float | None = None
    interval_bca: Interval | None = None
    minimum_detectable_difference: float | None = None
    required_n: int | None = None
    p_holm: float | None = None

    @property
    def is_significant(self) -> bool:
        """Whether p is below 5 %, after Holm's correction where there is one."""
        p_value = self.p_value if self.p_holm is None else self.p_holm
        return p_value is not None and p_value < power.ALPHA

    @property
    def is_bca_approximate(self) -> bool:
        """Whether the BCa interval is of too few seeds to cover what it says."""
        return self.interval_bca is not None and min(self.n, self.n_other) < MIN_GROUPS

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        marks = {"is_significant": self.is_significant, "is_bca_approximate": self.is_bca_approximate}
        return dataclasses.asdict(self) | marks


def compare_runs(first: Mapping[Any, float], second: Mapping[Any, float], unit: str = "seeds") -> Comparison | None:
    """Compare the values of two methods by seed: paired where both have the same seeds; None with fewer than two each.

    Args:
        first: a value for each seed (or fold, or both), such as its accuracy.
        second: likewise.
        unit: seeds or folds.
    """
    if min(len(first), len(second)) < 2:
        return None
    if first.keys() != second.keys():
        return compare_seeds(list(first.values()), list(second.values()), is_paired=False, unit=unit)
    return compare_seeds(list(first.values()), [second[key] for key in first], is_paired=True, unit=unit)


def compare_seeds(first: Sequence[float], second: Sequence[float], is_paired: bool, unit: str = "seeds") -> Comparison:
    """Compare the values of two methods over their seeds, with a paired t-test or with Welch's.

    Where all paired differences are equal, their spread cannot be estimated: there is no interval, and the p-value is
    that of the sign-flip test.

    Args:
        first: at least two values, one for each seed.
        second: likewise; of the same seeds in the same order if paired.
        is_paired: whether they are.
        unit: seeds or folds.

    Raises:
        ValueError: fewer than two values, or pairs of unequal number.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if min(len(a), len(b)) < 2 or (is_paired and len(a) != len(b)):
        raise ValueError(f"{len(a)} and {len(b)} values cannot be compared; is_paired={is_paired}")
    return _compare_paired(a - b, unit) if is_paired else _compare_unpaired(a, b, unit)


def summarize_pairs(pairs: Sequence[tuple[float, float]], unit: str = "seeds") -> dict[str, Any]:
    """Return what an experiment records of paired values; without interval and test for one pair, nothing for none.

    Args:
        pairs: a value of each method for each unit; the difference is the first minus the second.
        unit: seeds or folds.
    """
    if not pairs:
        return {}
    if len(pairs) == 1:
        ((value, other),) = pairs
        return {"difference": value - other, **dict.fromkeys(PAIRED_SCORES)}
    first, second = zip(*pairs, strict=True)
    compared = compare_seeds(first, second, is_paired=True, unit=unit)
    scores = {"difference": compared.difference, "difference_interval": compared.interval}
    return scores | {name: getattr(compared, name) for name in PAIRED_SCORES[1:]}


def _compare_paired(differences: Floats, unit: str) -> Comparison:
    mean, n, p_sign_flip = float(differences.mean()), len(differences), hypothesis_tests.sign_flip_test(differences)
    if hypothesis_tests.is_constant(differences):
        return Comparison(mean, None, p_sign_flip, "sign-flip test", unit, n, n, True, p_sign_flip=p_sign_flip)
    sd, (low, high, p_value) = float(differences.std(ddof=1)), hypothesis_tests.t_test(differences)
    return Comparison(
        mean, (float(low), float(high)), float(p_value), "paired t-test", unit, n, n, True,
        is_approximate=unit == "folds",
        p_sign_flip=p_sign_flip,
        interval_bca=hypothesis_tests.bca_interval(differences),
        minimum_detectable_difference=power.detectable_difference(sd, n),
        required_n=power.required_n(mean, sd),
    )  # fmt: skip


def _compare_unpaired(a: Floats, b: Floats, unit: str) -> Comparison:
    mean, n, n_other = float(a.mean() - b.mean()), len(a), len(b)
    if hypothesis_tests.is_constant(a) and hypothesis_tests.is_constant(b):
        return Comparison(mean, None, None, "", unit, n, n_other, False)
    sd, (low, high, p_value) = float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)), hypothesis_tests.t_test(a, b)
    return Comparison(
        mean, (float(low), float(high)), float(p_value), "Welch's t-test", unit, n, n_other, False,
        is_approximate=unit == "folds" or is_welch_approximate(n, n_other),
        interval_bca=hypothesis_tests.bca_interval(a, b),
        minimum_detectable_difference=power.detectable_difference(sd, n, n_other),
        required_n=power.required_n(mean, sd, is_paired=False),
    )  # fmt: skip


def compare_images(first: NDArray[Any], second: NDArray[Any], groups: NDArray[np.int64] | None = None) -> Comparison:
    """Compare two methods over the images that both predicted.

    The interval is that of the percentiles of a bootstrap over images, and the test is McNemar's (exact). Where images
    have groups, both are Student's t with the standard error of `intervals.estimate_ratio`, over groups. The mean over
    several seeds has an interval and no test, because McNemar's is one of two predictions.

    Args:
        first: whether each image is predicted correctly, bool [n]; or of several seeds, bool [seeds, n].
        second: likewise, of the same images in the same order.
        groups: int64 [n]; images with the same number belong together.
    """
    differences = np.atleast_2d(first).mean(0) - np.atleast_2d(second).mean(0)
    if groups is not None and len(np.unique(groups)) > 1:
        return _compare_groups(differences, groups)
    mean, n, sd = float(differences.mean()), len(differences), float(differences.std())
    is_single = first.ndim == second.ndim == 1
    return Comparison(
        mean,
        None if groups is not None else hypothesis_tests.image_bootstrap(differences),
        hypothesis_tests.mcnemar_test(first, second) if is_single and groups is None else None,
        "McNemar's exact test" if is_single and groups is None else "",
        "images",
        n,
        n,
        True,
        minimum_detectable_difference=power.detectable_difference(sd, n),
        required_n=power.required_n(mean, sd),
    )


def _compare_groups(differences: Floats, groups: NDArray[np.int64]) -> Comparison:
    sums, sizes = intervals.sum_groups(differences, groups)
    n = len(sizes)
    mean, standard_error, freedom = map(float, intervals.estimate_ratio(sums, sizes))
    if not standard_error:
        return Comparison(mean, None, None, "", "groups", n, n, True, is_approximate=n < MIN_GROUPS)
    low, high = intervals.mean_bounds(sums, sizes)
    sd = standard_error * n**0.5
    return Comparison(
        mean,
        (float(low), float(high)),
        float(2 * stats.t.sf(abs(mean) / standard_error, freedom)),
        "t-test over groups",
        "groups",
        n,
        n,
        True,
        is_approximate=n < MIN_GROUPS,
        minimum_detectable_difference=power.detectable_difference(sd, n),
        required_n=power.required_n(mean, sd),
    )


def adjust_holm(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Add the p-value after Holm's correction to each of a family; one test alone needs no correction."""
    corrected = correct_holm([each.p_value for each in comparisons])
    return [dataclasses.replace(each, p_holm=p) for each, p in zip(comparisons, corrected, strict=True)]


def correct_holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return the p-values of a family after Holm's correction (1979); None for missing ones and for one test alone."""
    tested = [place for place, p_value in enumerate(p_values) if p_value is not None]
    corrected: list[float | None] = [None] * len(p_values)
    if len(tested) > 1:
        values = multipletests([p_values[place] for place in tested], method="holm")[1]
        for place, value in zip(tested, map(float, values), strict=True):
            corrected[place] = value
    return corrected


def is_welch_approximate(n: int, n_other: int) -> bool:
    """Return whether Welch's test of so many seeds has too many false alarms where the spreads differ."""
    return n != n_other and min(n, n_other) < MIN_UNEQUAL_SEEDS
