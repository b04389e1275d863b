"""What a number of seeds or images can show: the minimum detectable difference, and how many would be needed."""

import math

from statsmodels.stats.power import TTestIndPower, TTestPower

ALPHA = 0.05
POWER = 0.8
"""How often a true difference of the minimum detectable size gives a p-value below `ALPHA`."""

MIN_EFFECT = 1e-3
"""Smaller differences, in standard deviations, would need millions of trainings."""


def detectable_difference(sd: float, n: int, n_other: int | None = None) -> float | None:
    """Return the smallest true difference that a two-sided t-test at 5 % finds with a power of 80 %.

    Args:
        sd: of the paired differences; of unpaired values that of one value.
        n: number of pairs, or of values of the first method.
        n_other: number of values of the second method, where they are unpaired.

    Returns:
        The difference, in the unit of `sd`; None without a spread, and where n is too small to estimate one.
    """
    if not sd or min(n, n_other or n) < 2:
        return None
    fixed = {"alpha": ALPHA, "power": POWER}
    if n_other is None:
        return sd * float(TTestPower().solve_power(nobs=n, **fixed))
    return sd * float(TTestIndPower().solve_power(nobs1=n, ratio=n_other / n, **fixed))


def required_n(difference: float, sd: float, is_paired: bool = True) -> int | None:
    """Return how many pairs, or values of each method, find a true difference with a power of 80 %.

    None without a spread, and for differences below `MIN_EFFECT`.
    """
    if not sd or abs(difference) < MIN_EFFECT * sd:
        return None
    for n in (2, 3):  # the solver does not converge for so few
        if abs(difference) >= (detectable_difference(sd, n, None if is_paired else n) or math.inf):
            return n
    test = TTestPower() if is_paired else TTestIndPower()
    return math.ceil(float(test.solve_power(effect_size=abs(difference) / sd, alpha=ALPHA, power=POWER)))
