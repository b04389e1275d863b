"""The claims of the course report, each checked against measured results.

A claim holds, or does not hold, only where a 95 % interval says so; otherwise it cannot be distinguished here. The rule
of each check is in the docstring of its function.
"""

from collections.abc import Sequence
from dataclasses import replace

from modiste.reporting.claims import classes, curves, scores
from modiste.reporting.claims.answer import Answer, Translate
from modiste.reporting.experiment_results import Experiment
from modiste.reporting.report_data import CNN, ReportData, find_result
from modiste.reporting.results_table import MethodResult

CONVERGENCE = {
    "xavier": ("model.init", ("xavier", "default")),
    "batch_norm": ("model.norm_layer", ("batch_norm", "none")),
    "pretraining": ("model.weights", ("imagenet", "")),
}
"""Claims that one value of a setting makes a training converge sooner than another value."""


def check_claims(data: ReportData, translate: Translate = str) -> list[Answer]:
    """Check every claim against the user's results, in the order of the course report."""
    published: dict[str, Answer | None] = {
        answer.claim: answer
        for answer in _check_claims(data.published, data.published_experiments, translate)
        if answer.values and "command" not in answer.values
    }
    published["two_layers"] = published.get("cnn_accuracy")  # the rows of the public leaderboard are in both
    answers = _check_claims(data.own, data.own_experiments, translate)
    return [replace(answer, published=published.get(answer.claim)) for answer in answers]


def _check_claims(
    methods: Sequence[MethodResult], experiments: Sequence[Experiment], translate: Translate
) -> list[Answer]:
    """Check every claim against the results on Fashion-MNIST, which the claims are about."""
    rows = [method for experiment in experiments for method in experiment.methods]
    results = [result for result in (*methods, *rows) if result.uses_fashion_mnist]
    return [
        *scores.check_course_figures("cnn", find_result(results, CNN), translate),
        *scores.check_resnet18(results, translate),
        scores.check_cnn_better(results, translate),
        curves.check_overfitting(results, translate),
        scores.check_stopping(results, translate),
        *classes.check_classes(results, translate),
        *scores.check_crop_and_erasing(results, translate),
        *(curves.check_convergence(claim, results, *change, translate) for claim, change in CONVERGENCE.items()),
        scores.check_tuning(experiments, translate),
        scores.check_two_layers(find_result(results, CNN)),
    ]
