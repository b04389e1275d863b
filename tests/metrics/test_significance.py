"""Comparisons of two methods, over seeds and over images."""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from modiste.metrics import hypothesis_tests, significance
from modiste.metrics.significance import Comparison

FIRST = (0.931, 0.934, 0.929, 0.936, 0.933, 0.930)
SECOND = (0.928, 0.930, 0.928, 0.930, 0.931, 0.929)


def predictions(both: int, only_first: int, only_second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Two methods' correctness on images, with these counts."""
    counts = (both, only_first, only_second, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def with_p(p_value: float | None) -> Comparison:
    """A comparison with this p-value."""
    return Comparison(0.1, None, p_value, "t", "seeds", 3, 3, True)


def test_paired_seeds_are_compared_as_statsmodels_does() -> None:
    """Difference, interval and p-value of the paired t-test."""
    result = significance.compare_seeds(FIRST, SECOND, is_paired=True)
    reference = DescrStatsW(np.subtract(FIRST, SECOND))
    assert result.difference == pytest.approx(reference.mean)
    assert result.interval == pytest.approx(reference.tconfint_mean(0.05))
    assert result.p_value == pytest.approx(reference.ttest_mean(0)[1])
    assert (result.test, result.n, result.n_other, result.is_paired) == ("paired t-test", 6, 6, True)


def test_what_an_experiment_records_of_pairs() -> None:
    """Of one pair the difference alone, of none nothing."""
    compared = significance.compare_seeds(FIRST, SECOND, is_paired=True)
    assert significance.summarize_pairs(list(zip(FIRST, SECOND, strict=True))) == {
        "difference": compared.difference,
        "difference_interval": compared.interval,
        "p_value": compared.p_value,
        "p_sign_flip": compared.p_sign_flip,
        "minimum_detectable_difference": compared.minimum_detectable_difference,
    }
    (difference, *others) = significance.summarize_pairs([(0.9, 0.8)]).values()
    assert (difference, others) == (pytest.approx(0.1), [None] * 4)
    assert significance.summarize_pairs([]) == {}


def test_unpaired_seeds_are_compared_as_statsmodels_does() -> None:
    """Difference, interval and p-value of Welch's t-test, with unequal numbers."""
    result = significance.compare_seeds(FIRST, SECOND[:3], is_paired=False)
    reference = CompareMeans(DescrStatsW(FIRST), DescrStatsW(SECOND[:3]))
    assert result.interval == pytest.approx(reference.tconfint_diff(0.05, usevar="unequal"))
    assert result.p_value == pytest.approx(reference.ttest_ind(usevar="unequal")[1])
    assert (result.test, result.n, result.n_other, result.p_sign_flip) == ("Welch's t-test", 6, 3, None)


def test_runs_are_paired_where_they_have_the_same_seeds() -> None:
    """In any order; other seeds are compared unpaired, and one seed is not compared."""
    first, second = dict(enumerate(FIRST)), dict(enumerate(SECOND))
    swapped = dict(reversed(second.items()))
    assert significance.compare_runs(first, swapped) == significance.compare_seeds(FIRST, SECOND, is_paired=True)
    unpaired = significance.compare_runs(first, {seed + 1: value for seed, value in second.items()})
    assert unpaired == significance.compare_seeds(FIRST, SECOND, is_paired=False)
    assert significance.compare_runs(first, {0: 0.93}) is None


@pytest.mark.parametrize(("first", "second"), [((0.9,), (0.8,)), ((0.9, 0.91), (0.8, 0.81, 0.82))])
def test_too_few_values_or_unequal_pairs_are_refused(first: tuple[float, ...], second: tuple[float, ...]) -> None:
    """They are a mistake of the caller."""
    with pytest.raises(ValueError, match="cannot be compared"):
        significance.compare_seeds(first, second, is_paired=True)


@pytest.mark.parametrize("n", [2, 3, 6, 9])
def test_the_sign_flip_test_counts_all_signs(n: int) -> None:
    """Its p-value is that of listing all 2^n of them, and with one sign in all pairs 2^(1-n)."""
    differences = np.random.default_rng(n).normal(0.5, 1, n)
    sums = np.array([np.dot(signs, differences) for signs in itertools.product((-1, 1), repeat=n)])
    expected = np.mean(np.abs(sums) >= abs(differences.sum()) - 1e-12)
    assert hypothesis_tests.sign_flip_test(differences) == pytest.approx(expected)
    assert hypothesis_tests.sign_flip_test(np.linspace(1, 2, n)) == 2.0 ** (1 - n)
    assert hypothesis_tests.sign_flip_test(np.zeros(n)) == 1


def test_the_sign_flip_test_of_many_seeds_draws_the_signs() -> None:
    """With 50 seeds it is close to the t-test."""
    differences = np.random.default_rng(0).normal(0.3, 1, 50)
    expected = stats.ttest_1samp(differences, 0).pvalue
    assert hypothesis_tests.sign_flip_test(differences) == pytest.approx(expected, abs=0.01)
    exact = hypothesis_tests.sign_flip_test(differences[:40])
    assert exact == pytest.approx(stats.ttest_1samp(differences[:40], 0).pvalue, abs=0.01)


def test_the_bca_interval_needs_ten_seeds() -> None:
    """It is close to the t interval, paired or not; equal values have none."""
    random = np.random.default_rng(0)
    first, second = random.normal(0.93, 0.002, 30), random.normal(0.92, 0.002, 30)
    for is_paired in (True, False):
        result = significance.compare_seeds(first.tolist(), second.tolist(), is_paired)
        assert result.interval_bca == pytest.approx(result.interval, abs=3e-4)
        assert significance.compare_seeds(first[:9].tolist(), second[:9].tolist(), is_paired).interval_bca is None
    assert hypothesis_tests.bca_interval(np.ones(10)) is None


def test_equal_differences_have_no_spread_to_estimate() -> None:
    """There is no interval: with pairs the sign-flip test remains, else no test."""
    paired = significance.compare_seeds((0.5, 0.6, 0.7), (0.4, 0.5, 0.6), is_paired=True)
    assert (paired.interval, paired.p_value, paired.test) == (None, 0.25, "sign-flip test")
    unpaired = significance.compare_seeds((0.5, 0.5), (0.4, 0.4), is_paired=False)
    assert (unpaired.interval, unpaired.p_value, unpaired.test) == (None, None, "")
    assert not unpaired.is_significant


def test_folds_are_marked_as_approximate() -> None:
    """Their trainings share images."""
    assert significance.compare_seeds(FIRST, SECOND, is_paired=True, unit="folds").is_approximate
    assert not significance.compare_seeds(FIRST, SECOND, is_paired=True).is_approximate


def test_images_are_compared_by_mcnemars_test() -> None:
    """As statsmodels; the interval is that of a bootstrap over images."""
    first, second = predictions(800, 60, 30, 110)
    result = significance.compare_images(first, second)
    assert result.p_value == pytest.approx(mcnemar([[800, 60], [30, 110]], exact=True).pvalue)
    assert result.difference == pytest.approx(0.03)
    standard_error = np.std(first.astype(float) - second) / 1000**0.5
    assert result.interval == pytest.approx((0.03 - 1.96 * standard_error, 0.03 + 1.96 * standard_error), abs=1e-3)
    assert result.is_significant
    bootstrap = stats.bootstrap((first.astype(float) - second,), np.mean, method="percentile", n_resamples=999, rng=1)
    assert result.interval == pytest.approx(tuple(bootstrap.confidence_interval), abs=4e-3)


def test_equal_predictions_are_not_different() -> None:
    """No image is predicted correctly by one method alone."""
    first, _ = predictions(90, 0, 0, 10)
    result = significance.compare_images(first, first)
    assert (result.difference, result.p_value, result.interval) == (0, 1, (0, 0))
    assert result.required_n is None
    assert result.minimum_detectable_difference is None
    assert significance.compare_images(first, first, np.arange(100) // 2).interval is None


def test_several_seeds_have_an_interval_over_images_and_no_test() -> None:
    """Their mean over seeds is compared."""
    first, second = predictions(800, 60, 30, 110)
    single = significance.compare_images(first, second)
    result = significance.compare_images(np.stack([first, first]), np.stack([second, second]))
    assert (result.difference, result.interval) == (pytest.approx(0.03), pytest.approx(single.interval))
    assert (result.p_value, result.test) == (None, "")


def test_images_that_belong_together_widen_the_interval() -> None:
    """40 people with 25 equal photos each; fewer than 30 groups are marked as approximate."""
    first, second = (np.repeat(values, 25) for values in predictions(30, 8, 1, 1))
    groups = np.repeat(np.arange(40), 25)
    images, people = significance.compare_images(first, second), significance.compare_images(first, second, groups)
    assert np.ptp(people.interval) > 4 * np.ptp(images.interval)
    assert people.p_value > images.p_value
    assert (people.unit, people.n, people.is_approximate) == ("groups", 40, False)
    assert significance.compare_images(first[:250], second[:250] ^ True, groups[:250]).is_approximate


def test_one_group_says_nothing() -> None:
    """There is neither an interval nor a test."""
    first, second = predictions(8, 1, 0, 1)
    result = significance.compare_images(first, second, np.zeros(10, np.int64))
    assert (result.interval, result.p_value) == (None, None)


def test_holm_corrects_a_family() -> None:
    """As statsmodels, leaving out comparisons without a test; one test alone is not corrected."""
    p_values = (0.03, None, 0.02, 0.3)
    corrected = significance.adjust_holm([with_p(each) for each in p_values])
    expected = multipletests([0.03, 0.02, 0.3], method="holm")[1]
    assert [each.p_holm for each in corrected] == [pytest.approx(expected[0]), None, *map(pytest.approx, expected[1:])]
    assert not corrected[0].is_significant
    assert significance.adjust_holm([with_p(0.03), with_p(None)])[0].p_holm is None


def test_few_seeds_of_unequal_number_are_marked_as_approximate() -> None:
    """Welch's test has more false alarms there, if the smaller sample varies more; equal numbers are not marked."""
    assert significance.compare_seeds(FIRST, SECOND[:3], is_paired=False).is_approximate
    assert not significance.compare_seeds(FIRST, SECOND, is_paired=False).is_approximate
    assert not significance.is_welch_approximate(20, 8)
