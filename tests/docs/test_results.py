"""Published numbers that follow from a bundled model or file are measured again."""

import shutil
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.models import tiny_model
from modiste import inference
from modiste.experiments import verdicts
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
"""Recipes that had another name at the commit of their results."""


@pytest.mark.slow
def test_the_bundled_model_has_the_published_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accuracy exactly, loss and ECE to four digits."""
    published = results.read(ROOT / "results" / "fashion-mnist.json")
    scores = evaluate(ROOT / "src" / "modiste" / "assets" / "models" / "fashion-mnist.onnx")
    assert scores.accuracy == published["test"]["accuracy"]
    assert scores.loss == pytest.approx(published["test"]["loss"], abs=1e-4)
    assert scores.ece_calibrated == pytest.approx(published["test"]["ece_calibrated"], abs=1e-4)
    loaded = model_file.load("fashion-mnist")
    assert loaded.scores["test"] == {"n": scores.n, "accuracy": scores.accuracy}
    assert loaded.calibration.temperature == published["held_out"]["temperature"]
    monkeypatch.syspath_prepend(ROOT / "tools")
    assert loaded.tta_threshold == import_module("results_tables").bundled_form()["tta_threshold"]


def test_the_card_of_the_bundled_model_agrees_with_its_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipe, form, parameters and epochs, which are written by hand."""
    published = results.read(ROOT / "results" / "fashion-mnist.json")
    (run,) = published["runs"]
    card = (ROOT / "src" / "modiste" / "assets" / "models" / "fashion-mnist.md").read_text(encoding="utf-8")
    assert f"the recipe `{published['recipe']}` with seed {run['seed']}:" in card
    assert f"| parameters | {run['parameters']:,} |" in card
    assert f"| epoch | {run['epochs']} " in card
    assert ("8-bit integers" in card) == published["form"].startswith("int8")
    monkeypatch.syspath_prepend(ROOT / "tools")
    tta_threshold = import_module("results_tables").bundled_form()["tta_threshold"]
    assert (f"probability of at least {100 * tta_threshold:.0f} %" in card) == (tta_threshold > 0)


def test_the_bundled_photo_model_has_the_published_calibration() -> None:
    """Scores, temperature and threshold are those of all folds, and its recipe has no path of the training machine."""
    published, loaded = results.read(ROOT / "results" / "photos.json"), model_file.load("photo")
    assert loaded.scores["folds"] == {"n": published["folds"]["images"], "accuracy": published["folds"]["accuracy"]}
    label_groups = [[loaded.class_names[label] for label in group] for group in loaded.calibration.label_groups]
    fitted = (loaded.calibration.temperature, loaded.calibration.threshold, label_groups)
    assert fitted == tuple(published["calibration"][key] for key in ("temperature", "threshold", "label_groups"))
    assert '"source": "all"' in loaded.recipe_json


@pytest.mark.slow
def test_the_scores_on_photos_follow_from_the_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of each training has the probabilities of its left-out photos."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    read, photos = import_module("photo_measurements").read, import_module("photos")
    measured = [read(path) for path in sorted((ROOT / "benchmarks" / "measurements").glob("*.npz"))]
    published = results.read(ROOT / "results" / "photos.json")
    by_name = {each.record["recipe"]: each for each in measured}
    ordered = [by_name[run["recipe"]] for run in published["runs"]]
    baseline = [each for each in ordered if each.record["recipe"].startswith("baseline-")]
    scores = photos.summarize_all([each for each in ordered if each not in baseline], baseline)
    scores["baseline"] = photos.summarize_baseline(published["baseline"]["recipe"], *baseline)
    assert len(measured) == len(published["runs"])
    assert rounded(scores) == rounded({key: published[key] for key in scores})


def rounded(value: Any) -> Any:
    """Return nested scores as JSON has them, with numbers to nine digits."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return list(map(rounded, value))
    return round(value, 9) if isinstance(value, float) else value


def test_a_model_is_bundled_with_its_published_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """They replace the scores in its metadata."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    content = tiny_model(FASHION_MNIST, metadata={"recipe": settings.to_json(NAMED["sprint"]()), "scores": "{}"})
    bundled = model_file.load(import_module("bundle").to_bundled("fashion-mnist", content))
    assert bundled.scores == model_file.load("fashion-mnist").scores


def test_fp16_weights_hardly_change_the_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has half the size, and the difference to another model is measured as large."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    bundle = import_module("bundle")
    content = tiny_model(FASHION_MNIST, weights=np.random.default_rng(0).normal(0, 1e-3, (784, 10)).astype(np.float32))
    small = bundle.to_fp16(content)
    assert len(small) < 0.6 * len(content)
    assert 0 < bundle.max_difference(content, small) < 1e-3
    assert bundle.max_difference(content, tiny_model(FASHION_MNIST)) > 1e-3


def test_a_chart_whose_results_changed_is_out_of_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of a point in one of the recipes is enough."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    charts, frontier = import_module("charts"), import_module("frontier")
    points, published = charts.recipe_points(), frontier.published_points()
    chart = ROOT / "docs" / "frontier.png"
    assert charts.is_same(frontier.plot_accuracy_over_cost(points, published), chart)
    points["marathon"] = points["marathon"]._replace(accuracy=points["marathon"].accuracy - 0.001)
    assert not charts.is_same(frontier.plot_accuracy_over_cost(points, published), chart)


def test_the_chart_has_every_evaluated_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accuracy, parameters and minutes, including those of its teachers, are those of its results file."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    points = import_module("charts").recipe_points()
    evaluated = {path.stem for path in PUBLISHED if path.stem in NAMED}
    assert evaluated <= points.keys() <= NAMED.keys()
    for name in evaluated - {"sprint"}:  # its point is that of the later time-to-accuracy benchmark
        content = results.read(ROOT / "results" / f"{name}.json")
        minutes = sum(map(results.total_seconds, content["runs"])) / content["n"] / 60
        assert points[name] == (
            pytest.approx(content["mean"]),
            content["runs"][0]["parameters"],
            pytest.approx(minutes),
        )


@pytest.mark.slow
def test_the_bundled_models_on_test_photos_and_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 57 photos from other senders 80 % are correct; uniform images and noise are none of these."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    bundled, photo_sets = inference.load(), import_module("photo_sets")
    paths = sorted((ROOT / "tests" / "photos").glob("*/*.jpg"))
    names = model_file.load("photo").class_names
    predicted = [names.index(prediction.label or "") for prediction in bundled.predict(paths)]
    assert len(paths) == 57
    photos = [photo_sets.Photo(path, path.parent.name, photo_sets.COLLECTION, "") for path in paths]
    assert photo_sets.candidate_labels(photos, names)[np.arange(57), predicted].mean() >= 0.8
    empty = np.stack([np.full((300, 200, 3), value, np.uint8) for value in (0, 128, 255)])
    noise = np.random.default_rng(0).integers(0, 256, (1, 300, 200, 3), dtype=np.uint8)
    assert {each.label for each in bundled.predict([*empty, *noise])} == {"none of these"}


def test_the_bundled_models_have_their_class_names() -> None:
    """Class names and input size are in the file."""
    for name, size, channels in (("fashion-mnist", 28, 1), ("photo", 224, 3)):
        loaded = model_file.load(name)
        assert set(loaded.class_names) - {NONE_OF_THESE} == set(FASHION_MNIST)
        assert (NONE_OF_THESE in loaded.class_names) == (channels == 3)
        assert (loaded.image_size, loaded.channels) == (size, channels)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "results" / "runs").glob("*/*")), ids=lambda path: "/".join(path.parts[-2:])
)
def test_a_published_run_agrees_with_its_results_file(path: Path) -> None:
    """Its epochs, scores and commit are those of the record with its seed."""
    run = Run(path)
    (record,) = (
        each
        for each in results.read(ROOT / "results" / f"{path.parent.name}.json")["runs"]
        if each["seed"] == run.recipe().seed
    )
    scores = files.read_json(run.scores)["test"]
    assert (record["accuracy"], record["loss"]) == (scores["accuracy"], scores["loss"])
    assert record["epochs"] == len(metrics_file.read(run.metrics))
    assert record["commit"] == files.read_json(run.environment)["commit"]


@pytest.mark.parametrize("name", [path.stem for path in PUBLISHED if path.stem in NAMED])
def test_published_results_have_the_settings_of_their_recipe(name: str) -> None:
    """All settings in the file equal those of the recipe; newer settings have their defaults."""
    published = results.read(ROOT / "results" / f"{name}.json")["settings"]
    recipe = NAMED[name]()
    assert published["name"] == FORMER.get(name, name)
    unpublished = {"name": name, "description": recipe.description, "seed": recipe.seed}
    assert settings.with_settings(recipe, settings.to_settings(Recipe()) | published | unpublished) == recipe


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_results_are_from_a_clean_commit(path: Path) -> None:
    """Every run has a commit without uncommitted changes; seeds start at 0, and no seed or fold between is left out."""
    published = results.read(path)
    assert all(len(run.get("commit", published["commit"])) == 40 for run in published["runs"])  # verdicts have none
    assert len(published["commit"]) == 40
    numbers: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for run in published["runs"]:
        if "seed" in run:  # runtimes have no seed
            numbers[run.get("recipe", ""), run.get("majority", 0)].append((run["seed"], run.get("fold", 0)))
    for each in numbers.values():
        seed, fold = each[0]
        by_seed = [(i, fold) for i in range(len(each))]
        assert each in (by_seed, [(seed, fold + i) for i in range(len(each))])


def test_the_statistics_keep_their_bounds() -> None:
    """In every case of the simulation that has bounds."""
    simulated = results.read(ROOT / "results" / "coverage.json")
    assert simulated["draws"] == 20_000
    assert all(case["within_bounds"] for case in simulated["runs"] if case["bounds"])


def test_the_share_of_wrong_labels_follows_from_the_verdicts(tmp_path: Path) -> None:
    """On the published sample."""
    audit = ROOT / "results" / "audit"
    shutil.copy(audit / "sample.json", tmp_path)
    rate = verdicts.rate(tmp_path, audit / "verdicts.json", "")
    published = results.read(ROOT / "results" / "label-errors.json")
    assert [rate[key] for key in ("estimate", "estimate_with_unsure")] == [
        published[key] for key in ("estimate", "estimate_with_unsure")
    ]
