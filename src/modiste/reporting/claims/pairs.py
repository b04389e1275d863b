"""Methods that differ in one setting alone."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from modiste.reporting import pairwise, results_table
from modiste.reporting.results_table import MethodResult


def find_pair(
    results: Sequence[MethodResult], key: str, is_wanted: Callable[[Any, Any], bool]
) -> tuple[MethodResult, MethodResult] | None:
    """Return two methods that differ in a setting alone, those with the most common seeds; None without any.

    Args:
        results: runs that differ in their seed alone are one method.
        key: of the setting.
        is_wanted: whether these are the values that the first and the second one should have.
    """
    methods = [method.result for method in pairwise.pool_methods(results)]
    pairs = [
        pair
        for pair in itertools.permutations(methods, 2)
        if (change := results_table.setting_differences(*pair)).keys() == {key} and is_wanted(*change[key])
    ]
    return max(pairs, key=_count_common_seeds, default=None)


def _count_common_seeds(pair: tuple[MethodResult, MethodResult]) -> int:
    seeds = [{(result.seed, result.fold) for result in method.run_results} for method in pair]
    return len(seeds[0] & seeds[1])
