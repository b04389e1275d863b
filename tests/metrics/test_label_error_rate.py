"""The estimate of the share of wrong labels."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from modiste.metrics.label_error_rate import Stratum, estimate_rate


def test_suspects_are_counted_and_the_others_estimated() -> None:
    """40 of 100 suspects and 1 of 100 others of 9,900: the interval is that of the others alone."""
    estimate = estimate_rate([Stratum(100, 100, 40), Stratum(9900, 100, 1)])
    assert estimate.rate == pytest.approx((40 + 99) / 10_000)
    assert estimate.errors == pytest.approx(139)
    low, high = proportion_confint(1, 100, method="beta")
    assert estimate.interval == pytest.approx(((40 + 9900 * low) / 10_000, (40 + 9900 * high) / 10_000))


def test_all_verdicts_leave_no_uncertainty() -> None:
    """Where every image has one, the rate is a count."""
    assert estimate_rate([Stratum(100, 100, 3)]).interval == (0.03, 0.03)


def test_no_error_still_has_an_upper_end() -> None:
    """The rule of three: 0 of 100 is at most about 3.6 %."""
    estimate = estimate_rate([Stratum(100, 100, 0), Stratum(9900, 100, 0)])
    assert estimate.interval[0] == 0
    assert estimate.interval[1] == pytest.approx(0.99 * (1 - 0.025 ** (1 / 100)))


@pytest.mark.parametrize("rate", [0.0005, 0.0017, 0.005, 0.02, 0.1])
def test_the_interval_covers_the_rate(rate: float) -> None:
    """At least 95 % of samples without replacement, for rates at which Wilson's interval covers 83 %."""
    images, n, errors = 9900, 100, round(9900 * rate)
    counts = np.arange(n + 1)
    probabilities = stats.hypergeom(images, errors, n).pmf(counts)
    intervals = [estimate_rate([Stratum(images, n, count)]).interval for count in counts.tolist()]
    covers = [low <= errors / images <= high for low, high in intervals]
    assert probabilities[covers].sum() >= 0.95


def test_two_sampled_strata_share_the_error() -> None:
    """Each gets a higher level, so that both together cover 95 %."""
    one, two = estimate_rate([Stratum(500, 50, 5)]), estimate_rate([Stratum(500, 50, 5), Stratum(500, 50, 5)])
    assert two.rate == pytest.approx(one.rate)
    assert two.interval[0] < one.interval[0]
    assert two.interval[1] > one.interval[1]
