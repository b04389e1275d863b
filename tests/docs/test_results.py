"""What a bundled model determines is measured again."""

from collections import defaultdict
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from helpers.models import tiny_model
from modiste import inference
from modiste.inference import model_file
from modiste.labels import FASHION_MNIST, NONE_OF_THESE
from modiste.recipes import settings
from modiste.recipes.named import NAMED
from modiste.recipes.recipe import Recipe
from modiste.reporting.evaluate import evaluate
from modiste.runs import files, metrics_file, results
from modiste.runs.folder import Run

ROOT = Path(__file__).parents[2]
PUBLISHED = sorted((ROOT / "results").glob("*.json"))

FORMER = {"marathon-taught": "marathon"}
"""Recipes that had another name at the commit that their results are from."""


def test_the_bundled_model_scores_what_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model in the package is that of its results file: accuracy to the image, the rest to the fourth digit."""
    published = results.read(ROOT / "results" / "fashion-mnist.json")
    scores = evaluate(ROOT / "src" / "modiste" / "assets" / "models" / "fashion-mnist.onnx")
    assert scores.accuracy == published["test"]["accuracy"]
    assert scores.loss == pytest.approx(published["test"]["loss"], abs=1e-4)
    assert scores.ece_calibrated == pytest.approx(published["test"]["ece_calibrated"], abs=1e-4)
    loaded = model_file.load("fashion-mnist")
    assert loaded.scores["test"] == {"n": scores.n, "accuracy": scores.accuracy}
    assert loaded.calibration.temperature == published["held_out"]["temperature"]
    monkeypatch.syspath_prepend(ROOT / "tools")
    assert loaded.tta_threshold == import_module("results_tables").shipped()["tta_threshold"]


def test_the_card_of_the_bundled_model_says_what_its_results_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipe, form, size and epochs, which people wrote into it."""
    published = results.read(ROOT / "results" / "fashion-mnist.json")
    (run,) = published["runs"]
    card = (ROOT / "src" / "modiste" / "assets" / "models" / "fashion-mnist.md").read_text(encoding="utf-8")
    assert f"the recipe `{published['recipe']}` with seed {run['seed']}:" in card
    assert f"| parameters | {run['parameters']:,} |" in card
    assert f"| epoch kept | {run['epochs']} |" in card
    assert ("8-bit integers" in card) == published["form"].startswith("8 bits")
    monkeypatch.syspath_prepend(ROOT / "tools")
    tta_threshold = import_module("results_tables").shipped()["tta_threshold"]
    assert (f"less sure than {100 * tta_threshold:.0f} %" in card) == (tta_threshold > 0)


def test_the_bundled_model_for_photos_is_as_sure_as_is_published() -> None:
    """Scores, temperature and threshold are those of all folds; the file has nothing of the machine it was made on."""
    published, loaded = results.read(ROOT / "results" / "photos.json"), model_file.load("photo")
    assert loaded.scores["folds"] == {"n": published["images"], "accuracy": published["as_shipped"]["answers_correct"]}
    label_groups = [[loaded.class_names[label] for label in group] for group in loaded.calibration.label_groups]
    told = (loaded.calibration.temperature, loaded.calibration.threshold, label_groups)
    assert told == tuple(published[key] for key in ("temperature", "threshold", "label_groups"))
    assert '"source": "all"' in loaded.recipe_json


def test_a_model_is_bundled_with_what_results_say_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it said of itself before; the place of its data is no longer in it."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    recipe = settings.to_json(settings.with_settings(NAMED["sprint"](), {"data.source": "/home/me/idx"}))
    content = tiny_model(FASHION_MNIST, metadata={"recipe": recipe, "scores": "{}"})
    made = model_file.load(import_module("bundle").bundled("fashion-mnist", content))
    assert made.scores == model_file.load("fashion-mnist").scores
    assert "/home" not in made.recipe_json
    assert '"source": "idx"' in made.recipe_json


def test_weights_in_16_bits_say_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the size; what is measured as the difference is the difference."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    bundle = import_module("bundle")
    content = tiny_model(FASHION_MNIST, weights=np.random.default_rng(0).normal(0, 1e-3, (784, 10)).astype(np.float32))
    small = bundle.halved(content)
    assert len(small) < 0.6 * len(content)
    assert 0 < bundle.furthest(content, small) < 1e-3
    assert bundle.furthest(content, tiny_model(FASHION_MNIST)) > 1e-3


def test_the_chart_has_every_judged_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each where its results file puts it, in minutes that have its teachers in them."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    found = import_module("charts").recipe_points()
    judged = {path.stem for path in PUBLISHED if path.stem in NAMED}
    assert judged <= found.keys() <= NAMED.keys()
    for name in judged - {"sprint"}:  # which ran the race too, and later
        content = results.read(ROOT / "results" / f"{name}.json")
        minutes = sum(map(results.total_seconds, content["runs"])) / content["n"] / 60
        assert found[name] == (pytest.approx(content["mean"]), content["runs"][0]["parameters"], pytest.approx(minutes))


def test_the_bundled_models_know_photos_and_what_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """57 photos by people whose photos it has not seen, and what is no picture of anything."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    bundled, candidate_labels = inference.load(), import_module("photo_folds").candidate_labels
    paths = sorted((ROOT / "tests" / "photos").glob("*/*.jpg"))
    names = model_file.load("photo").class_names
    said = [names.index(told.label or "") for told in bundled.predict(paths)]
    assert len(paths) == 57
    assert candidate_labels(paths, names)[np.arange(57), said].mean() >= 0.8
    empty = np.stack([np.full((300, 200, 3), value, np.uint8) for value in (0, 128, 255)])
    noise = np.random.default_rng(0).integers(0, 256, (1, 300, 200, 3), dtype=np.uint8)
    assert {each.label for each in bundled.predict([*empty, *noise])} == {"none of these"}


def test_the_bundled_models_know_their_labels() -> None:
    """Labels and input come with the file."""
    for name, size, channels in (("fashion-mnist", 28, 1), ("photo", 224, 3)):
        loaded = model_file.load(name)
        assert set(loaded.class_names) - {NONE_OF_THESE} == set(FASHION_MNIST)
        assert (NONE_OF_THESE in loaded.class_names) == (channels == 3)
        assert (loaded.image_size, loaded.channels) == (size, channels)


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
    assert (told["accuracy"], told["loss"]) == (scores["accuracy"], scores["loss"])
    assert told["epochs"] == len(metrics_file.read(run.metrics))
    assert told["commit"] == files.read_json(run.environment)["commit"]


@pytest.mark.parametrize("name", [path.stem for path in PUBLISHED if path.stem in NAMED])
def test_published_results_are_of_the_recipe_of_that_name(name: str) -> None:
    """Every setting that the file tells is the recipe's still, but its name; what came later has its default there."""
    told = results.read(ROOT / "results" / f"{name}.json")["settings"]
    recipe = NAMED[name]()
    assert told["name"] == FORMER.get(name, name)
    beside = {"name": name, "description": recipe.description, "seed": recipe.seed}
    assert settings.with_settings(recipe, settings.to_settings(Recipe()) | told | beside) == recipe


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_results_are_from_a_clean_commit(path: Path) -> None:
    """Every run names the commit it was made from, without changes beside it, and seeds or folds start at 0."""
    published = results.read(path)
    assert all(len(run["commit"]) == 40 for run in published["runs"])
    assert len(published["commit"]) == 40
    numbers: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for run in published["runs"]:
        if "seed" in run:  # a runtime has none
            numbers[run.get("recipe", "")].append((run["seed"], run.get("fold", 0)))
    for each in numbers.values():
        assert each in ([(i, 0) for i in range(len(each))], [(0, i) for i in range(len(each))])
