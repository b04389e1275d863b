"""Claims about the course of a training: overfitting, and what makes it converge sooner."""

import math
from collections.abc import Sequence
from statistics import fmean

from modiste.metrics import intervals
from modiste.reporting import pairwise
from modiste.reporting.claims.answer import (
    Answer,
    Translate,
    format_loss_interval,
    interval_of,
    not_measured,
    to_verdict,
    verdict_of,
)
from modiste.reporting.claims.pairs import compare_seeds, find_pair
from modiste.reporting.results_table import MethodResult, RunResult


def check_overfitting(results: Sequence[MethodResult], translate: Translate) -> Answer:
    """Check that in the last third of the epochs of a ResNet-18 validation loss rose while train loss fell.

    It needs two trainings of the same method that differ in their seed: the interval of the rise is over these. It is
    not measured from the epoch with the lowest loss, as noise alone rises from there. Of several such methods it takes
    the one with the most epochs, as overfitting comes late.
    """
    methods = [
        method.result
        for method in pairwise.pool_methods([result for result in results if result.network == "resnet18"])
        if all(len(result.val_losses) > 1 for result in method.result.run_results)
    ]
    if not methods:
        return not_measured("overfit")
    method = max(methods, key=lambda each: (each.n > 1, min(len(run.val_losses) for run in each.run_results), each.n))
    rises, train_rises = zip(*map(_rises, method.run_results), strict=True)
    verdict = to_verdict(intervals.t_interval(rises), low=math.ulp(0))
    if verdict == "holds" and max(train_rises) >= 0:
        verdict = "not_distinguishable"
    means = (f"{fmean(values):+.4f}" for values in (rises, train_rises))
    values = {"name": method.name, "n": str(method.n), **dict(zip(("rise", "train_rise"), means, strict=True))}
    values["interval"] = format_loss_interval(intervals.t_interval(rises), translate("to"))
    return Answer("overfit", verdict, "overfit", values)


def _rises(run: RunResult) -> tuple[float, float]:
    """Return by how much validation and train loss rose over the last third of the epochs of a training."""
    start = 2 * len(run.val_losses) // 3 - 1
    return run.val_losses[-1] - run.val_losses[start], run.train_losses[-1] - run.train_losses[start]


def check_convergence(
    claim: str, results: Sequence[MethodResult], key: str, values: tuple[str, str], translate: Translate
) -> Answer:
    """Check that of methods that differ in one setting alone, the first has the lower val loss after one epoch.

    The interval of the difference is over seeds; it needs two of each.

    Args:
        claim: its key.
        results: runs, results files and rows of ablations.
        key: of the setting.
        values: of the setting, in the first and the second method.
        translate: of the word between the ends of an interval.
    """
    with_losses = [each for each in results if all(run.val_losses for run in each.run_results)]
    pair = find_pair(with_losses, key, lambda *change: change == values)
    if pair is None:
        return not_measured(claim, "no_pair")
    losses, others = ({(run.seed, run.fold): run.val_losses[0] for run in method.run_results} for method in pair)
    comparison = compare_seeds(losses, others)
    texts = {"name": pair[0].name, "other": pair[1].name, "n": f"{len(losses)} / {len(others)}"}
    texts |= {"loss": f"{fmean(losses.values()):.4f}", "other_loss": f"{fmean(others.values()):.4f}"}
    texts["interval"] = format_loss_interval(interval_of(comparison), translate("to"))
    return Answer(claim, verdict_of(comparison, high=0.0), "convergence", texts)
