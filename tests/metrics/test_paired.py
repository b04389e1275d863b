"""Differences of paired trainings."""

import numpy as np
import pytest
from scipy import stats

from modiste.metrics import paired


def test_the_difference_is_that_of_the_paired_t_test() -> None:
    """Interval and p equal those of scipy."""
    random = np.random.default_rng(0)
    values, baseline = random.normal(0.9, 0.01, (2, 6)).tolist()
    expected = stats.ttest_rel(values, baseline)
    result = paired.paired_difference(values, baseline)
    interval = expected.confidence_interval()
    assert result["difference"] == pytest.approx(np.subtract(values, baseline).mean())
    assert result["difference_interval"] == pytest.approx((interval.low, interval.high))
    assert result["p"] == pytest.approx(expected.pvalue)


def test_one_pair_has_no_interval() -> None:
    """It says nothing about the spread over seeds."""
    result = paired.paired_difference([0.9], [0.8])
    assert result["difference"] == pytest.approx(0.1)
    assert {result[key] for key in ("difference_interval", "p", "minimum_detectable_difference")} == {None}


def test_equal_trainings_do_not_differ() -> None:
    """There is no test of a difference that is always 0."""
    result = paired.paired_difference([0.9, 0.8], [0.9, 0.8])
    assert result == {
        "difference": 0,
        "difference_interval": (0, 0),
        "p": None,
        "minimum_detectable_difference": 0,
    }


@pytest.mark.parametrize(("n", "effect"), [(2, 11.5499), (6, 1.4345), (30, 0.5292)])
def test_the_detectable_effect_is_that_of_statsmodels(n: int, effect: float) -> None:
    """Values of `TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)`."""
    assert paired.detectable_effect(n) == pytest.approx(effect, abs=1e-4)
