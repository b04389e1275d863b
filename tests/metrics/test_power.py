"""Minimum detectable differences, and how many seeds would be needed."""

import numpy as np
import pytest
from scipy import stats

from modiste.metrics import power


@pytest.mark.parametrize("n", [3, 6, 20])
def test_a_detectable_difference_is_found_in_four_of_five_cases(n: int) -> None:
    """In a simulation of 4,000 paired comparisons."""
    differences = np.random.default_rng(0).normal(power.detectable_difference(0.5, n), 0.5, (4000, n))
    assert np.mean(stats.ttest_1samp(differences, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("is_paired", [True, False])
def test_the_required_number_detects_the_difference(is_paired: bool) -> None:
    """One less does not, from tiny differences to large ones."""
    for difference in (0.01, 0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 11.0, 100.0):
        n = power.required_n(difference, 1.0, is_paired)
        detectable = [power.detectable_difference(1.0, m, None if is_paired else m) for m in (n, n - 1)]
        assert detectable[0] <= difference * (1 + 1e-4)
        assert detectable[1] is None or detectable[1] > difference
        assert power.required_n(-difference, 1.0, is_paired) == n


def test_without_a_spread_or_a_difference_there_is_no_number() -> None:
    """One seed has no spread; a tiny difference would need millions."""
    assert power.detectable_difference(0.1, 1) is None
    assert power.detectable_difference(0.0, 3) is None
    assert power.detectable_difference(0.1, 5, 1) is None
    assert [power.required_n(*each) for each in ((0.0, 1.0), (1.0, 0.0), (1e-5, 1.0))] == [None, None, None]
