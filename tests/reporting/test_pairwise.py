"""Which methods are compared, and over what."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.runs import write_run
from modiste.errors import InputError
from modiste.labels import FASHION_MNIST
from modiste.recipes import named, settings
from modiste.recipes.recipe import Recipe
from modiste.reporting import method_files, pairwise, predictions, statements
from modiste.reporting.evaluate import evaluate, files_of
from modiste.reporting.pairwise import Method
from modiste.reporting.predictions import ImagePredictions
from modiste.reporting.results_table import MethodResult, RunResult
from modiste.runs.folder import Run

CNN, OTHER = named.classic_cnn(), settings.with_settings(named.classic_cnn(), {"model.dropout": 0})
LABELS = np.repeat(np.array(FASHION_MNIST), 20)
CLASSES = np.repeat(np.arange(10), 20)


def run_result(
    name: str, recipe: Recipe = CNN, seed: int = 0, accuracy: float = 0.9, split: str = "test"
) -> MethodResult:
    """One run of a recipe on Fashion-MNIST, in the folder runs/NAME."""
    result = RunResult(seed, accuracy, 0.3, 5, 100, 10.0, fold=recipe.data.fold)
    return MethodResult(name, replace(recipe, seed=seed), split, 200, (result,), run=Run(Path("runs") / name))


def correct(errors: int, groups: np.ndarray | None = None) -> ImagePredictions:
    """Predictions of 200 images of which the first are wrong."""
    return ImagePredictions(LABELS, np.arange(200) >= errors, groups)


def test_runs_that_differ_in_their_seed_are_one_method() -> None:
    """It has the name of their folder; results in other files, or of other recipes, are methods of their own."""
    runs = [run_result(f"bench/mine/seed-{seed}", seed=seed, accuracy=0.9 + seed / 100) for seed in (1, 0)]
    other = run_result("other", OTHER)
    methods = pairwise.pool_methods([*runs, other])
    assert [method.name for method in methods] == ["mine", "other"]
    assert methods[0].result.accuracies == (0.9, 0.91)
    assert pairwise.pool_methods([run_result("a"), run_result("b", seed=1)])[0].name == "a and 1 more"


def test_runs_of_one_recipe_and_seed_are_compared() -> None:
    """They may differ in code that no setting shows."""
    assert [method.name for method in pairwise.pool_methods([run_result("a"), run_result("b")])] == ["a", "b"]


def test_seeds_of_two_recipes_are_paired() -> None:
    """And the images that all of them predicted are compared, too."""
    runs, images = [], {}
    for name, recipe, errors in (("a", CNN, 10), ("b", OTHER, 20)):
        for seed in range(3):
            run = run_result(f"{name}/seed-{seed}", recipe, seed, 1 - (errors + seed + (seed == 2)) / 200)
            runs.append(run)
            images[run.name] = correct(errors + seed)
    (pair,) = pairwise.compare_pairs(pairwise.pool_methods(runs, images))
    assert pair.seeds is not None
    assert pair.images is not None
    assert (pair.seeds.n, pair.seeds.is_paired, pair.images.n, pair.images.p_value) == (3, True, 200, None)
    assert pair.images.difference == pytest.approx(0.05)
    assert pair.main is pair.seeds


def test_folds_are_paired_and_their_images_added() -> None:
    """Each fold has its own images; the interval is approximate, because folds share training images."""
    runs, images = [], {}
    for name, recipe, errors in (("a", CNN, 10), ("b", OTHER, 20)):
        for fold in range(3):
            of_fold = settings.with_settings(recipe, {"data.fold": fold})
            runs.append(run_result(f"{name}/fold-{fold}", of_fold, 0, 0.9 + errors * fold / 5000, "validation"))
            images[runs[-1].name] = correct(errors, CLASSES)
    (pair,) = pairwise.compare_pairs(pairwise.pool_methods(runs, images))
    assert pair.seeds is not None
    assert pair.images is not None
    assert (pair.seeds.unit, pair.seeds.is_approximate) == ("folds", True)
    assert "approximate, paired over 3 folds" in statements.describe_pair(pair)
    assert (pair.images.unit, pair.images.n) == ("groups", 10)


def test_single_runs_are_compared_over_their_images() -> None:
    """Where these are the same; p-values of several pairs are corrected together."""
    methods = [Method(run_result(name), {(0, 0): correct(errors)}) for name, errors in (("a", 4), ("b", 9), ("c", 40))]
    pairs = pairwise.compare_pairs(methods)
    assert [pair.images.p_holm is not None for pair in pairs if pair.images] == [True] * 3
    assert statements.describe_pair(pairs[0]).startswith(
        "a and b are not distinguishable: the difference is +2.50 points"
    )
    assert "p = 0.062 (p = 0.062 after Holm's correction); 200 images show" in statements.describe_pair(pairs[0])
    other = replace(correct(4), labels=LABELS[::-1])
    (pair,) = pairwise.compare_pairs([methods[0], Method(run_result("d"), {(0, 0): other})])
    assert pair.main is None


def test_a_clear_difference_without_a_test_is_not_called_indistinguishable() -> None:
    """Two seeds of one method and one of the other, over images: the interval decides."""
    (first,) = run_result("a").run_results
    seeds = replace(run_result("a"), run_results=(first, replace(first, seed=1)))
    several = Method(seeds, {(0, 0): correct(4), (1, 0): correct(6)})
    better = "a is 42.50 points better than b with these trainings, 95 % interval"
    for errors, beginning in ((90, better), (5, "a and b")):
        single = Method(run_result("b"), {(0, 0): correct(errors)})
        sentence = statements.describe_pair(pairwise.compare_methods(several, single))
        assert sentence.startswith(beginning)
        assert ("not distinguishable" in sentence) == (errors == 5)


def test_what_cannot_be_compared_says_why() -> None:
    """One seed without predictions, different images, and runs that are not evaluated."""
    one, other = Method(run_result("a")), Method(run_result("b"))
    assert "a and b are one training each, which shows no spread" in pairwise.compare_methods(one, other).reason
    smaller = Method(replace(run_result("b"), images=100))
    sentence = statements.describe_pair(pairwise.compare_methods(one, smaller))
    assert sentence == "a and b are not compared: they were evaluated on different images."
    missing = Method(replace(run_result("b"), run_results=(replace(run_result("b").run_results[0], accuracy=None),)))
    assert pairwise.compare_methods(one, missing).reason == "b is not evaluated."


def test_the_predictions_of_a_run_are_those_of_its_scores(tmp_path: Path) -> None:
    """They are left out where an earlier version has overwritten them with those of another split."""
    run = write_run(tmp_path / "run", blind=1)
    evaluate(run.path)
    images = predictions.read_predictions(method_files.read_run(run.path))
    assert images is not None
    assert (images.is_correct.mean(), len(images.labels)) == (pytest.approx(0.9), 20)
    evaluate(run.path, "validation")
    assert predictions.read_predictions(method_files.read_run(run.path)) is not None
    shutil.copy(files_of(run, "validation").probabilities, run.probabilities)
    assert predictions.read_predictions(method_files.read_run(run.path)) is None


def test_groups_and_candidate_labels_are_stored_with_the_predictions(tmp_path: Path) -> None:
    """So that photos of one person are compared together, and each candidate label is correct."""
    run = write_run(tmp_path / "run")
    evaluate(run.path)
    with np.load(run.probabilities) as arrays:
        content = dict(arrays)
    candidate_labels = np.zeros((20, 10), bool)
    candidate_labels[np.arange(20), content["labels"]] = True
    content |= {"groups": np.arange(20) // 2, "candidate_labels": candidate_labels}
    np.savez(run.probabilities, **content)
    images = predictions.read_predictions(method_files.read_run(run.path))
    assert images is not None
    assert images.groups is not None
    assert images.groups.tolist() == content["groups"].tolist()
    assert set(images.labels) == set(FASHION_MNIST)


def test_a_damaged_file_of_predictions_is_named(tmp_path: Path) -> None:
    """The error says how to write it again."""
    run = write_run(tmp_path / "run")
    evaluate(run.path)
    run.probabilities.write_bytes(b"no archive")
    with pytest.raises(InputError, match="modiste evaluate"):
        predictions.read_predictions(method_files.read_run(run.path))
