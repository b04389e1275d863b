"""Pairs of methods: those that differ in one setting alone, and their comparison over seeds."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from modiste.metrics import significance
from modiste.metrics.significance import Comparison
from modiste.reporting import pairwise, results_table
from modiste.reporting.results_table import MethodResult

MIN_COMMON_SEEDS = 3


def find_pair(
    results: Sequence[MethodResult], key: str, is_wanted: Callable[[Any, Any], bool]
) -> tuple[MethodResult, MethodResult] | None:
    """Return two methods that differ in a setting alone, those with the most common seeds; None without any.

    Args:
        results: runs that differ in their seed alone are one method.
        key: of the setting. The precision is not one: methods of different precision are no pair.
        is_wanted: whether these are the values that the first and the second one should have.
    """
    methods = [method.result for method in pairwise.pool_methods(results)]
    pairs = [
        pair
        for pair in itertools.permutations(methods, 2)
        if (change := results_table.setting_differences(*pair)).keys() == {key} and is_wanted(*change[key])
        if results_table.has_same_precision(*pair)
    ]
    return max(pairs, key=_count_common_seeds, default=None)


def compare_seeds(first: Mapping[Any, float], second: Mapping[Any, float], unit: str = "seeds") -> Comparison | None:
    """Compare values by seed: paired over the common seeds if there are `MIN_COMMON_SEEDS`, else as `compare_runs`."""
    common = first.keys() & second.keys()
    if len(common) >= MIN_COMMON_SEEDS:
        first, second = ({key: values[key] for key in sorted(common)} for values in (first, second))
    return significance.compare_runs(first, second, unit)


def _count_common_seeds(pair: tuple[MethodResult, MethodResult]) -> int:
    seeds = [{(result.seed, result.fold) for result in method.run_results} for method in pair]
    return len(seeds[0] & seeds[1])
