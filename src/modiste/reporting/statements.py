"""Sentences about the difference of two methods, and about what one method's trainings can show."""

import math
from collections.abc import Sequence
from statistics import stdev

from modiste.metrics import intervals, power
from modiste.metrics.significance import Comparison
from modiste.reporting import formatting
from modiste.reporting.pairwise import Pair


def describe_pair(pair: Pair) -> str:
    """Describe the comparison of two methods in one sentence."""
    if pair.main is None:
        return f"{pair.first} and {pair.second} are not compared: {pair.reason}"
    return describe_difference(pair.first, pair.second, pair.main)


def describe_difference(first: str, second: str, comparison: Comparison) -> str:
    """Describe a difference in accuracy in one sentence; the better method is named first.

    Args:
        first: name of the first method.
        second: name of the second one.
        comparison: of the accuracy of the first minus that of the second, as fractions.
    """
    points = 100 * comparison.difference
    if comparison.p_value is None and comparison.interval and math.prod(comparison.interval) > 0:
        better, worse = (first, second) if points > 0 else (second, first)
        how = _describe_test(comparison, math.copysign(100, points))
        return (
            f"{better} is {abs(points):.2f} points better than {worse} with these trainings, {how}. There is no test, "
            "since only one of them has several seeds. Train two seeds or more of each for one over seeds."
        )
    if not comparison.is_significant:
        how = _describe_test(comparison, 100) + _describe_power(comparison)
        return f"{first} and {second} are not distinguishable: the difference is {points:+.2f} points, {how}."
    better, worse = (first, second) if points > 0 else (second, first)
    how = _describe_test(comparison, math.copysign(100, points))
    return f"{better} is {abs(points):.2f} points better than {worse}, {how}."


def _describe_test(comparison: Comparison, scale: float) -> str:
    """Describe interval, unit and p-value, in points; a scale of -100 swaps the methods."""
    parts = []
    if comparison.interval:
        low, high = sorted(scale * end for end in comparison.interval)
        approximate = ", approximate" if comparison.is_approximate else ""
        parts.append(f"95 % interval {low:.2f} to {high:.2f}{approximate}")
    else:
        parts.append("without an interval, since there is no spread")
    parts.append(describe_units(comparison))
    if comparison.p_value is not None:
        parts.append(format_p(comparison.p_value))
    text = ", ".join(parts)
    return text if comparison.p_holm is None else f"{text} ({format_p(comparison.p_holm)} after Holm's correction)"


def describe_units(comparison: Comparison) -> str:
    """Describe what a comparison is over: `paired over 6 seeds`, `unpaired over 6 and 3 seeds`."""
    if comparison.is_paired:
        return f"paired over {comparison.n:,} {comparison.unit}"
    return f"unpaired over {comparison.n:,} and {comparison.n_other:,} {comparison.unit}"


def _describe_power(comparison: Comparison) -> str:
    """Describe which difference as many units show, and how many would show the observed one."""
    detectable, required = comparison.minimum_detectable_difference, comparison.required_n
    if detectable is None:
        return ""
    count = f"{comparison.n:,}"
    if comparison.n != comparison.n_other:
        count += f" and {comparison.n_other:,}"
    text = (
        f"; {count} {comparison.unit} show a difference of {100 * detectable:.2f} points or more in four of five cases"
    )
    if required and required > min(comparison.n, comparison.n_other):
        each = "" if comparison.is_paired else " of each"
        text += f", and one of {100 * abs(comparison.difference):.2f} points would take about {required:,}{each}"
    return text


def format_p(p_value: float) -> str:
    """Format a p-value with two significant digits: `p = 0.031`, `p < 0.001`."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def describe_trainings(accuracies: Sequence[float], unit: str = "seeds") -> str:
    """Describe the spread of a method's accuracies over its seeds or folds, and the difference that as many show."""
    n, interval = len(accuracies), intervals.t_interval(accuracies, intervals.ACCURACY_BOUNDS)
    if interval is None:
        return (
            f"One {unit.removesuffix('s')} shows no spread, so there is no interval over {unit} and no comparison with "
            "another recipe. Train two or more; six are the fewest with which a sign-flip test can show a difference."
        )
    sd = stdev(accuracies)
    if not sd:
        return f"All {n} {unit} have the same accuracy, which shows no spread, so there is no interval over {unit}."
    text = f"95 % interval over {n} {unit}: {formatting.format_interval(interval)} %, sd {100 * sd:.2f} points"
    detectable = power.detectable_difference(sd, n, n)
    if detectable is None:
        return f"{text}."
    return (
        f"{text}. Compared with another recipe of the same spread, as many {unit} show a difference of "
        f"{100 * detectable:.2f} points or more in four of five cases."
    )
