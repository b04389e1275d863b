"""Claims about the course of a training: overfitting, and what makes it converge sooner."""

import math
from collections.abc import Sequence
from statistics import fmean

from modiste.metrics import intervals, significance
from modiste.reporting import pairwise
from modiste.reporting.claims.answer import (
    Answer,
    Translate,
    format_loss_interval,
    interval_of,
    not_measured,
    to_verdict,
)
from modiste.reporting.claims.pairs import find_pair
from modiste.reporting.results_table import MethodResult


def check_overfitting(results: Sequence[MethodResult], translate: Translate) -> Answer:
    """Check that after the best epoch of a ResNet-18 validation loss rose while train loss fell.

    It needs two trainings of the same method that differ in their seed: the interval of the rise is over these. Of
    several such methods it takes the one with the most epochs, as overfitting comes late.
    """
    methods = [
        method.result
        for method in pairwise.pool_methods([result for result in results if result.network == "resnet18"])
        if all(result.val_losses for result in method.result.run_results)
    ]
    if not methods:
        return not_measured("overfit")
    method = max(methods, key=lambda each: (each.n > 1, min(len(run.val_losses) for run in each.run_results), each.n))
    rises = [run.val_losses[-1] - run.val_losses[run.best_epoch - 1] for run in method.run_results]
    train_rises = [run.train_losses[-1] - run.train_losses[run.best_epoch - 1] for run in method.run_results]
    verdict = to_verdict(intervals.t_interval(rises), low=math.ulp(0))
    if verdict == "holds":
        verdict = to_verdict(intervals.t_interval(train_rises), high=-math.ulp(0))
    first = method.run_results[0]
    best, last = first.best_epoch, len(first.val_losses)
    values = {"name": method.name, "best": str(best), "last": str(last), "n": str(method.n)}
    values |= {"before": f"{first.val_losses[best - 1]:.4f}", "after": f"{first.val_losses[-1]:.4f}"}
    values |= {"train_before": f"{first.train_losses[best - 1]:.4f}", "train_after": f"{first.train_losses[-1]:.4f}"}
    values["interval"] = format_loss_interval(intervals.t_interval(rises), translate("to"))
    return Answer("overfit", verdict, "overfit", values)


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
    interval = interval_of(significance.compare_runs(losses, others))
    texts = {"name": pair[0].name, "other": pair[1].name, "n": f"{len(losses)} / {len(others)}"}
    texts |= {"loss": f"{fmean(losses.values()):.4f}", "other_loss": f"{fmean(others.values()):.4f}"}
    texts["interval"] = format_loss_interval(interval, translate("to"))
    return Answer(claim, to_verdict(interval, high=0.0), "convergence", texts)
