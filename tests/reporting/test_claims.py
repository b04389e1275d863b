"""The claims of the course report, checked against runs and results files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.runs import write_ablation, write_results, write_run
from helpers.scores import compute_scores
from modiste.labels import FASHION_MNIST
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.reporting import method_files, results_table
from modiste.reporting.claims.answer import Answer
from modiste.reporting.claims.check import check_claims
from modiste.reporting.evaluate import evaluate
from modiste.reporting.report_data import CNN, CNN_ERASING, RESNET18, ReportData, find_result, open_report_data
from modiste.reporting.results_table import MethodResult
from modiste.runs import files, results
from modiste.runs.folder import Run

PUBLISHED_CNN = f"{results.read_published()['classic-cnn']['mean']:.2%}"
RECIPES = {"classic_cnn": CNN, "classic_cnn_erasing": CNN_ERASING, "classic_resnet18": RESNET18}


def verdicts(data: ReportData) -> dict[str, str]:
    """The verdict on each claim."""
    return {answer.claim: answer.verdict for answer in check_claims(data)}


def answer(data: ReportData, claim: str) -> Answer:
    """The answer to one claim."""
    return next(each for each in check_claims(data) if each.claim == claim)


def results_files(
    folder: Path, **results: tuple[tuple[float, ...], float | tuple[float, ...]]
) -> tuple[MethodResult, ...]:
    """Results files of methods with these accuracies and this loss, of all seeds or of each."""
    return tuple(
        method_files.read_results(write_results(folder / f"{name}.json", accuracies, RECIPES[name], loss))
        for name, (accuracies, loss) in results.items()
    )


def evaluated_run(name: str, recipe: Recipe, confusion: list[list[int]]) -> MethodResult:
    """A run that was evaluated_run on the official test split with this confusion matrix."""
    pairs = [(t, p) for t, row in enumerate(confusion) for p, count in enumerate(row) for _ in range(count)]
    labels, predicted = np.array(pairs).T
    scores = compute_scores(np.eye(10)[predicted], labels, FASHION_MNIST, "test")
    run_result = results_table.RunResult(recipe.seed, scores.accuracy, scores.loss, 3, 7840, 6.0)
    return MethodResult(name, recipe, "test", scores.n, (run_result,), run=Run(Path(name)), scores=scores)


def confusion_matrix(shirts_as: int, bags: int = 20) -> list[list[int]]:
    """Of 20 images of each class 19 are right; 10 shirts are predicted as one other class; `bags` bags are right."""
    matrix = [[19 if t == p else int(p == (t + 1) % 10) for p in range(10)] for t in range(10)]
    matrix[6] = [10 if p in (6, shirts_as) else 0 for p in range(10)]
    matrix[8] = [bags if p == 8 else (20 - bags if p == 7 else 0) for p in range(10)]
    return matrix


def test_without_results_no_claim_is_measured() -> None:
    """Only the claim about the public leaderboard has a verdict."""
    verdict_by_claim = verdicts(ReportData(()))
    assert set(verdict_by_claim.values()) - {verdict_by_claim.pop("two_layers")} == {"not_measured"}


def test_published_results_answer_no_claim() -> None:
    """A claim is not measured with the published results alone; their figures are shown."""
    answers = check_claims(replace(open_report_data([]), own=()))
    assert {a.verdict for a in answers if a.claim != "two_layers"} == {"not_measured"}
    sentences = {"no_run", "no_pair", "no_class_scores", "two_layers_leaderboard"}
    assert {a.sentence for a in answers} == sentences
    published = {a.claim: a.published for a in answers if a.published}
    assert published["cnn_accuracy"].values["accuracy"] == PUBLISHED_CNN
    assert {"cnn_loss", "resnet18_accuracy", "overfit", "two_layers"} <= published.keys()


def test_a_claim_is_answered_by_own_runs() -> None:
    """Verdict and figures are those of the user's run; the published figures are shown separately."""
    own = evaluated_run("own", CNN, confusion_matrix(0, bags=0))
    result = answer(replace(open_report_data([]), own=(own,)), "cnn_accuracy")
    assert (result.verdict, result.values["accuracy"], result.values["n"]) == ("fails", f"{own.accuracy:.2%}", "1")
    assert result.published is not None
    assert result.published.values["accuracy"] == PUBLISHED_CNN


@pytest.mark.parametrize(
    ("accuracies", "loss", "expected"),
    [
        ((0.935, 0.936, 0.937), (0.40, 0.41, 0.42), ("holds", "fails")),
        ((0.919, 0.918, 0.917), (0.27, 0.26, 0.25), ("fails", "holds")),
        ((0.928, 0.929, 0.930), (0.30, 0.32, 0.34), ("not_distinguishable", "not_distinguishable")),
        ((0.90, 0.94, 0.98), (0.1, 0.3, 0.5), ("not_distinguishable", "not_distinguishable")),
        ((0.94,), 0.2, ("holds", "not_distinguishable")),
    ],
)
def test_the_claims_about_the_cnn_are_answered_by_intervals(
    tmp_path: Path, accuracies: tuple[float, ...], loss: tuple[float, ...] | float, expected: tuple[str, str]
) -> None:
    """Accuracy over images and seeds together, loss over seeds: one seed has an interval over images alone."""
    verdict_by_claim = verdicts(ReportData(results_files(tmp_path, classic_cnn=(accuracies, loss))))
    assert (verdict_by_claim["cnn_accuracy"], verdict_by_claim["cnn_loss"]) == expected


def test_a_resnet_from_scratch_does_not_answer_the_claim_about_imagenet_weights(tmp_path: Path) -> None:
    """Its figures are reported, and the claim is not measured."""
    result = answer(ReportData(results_files(tmp_path, classic_resnet18=((0.92,), 0.3))), "resnet18_accuracy")
    assert (result.verdict, result.sentence, result.values["accuracy"]) == (
        "not_measured",
        "accuracy_scratch",
        "92.00%",
    )


def test_a_resnet_with_imagenet_weights_answers_the_claim(tmp_path: Path) -> None:
    """Results with `model.weights=imagenet` are compared with the course report."""
    recipe = settings.with_settings(RESNET18, {"model.weights": "imagenet"})
    own = method_files.read_results(write_results(tmp_path / "transfer.json", (0.93, 0.931), recipe, (0.36, 0.3601)))
    verdict_by_claim = verdicts(ReportData((own,)))
    assert (verdict_by_claim["resnet18_accuracy"], verdict_by_claim["resnet18_loss"]) == ("holds", "fails")


def test_results_files_have_priority_over_runs(tmp_path: Path) -> None:
    """A results file of three seeds is used, not a single run; without a file, runs of two methods are not pooled."""
    recipe = settings.with_settings(RESNET18, {"model.weights": "imagenet"})
    own = method_files.read_results(write_results(tmp_path / "resnet.json", (0.92, 0.93, 0.94), recipe))
    poor = evaluated_run("resnet", recipe, confusion_matrix(0))
    values = answer(ReportData((poor, own)), "resnet18_accuracy").values
    assert (values["accuracy"], values["n"]) == ("93.00%", "3")
    slower = settings.with_settings(recipe, {"optimizer.lr": 0.002})
    other = replace(poor, recipe=slower, run_results=(replace(poor.run_results[0], seed=1),))
    assert answer(ReportData((poor, other)), "resnet18_accuracy").values["n"] == "1"


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        (((0.5, 0.3, 0.4), (0.5, 0.3, 0.401)), "holds"),
        (((0.5, 0.4, 0.3), (0.5, 0.4, 0.31)), "fails"),
        (((0.5, 0.3, 0.31), (0.5, 0.3, 0.4)), "not_distinguishable"),
        (((0.5, 0.3, 0.4),), "not_distinguishable"),
    ],
)
def test_overfitting_is_read_from_the_curves_of_several_seeds(
    tmp_path: Path, losses: tuple[tuple[float, ...], ...], verdict: str
) -> None:
    """The claim holds if the validation loss rose at the end while the train loss fell, over the seeds."""
    runs = [
        write_run(tmp_path / str(seed), replace(RESNET18, seed=seed), losses=each, dataset="fashion-mnist")
        for seed, each in enumerate(losses)
    ]
    result = answer(ReportData(tuple(method_files.read_run(run.path) for run in runs)), "overfit")
    assert (result.verdict, result.values["n"]) == (verdict, str(len(losses)))


def test_noise_is_no_overfitting() -> None:
    """Curves that neither fall nor rise: from their own lowest epoch nearly all would rise to the last one."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        run_results = tuple(
            results_table.RunResult(
                seed, 0.9, 0.3, 20, 7840, 6.0, best_epoch=1, train_losses=tuple(np.linspace(1, 0, 20)),
                val_losses=tuple(0.3 + 0.01 * rng.standard_normal(20)),
            )
            for seed in range(6)
        )  # fmt: skip
        own = MethodResult("resnet", RESNET18, "test", 10_000, run_results)
        held += answer(ReportData((own,)), "overfit").verdict == "holds"
    assert held <= 6


def test_overfitting_is_read_from_the_longest_training(tmp_path: Path) -> None:
    """A method with more seeds, but with fewer epochs, says less; and a single training nothing."""
    short, single = (settings.with_settings(RESNET18, {"optimizer.lr": lr}) for lr in (0.1, 0.2))
    long = [(RESNET18, (0.5, 0.3, 0.4)), (RESNET18, (0.5, 0.3, 0.401))]
    curves = [(single, (0.5, 0.4, 0.3, 0.2)), *[(short, (0.5, 0.3))] * 3, *long]
    runs = [
        write_run(tmp_path / str(seed), replace(recipe, seed=seed), losses=losses, dataset="fashion-mnist")
        for seed, (recipe, losses) in enumerate(curves)
    ]
    result = answer(ReportData(tuple(method_files.read_run(run.path) for run in runs)), "overfit")
    assert (result.verdict, result.values["n"]) == ("holds", "2")


@pytest.mark.parametrize("is_evaluated", [True, False])
def test_runs_on_other_data_answer_no_claim(tmp_path: Path, is_evaluated: bool) -> None:
    """Not those about curves either; a run on Fashion-MNIST is needed."""
    runs = [
        write_run(tmp_path / name, recipe, losses=(0.3, 0.5), dataset="beans")
        for name, recipe in (
            ("resnet", RESNET18), ("xavier", CNN), ("default", settings.with_settings(CNN, {"model.init": "default"})),
        )
    ]  # fmt: skip
    if is_evaluated:
        for run in runs:
            evaluate(run.path)
    data = ReportData(tuple(method_files.read_run(run.path) for run in runs))
    assert {verdict for claim, verdict in verdicts(data).items() if claim != "two_layers"} == {"not_measured"}
    assert (answer(data, "worst").sentence, answer(data, "worst").values) == (
        "no_class_scores",
        {"command": "modiste train classic-cnn"},
    )


def test_a_run_that_is_not_evaluated_is_named_in_the_command(tmp_path: Path) -> None:
    """Claims about classes need its test scores, and validation scores do not do."""
    run = write_run(tmp_path / "run", dataset="fashion-mnist")
    evaluate(run.path, "validation")
    values = answer(ReportData((method_files.read_run(run.path),)), "worst").values
    assert values == {"command": f"modiste evaluate {run.path}"}
    evaluate(run.path)
    assert answer(ReportData((method_files.read_run(run.path),)), "worst").verdict != "not_measured"


def test_claims_about_classes_are_about_the_mean_over_seeds() -> None:
    """Pullover takes the shirts of one of three seeds, but not those of the mean."""
    runs = [
        evaluated_run(f"runs/cnn/seed-{seed}", replace(CNN, seed=seed), confusion_matrix(shirts_as=label))
        for seed, label in enumerate((0, 0, 2))
    ]
    result = answer(ReportData(tuple(runs)), "confused")
    assert result.values["list"] == "cnn (n = 3): T-shirt/top 6.667 / 10"
    assert answer(ReportData((runs[2],)), "confused").verdict == "fails"
    assert result.verdict == "not_distinguishable"


def test_claims_about_classes_must_hold_for_every_method() -> None:
    """Shirt has the lowest recall and is predicted as T-shirt, for every method; one can show that it is not so."""
    claims_of_shirts = ("worst", "confused")
    cnn = evaluated_run("cnn", CNN, confusion_matrix(shirts_as=0))
    verdict_by_claim = verdicts(ReportData((cnn,)))
    assert [verdict_by_claim[claim] for claim in claims_of_shirts] == ["holds", "holds"]
    resnet = evaluated_run("resnet", RESNET18, confusion_matrix(shirts_as=2, bags=1))
    verdict_by_claim = verdicts(ReportData((cnn, resnet)))
    assert [verdict_by_claim[claim] for claim in (*claims_of_shirts, "best")] == ["fails", "fails", "fails"]


def test_scores_without_the_classes_of_a_claim_do_not_answer_it() -> None:
    """As those of a run whose classes were renamed."""
    cnn = evaluated_run("cnn", CNN, confusion_matrix(shirts_as=0))
    assert cnn.scores
    renamed = tuple(replace(each, name=f"{each.name} 2") for each in cnn.scores.per_class)
    other = replace(cnn, scores=replace(cnn.scores, per_class=renamed))
    verdict_by_claim = verdicts(ReportData((other,)))
    assert not {verdict_by_claim[claim] for claim in ("worst", "confused", "best")} & {"holds", "fails"}


@pytest.mark.parametrize("scale", [1, 50])
def test_the_best_class_needs_as_many_images_as_its_lead_is_small(scale: int) -> None:
    """All of 20 bags and 19 of 20 of the others show nothing; all of 1,000 and 950 of 1,000 do."""
    matrix = [[count * scale for count in row] for row in confusion_matrix(shirts_as=0)]
    expected = "holds" if scale > 1 else "not_distinguishable"
    assert verdicts(ReportData((evaluated_run("cnn", CNN, matrix),)))["best"] == expected


@pytest.mark.parametrize("label", [1, 9])
def test_classes_with_equal_recall_are_not_distinguishable(label: int) -> None:
    """Bag and another class with the highest recall are both listed."""
    matrix = confusion_matrix(shirts_as=0)
    matrix[label] = [20 if p == label else 0 for p in range(10)]
    result = answer(ReportData((evaluated_run("cnn", CNN, matrix),)), "best")
    names = " = ".join(FASHION_MNIST[index] for index in sorted((8, label)))
    assert (result.verdict, result.values["list"]) == ("not_distinguishable", f"cnn (n = 1): {names} 100.0%")


def test_equally_frequent_confusions_are_not_distinguishable() -> None:
    """Shirts are predicted as T-shirts as often as another class."""
    matrix = confusion_matrix(shirts_as=0)
    matrix[6] = [10, 0, 10, 0, 0, 0, 10, 0, 0, 0]
    result = answer(ReportData((evaluated_run("cnn", CNN, matrix),)), "confused")
    assert (result.verdict, result.values["list"]) == (
        "not_distinguishable",
        "cnn (n = 1): T-shirt/top = Pullover 10 / 20",
    )


def test_the_cnn_and_the_resnet_are_compared_over_their_common_seeds(tmp_path: Path) -> None:
    """With three of these they are paired; with two, an approximate interval allows no verdict."""
    cnn, resnet = (0.931, 0.930, 0.932, 0.90, 0.90, 0.90), (0.920, 0.9195, 0.9212)
    result = answer(
        ReportData(results_files(tmp_path, classic_cnn=(cnn, 0.2), classic_resnet18=(resnet, 0.3))), "cnn_better"
    )
    assert (result.verdict, result.values["points"]) == ("holds", "+1.08")
    own = results_files(tmp_path, classic_cnn=((0.95, 0.951, 0.952, 0.95), 0.2), classic_resnet18=((0.80, 0.801), 0.3))
    assert answer(ReportData(own), "cnn_better").verdict == "not_distinguishable"


def in_precision(result: MethodResult, precision: str) -> MethodResult:
    """The result of trainings that recorded this precision."""
    return replace(result, run_results=tuple(replace(each, precision=precision) for each in result.run_results))


def test_methods_of_different_precision_are_not_compared(tmp_path: Path) -> None:
    """The claim is not measured, with the command that measures it."""
    cnn, resnet = results_files(tmp_path, classic_cnn=((0.93, 0.931), 0.2), classic_resnet18=((0.90, 0.902), 0.3))
    assert answer(ReportData((cnn, resnet)), "cnn_better").verdict == "holds"
    mixed = answer(ReportData((in_precision(cnn, "bf16"), in_precision(resnet, "fp32"))), "cnn_better")
    assert (mixed.verdict, mixed.values) == ("not_measured", {"command": "modiste bench classic-resnet18 --seeds 3"})


def test_crop_and_erasing_are_compared_over_seeds(tmp_path: Path) -> None:
    """A lower loss means better generalization, a lower accuracy a cost, where the interval over seeds says so."""
    plain, losses = (0.930, 0.931, 0.932), (0.22, 0.221, 0.222)
    for erasing, erasing_losses, expected in (
        ((0.920, 0.9212, 0.922), (0.21, 0.2112, 0.212), ("holds", "holds")),
        ((0.940, 0.9412, 0.942), (0.23, 0.2312, 0.232), ("fails", "fails")),
        ((0.929, 0.932), (0.20, 0.24), ("not_distinguishable", "not_distinguishable")),
        ((0.92,), (0.21,), ("not_distinguishable", "not_distinguishable")),
    ):
        data = ReportData(
            results_files(tmp_path, classic_cnn=(plain, losses), classic_cnn_erasing=(erasing, erasing_losses))
        )
        assert (answer(data, "generalizes").verdict, answer(data, "costs").verdict) == expected
    assert answer(data, "costs").values["interval"] == "-"


def test_the_claim_about_xavier_compares_runs_that_differ_only_in_it(tmp_path: Path) -> None:
    """The losses after one epoch are compared over seeds; runs that differ in more settings are not."""
    plain, runs = settings.with_settings(CNN, {"model.init": "default"}), []
    for name, recipe, loss in (("xavier", CNN, 0.4), ("plain", plain, 0.5)):
        for seed in (0, 1):
            path, of_seed = tmp_path / f"{name}-{seed}", replace(recipe, seed=seed)
            losses = (loss + seed * loss / 100, 0.3)
            run = write_run(path, of_seed, losses=losses, dataset="fashion-mnist")
            runs.append(method_files.read_run(run.path))
    assert verdicts(ReportData(tuple(runs)))["xavier"] == "holds"
    assert verdicts(ReportData((runs[0], runs[2])))["xavier"] == "not_distinguishable"
    faster = settings.with_settings(plain, {"optimizer.lr": 1.0})
    other = method_files.read_run(write_run(tmp_path / "other", faster, dataset="fashion-mnist").path)
    assert verdicts(ReportData((other, runs[0])))["xavier"] == "not_measured"


@pytest.mark.parametrize(
    ("claim", "change"),
    [("xavier", "model.init=default"), ("batch_norm", "model.norm_layer=none"), ("pretraining", "model.weights=")],
)
@pytest.mark.parametrize(("loss", "verdict"), [(0.6, "holds"), (0.4, "fails")])
def test_claims_about_convergence_are_read_from_ablations(
    tmp_path: Path, claim: str, change: str, loss: float, verdict: str
) -> None:
    """The loss after one epoch, with the trick and without it."""
    base = settings.with_settings(RESNET18, {"model.weights": "imagenet"}) if claim == "pretraining" else CNN
    write_ablation(tmp_path / "own.json", {"unchanged": ([], 0.5), "without": ([change], loss)}, base)
    result = answer(open_report_data([], tmp_path), claim)
    assert (result.verdict, result.values["n"], result.values["other"]) == (verdict, "2 / 2", "own: without")
    assert (result.values["loss"], result.values["other_loss"]) == ("0.5025", f"{1.005 * loss:.4f}")


def test_the_cnn_is_compared_with_the_resnet_over_seeds(tmp_path: Path) -> None:
    """It is better only where the interval says so."""
    for resnet18, verdict in (((0.92, 0.9201), "holds"), ((0.93, 0.929), "not_distinguishable")):
        measured = results_files(tmp_path, classic_cnn=((0.93, 0.9304), 0.2), classic_resnet18=(resnet18, 0.2))
        assert verdicts(ReportData(measured))["cnn_better"] == verdict
    assert answer(ReportData(measured), "cnn_better").values["points"] == "+0.07"


def test_early_stopping_is_compared_with_training_to_the_end(tmp_path: Path) -> None:
    """By the test loss of ResNet-18."""
    unstopped = settings.with_settings(RESNET18, {"early_stopping.patience": 0})
    stopped = results_files(tmp_path, classic_resnet18=((0.92, 0.921), (0.3, 0.301)))
    other = method_files.read_results(write_results(tmp_path / "other.json", (0.92, 0.92), unstopped, (0.35, 0.352)))
    assert verdicts(ReportData((*stopped, other)))["stopping"] == "holds"
    assert verdicts(ReportData(stopped))["stopping"] == "not_measured"


def test_the_gain_of_tuning_is_that_on_other_folds(tmp_path: Path) -> None:
    """A search of another network does not answer the claim about the CNN."""
    for recipe, verdict in ((CNN, "fails"), (RESNET18, "not_measured")):
        path = write_ablation(tmp_path / "tuned.json", {"unchanged": ([], 0.5), "tuned": ([], 0.6)}, recipe)
        content = files.read_json(path)
        for record in content["runs"]:
            record["accuracy"] += record["seed"] * (0.001 if record["recipe"] == "tuned" else 0.0011)
        content |= {"tuned": content["base"], "trials": [{}] * 30, "split": "validation"}
        files.write_json(path, content)
        assert verdicts(open_report_data([], tmp_path))["tuning"] == verdict


def test_the_public_leaderboard_has_two_layer_rows_outside_91_to_93(tmp_path: Path) -> None:
    """Seven of its ten rows are inside, so the claim fails for any own result."""
    result = answer(ReportData(results_files(tmp_path, classic_cnn=((0.93,), 0.2))), "two_layers")
    assert (result.verdict, result.values["within"], result.values["rows"]) == ("fails", "7", "10")


def test_a_method_is_identified_by_its_recipe() -> None:
    """A results file of the recipe is preferred to its runs; another recipe of the same name does not match."""
    run = evaluated_run("own", CNN, confusion_matrix(0))
    assert (find_result([run], CNN) or run).run_results == run.run_results
    changed = settings.with_settings(CNN, {"optimizer.lr": 0.02})
    assert find_result([evaluated_run("classic-cnn", changed, confusion_matrix(0))], CNN) is None
    file = replace(run, name="other", run=None, run_results=run.run_results * 2)
    assert find_result([run, file], CNN) is file
