"""What a bundled model determines is measured again."""

from collections import defaultdict
from pathlib import Path

import pytest

from modiste.evaluation.evaluate import evaluate
from modiste.inference import model
from modiste.labels import FASHION_MNIST, NONE_OF_THESE
from modiste.recipes import settings
from modiste.recipes.named import NAMED
from modiste.recipes.recipe import Recipe
from modiste.runs import files, metrics, results
from modiste.runs.folder import Run

ROOT = Path(__file__).parents[2]
PUBLISHED = sorted((ROOT / "results").glob("*.json"))


def test_the_bundled_model_scores_what_is_published() -> None:
    """The model in the package is seed 0 of its results file: accuracy to the image, loss to the fifth digit."""
    published = results.read(ROOT / "results" / "fashion-mnist.json")["runs"][0]
    scores = evaluate(ROOT / "src" / "modiste" / "assets" / "models" / "fashion-mnist.onnx")
    assert published["seed"] == 0
    assert scores.accuracy == published["test_accuracy"]
    assert scores.loss == pytest.approx(published["test_loss"], abs=1e-5)
    assert model.load("fashion-mnist").scores["test"] == {"n": scores.n, "accuracy": scores.accuracy}


def test_the_bundled_models_know_their_labels() -> None:
    """Labels and input come with the file."""
    for name, size, channels in (("fashion-mnist", 28, 1),):
        loaded = model.load(name)
        assert set(loaded.labels) - {NONE_OF_THESE} == set(FASHION_MNIST)
        assert (NONE_OF_THESE in loaded.labels) == (channels == 3)
        assert (loaded.size, loaded.channels) == (size, channels)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "results" / "runs").glob("*/*")), ids=lambda path: "/".join(path.parts[-2:])
)
def test_a_published_run_is_the_one_in_its_results_file(path: Path) -> None:
    """Its log, its scores and its commit are those that the results file tells of that seed."""
    run = Run(path)
    (told,) = (
        each
        for each in results.read(ROOT / "results" / f"{path.parent.name}.json")["runs"]
        if each["seed"] == run.recipe().seed
    )
    scores = files.read_json(run.scores)["test"]
    assert (told["test_accuracy"], told["test_loss"]) == (scores["accuracy"], scores["loss"])
    assert told["epochs"] == len(metrics.read(run.metrics))
    assert told["commit"] == files.read_json(run.environment)["commit"]


@pytest.mark.parametrize("name", [path.stem for path in PUBLISHED if path.stem in NAMED])
def test_published_results_are_of_the_recipe_of_that_name(name: str) -> None:
    """Every setting that the file tells is the recipe's still; those that came later have their defaults there."""
    told = results.read(ROOT / "results" / f"{name}.json")["settings"]
    recipe = NAMED[name]()
    assert settings.with_settings(recipe, settings.to_settings(Recipe()) | told | {"seed": recipe.seed}) == recipe


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_results_are_from_a_clean_commit(path: Path) -> None:
    """Every run names the commit it was made from, without changes beside it, and seeds or folds start at 0."""
    published = results.read(path)
    assert all(len(run["commit"]) == 40 for run in published["runs"])
    assert len(published["commit"]) == 40
    numbers: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for run in published["runs"]:
        numbers[run.get("recipe", "")].append((run.get("seed", 0), run.get("fold", 0)))
    for each in numbers.values():
        assert each in ([(i, 0) for i in range(len(each))], [(0, i) for i in range(len(each))])
