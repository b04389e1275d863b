"""The course report's claims, answered from runs and results that are made to hold or not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.runs import rows, write_results, write_run
from modiste.errors import InputError
from modiste.labels import FASHION_MNIST
from modiste.metrics.scores import compute_scores
from modiste.recipes import named, settings
from modiste.recipes.recipe import Recipe
from modiste.reporting import claims, results_table
from modiste.reporting.report_data import RECIPES, ReportData, open_report_data
from modiste.reporting.results_table import MethodResult


def verdicts(study: ReportData) -> dict[str, str]:
    """The verdict on each claim."""
    return {answer.claim: answer.verdict for answer in claims.answers(study)}


def filed(folder: Path, **results: tuple[tuple[float, ...], float]) -> ReportData:
    """A study of results files alone: accuracies and a loss for each named method; underscores stand for hyphens."""
    for name, (accuracies, loss) in results.items():
        title = name.replace("_", "-")
        write_results(folder / f"{title}.json", accuracies, RECIPES[title], loss)
    return open_report_data([], folder)


def judged(name: str, recipe: Recipe, confusion: list[list[int]]) -> MethodResult:
    """A run that was judged on the official test split with this confusion matrix."""
    pairs = [(t, s) for t, row in enumerate(confusion) for s, count in enumerate(row) for _ in range(count)]
    labels, said = np.array(pairs).T
    found = compute_scores(np.eye(10)[said], labels, FASHION_MNIST, "test")
    outcome = results_table.RunResult(recipe.seed, found.accuracy, found.loss, 3, 7840, 6.0)
    return MethodResult(name, recipe, "test", found.n, (outcome,), scores=found)


def shirts(taken_for: int, bags: int = 20) -> list[list[int]]:
    """Nineteen of twenty right for every label, but shirts, ten of which are taken for one other label, and bags."""
    matrix = [[19 if t == s else int(s == (t + 1) % 10) for s in range(10)] for t in range(10)]
    matrix[6] = [10 if s in (6, taken_for) else 0 for s in range(10)]
    matrix[8] = [bags if s == 8 else (20 - bags if s == 7 else 0) for s in range(10)]
    return matrix


def test_nothing_measured_is_said_so(tmp_path: Path) -> None:
    """Without runs every claim but the one on the public table is unmeasured."""
    found = verdicts(open_report_data([], tmp_path))
    assert set(found.values()) - {found.pop("two_layers")} == {"unmeasured"}


def test_figures_of_the_cnn(tmp_path: Path) -> None:
    """The mean over seeds decides: at least the accuracy, at most the loss."""
    found = verdicts(filed(tmp_path, classic_cnn=((0.9270, 0.9280), 0.40)))
    assert (found["cnn_accuracy"], found["cnn_loss"]) == ("holds", "fails")
    found = verdicts(filed(tmp_path, classic_cnn=((0.9270, 0.9279), 0.3281)))
    assert (found["cnn_accuracy"], found["cnn_loss"]) == ("fails", "holds")


def test_a_resnet_from_scratch_does_not_answer_for_imagenet_weights(tmp_path: Path) -> None:
    """What was reached from scratch is told, and the claim stays unmeasured."""
    study = filed(tmp_path, classic_resnet18=((0.92,), 0.3))
    answer = next(answer for answer in claims.answers(study) if answer.claim == "resnet18_accuracy")
    assert (answer.verdict, answer.sentence, answer.values["accuracy"]) == ("unmeasured", "accuracy_scratch", "92.00%")


def test_a_resnet_with_imagenet_weights_does(tmp_path: Path) -> None:
    """Results whose settings name ImageNet weights are held against the report's figures."""
    recipe = replace(named.classic_resnet18(), model=replace(named.classic_resnet18().model, weights="imagenet"))
    write_results(tmp_path / "transfer.json", (0.93,), recipe, 0.36)
    found = verdicts(open_report_data([], tmp_path))
    assert (found["resnet18_accuracy"], found["resnet18_loss"]) == ("holds", "fails")


def test_results_go_before_a_single_run_with_imagenet_weights(tmp_path: Path) -> None:
    """A bad run does not beat a results file of three seeds, not even of its name; without one, methods do not mix."""
    network = replace(named.classic_resnet18().model, weights="imagenet")
    recipe = replace(named.classic_resnet18(), model=network)
    write_results(tmp_path / "resnet.json", (0.92, 0.93, 0.94), recipe)
    poor = replace(judged("resnet", recipe, shirts(0)), run=write_run(tmp_path / "resnet", recipe))
    study = open_report_data([], tmp_path)
    both = replace(study, given=(poor,))
    assert [entry.name for entry in both.everything()] == ["resnet", "resnet (results)"]
    told = {answer.claim: answer.values for answer in claims.answers(both)}
    assert (told["resnet18_accuracy"]["accuracy"], told["resnet18_accuracy"]["n"]) == ("93.00%", "3")
    slower = settings.with_settings(recipe, {"optimizer.lr": 0.002})
    other = replace(poor, recipe=slower, run_results=(replace(poor.run_results[0], seed=1),))
    told = {answer.claim: answer.values for answer in claims.answers(ReportData((poor, other), {}))}
    assert told["resnet18_accuracy"]["n"] == "1"


@pytest.mark.parametrize(
    ("losses", "verdict"), [((0.5, 0.3, 0.4), "holds"), ((0.5, 0.4, 0.3), "fails"), ((0.3,), "fails")]
)
def test_overfitting_is_seen_in_the_curves(tmp_path: Path, losses: tuple[float, ...], verdict: str) -> None:
    """Validation loss that rose after the epoch kept, while train loss fell, is about to overfit."""
    run = write_run(tmp_path / "run", named.classic_resnet18(), losses=losses)
    assert verdicts(ReportData((results_table.read_run(run.path),), {}))["overfit"] == verdict


def test_the_worst_and_the_best_class() -> None:
    """Shirt has the lowest recall and goes for a T-shirt, Bag has the highest, in every run."""
    cnn = judged("cnn", named.classic_cnn(), shirts(taken_for=0))
    found = verdicts(ReportData((cnn,), {}))
    assert (found["worst"], found["taken_for"], found["best"]) == ("holds", "holds", "holds")
    resnet = judged("resnet", named.classic_resnet18(), shirts(taken_for=2, bags=5))
    found = verdicts(ReportData((cnn, resnet), {}))
    assert (found["worst"], found["taken_for"], found["best"]) == ("fails", "fails", "fails")


def test_crop_and_erasing_are_compared_by_seed(tmp_path: Path) -> None:
    """A lower loss generalizes, a lower accuracy is a cost; the interval is over the seeds that both have."""
    study = filed(tmp_path, classic_cnn=((0.930, 0.931, 0.932), 0.22), classic_cnn_erasing=((0.928, 0.930), 0.21))
    found = {answer.claim: answer for answer in claims.answers(study)}
    assert (found["generalizes"].verdict, found["costs"].verdict) == ("holds", "holds")
    assert (found["costs"].values["points"], found["costs"].values["n"]) == ("-0.20", "2")


def test_xavier_takes_two_runs_that_differ_in_it_alone(tmp_path: Path) -> None:
    """The loss after one epoch decides; runs that differ in more say nothing."""
    plain = replace(named.classic_cnn(), model=replace(named.classic_cnn().model, init="default"))
    quick = results_table.read_run(write_run(tmp_path / "xavier", losses=(0.4, 0.3)).path)
    slow = results_table.read_run(write_run(tmp_path / "plain", plain, losses=(0.5, 0.3)).path)
    assert verdicts(ReportData((slow, quick), {}))["xavier"] == "holds"
    other = results_table.read_run(
        write_run(tmp_path / "other", replace(plain, seed=1, optimizer=replace(plain.optimizer, lr=1))).path
    )
    assert verdicts(ReportData((other, quick), {}))["xavier"] == "unmeasured"


def test_the_public_table_has_two_layer_rows_outside_91_to_93(tmp_path: Path) -> None:
    """Seven of its ten rows lie within, so the claim fails whatever ours is."""
    answer = claims.answers(filed(tmp_path, classic_cnn=((0.93,), 0.2)))[-1]
    assert (answer.claim, answer.verdict) == ("two_layers", "fails")
    assert (answer.values["within"], answer.values["rows"]) == ("7", "10")


def test_a_results_file_goes_before_runs_and_a_changed_recipe_counts_as_another() -> None:
    """`measured` takes the file of that name, else the runs of exactly that recipe."""
    run = judged("mine", named.classic_cnn(), shirts(0))
    assert (ReportData((run,), {}).measured("classic-cnn") or run).run_results == run.run_results
    changed = replace(named.classic_cnn(), optimizer=replace(named.classic_cnn().optimizer, lr=0.02))
    assert ReportData((judged("mine", changed, shirts(0)),), {}).measured("classic-cnn") is None
    file = replace(run, name="classic-cnn", run_results=run.run_results * 2)
    assert ReportData((run,), {"classic-cnn": file}).measured("classic-cnn") is file


def test_one_run_of_each_method_is_shown(tmp_path: Path) -> None:
    """A second seed of the same method is left out of the figures."""
    first, second = (write_run(tmp_path / str(seed), replace(named.classic_cnn(), seed=seed)) for seed in (0, 1))
    other = write_run(tmp_path / "resnet", named.classic_resnet18())
    opened = tuple(results_table.read_run(run.path) for run in (first, second, other))
    assert [entry.name for entry in ReportData(opened, {}).shown()] == ["0", "resnet"]
    assert opened[0].history == tuple(rows((0.6, 0.4, 0.5)))


def test_a_folder_of_results_must_be_there(tmp_path: Path) -> None:
    """A folder that does not exist is named."""
    with pytest.raises(InputError, match="is no folder"):
        open_report_data([], tmp_path / "none")
