"""What a report says: methods over seeds, settings and formulas, the user's own data, and what is missing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.idx import write_idx_folder
from helpers.models import tiny_model
from helpers.runs import write_run
from modiste.recipes import named, settings
from modiste.recipes.recipe import Recipe
from modiste.reporting import canvas, figures, method_files
from modiste.reporting.evaluate import evaluate
from modiste.reporting.report import html_format, results, texts
from modiste.reporting.report.build import build_document
from modiste.reporting.report.front_matter import FrontMatter
from modiste.reporting.report.write import write_report
from modiste.reporting.report_data import ReportData
from modiste.runs import files, metrics_file
from modiste.runs.folder import Run


def render(*runs: Run) -> str:
    """The page about these runs."""
    own = tuple(method_files.read_run(run.path) for run in runs)
    return html_format.to_html(build_document(ReportData(own), texts.read("en"), FrontMatter()))


def test_seeds_of_a_method_have_one_row_and_one_column(tmp_path: Path) -> None:
    """With the number of trainings, the interval over seeds, and all seeds and times in the settings."""
    recipes = [replace(named.classic_cnn(), seed=seed) for seed in (0, 1)]
    runs = [write_run(tmp_path / "runs" / f"s{r.seed}", r, blind=r.seed, dataset="fashion-mnist") for r in recipes]
    for run in runs:
        evaluate(run.path)
    html = render(*runs)
    assert "s0, s1 differ in their seed or fold alone. Their mean is called s0 and 1 more" in html
    results = html.split('id="tab-results"')[1].split("</table>")[0]
    assert results.count("<tr") == 2
    assert '<th scope="row">s0 and 1 more</th>' in results
    assert '<td class="r">2</td>' in results
    assert '<th scope="row">seed</th><td class="l">0, 1</td>' in html


def test_each_pair_of_methods_is_compared(tmp_path: Path) -> None:
    """Over the images that both predicted, where each was trained once; one method alone has no table."""
    slow = settings.with_settings(named.classic_cnn(), {"optimizer.lr": 0.001})
    runs = [
        write_run(tmp_path / name, recipe, blind=blind, dataset="fashion-mnist")
        for name, recipe, blind in (("good", named.classic_cnn(), 0), ("blind", slow, 5))
    ]
    for run in runs:
        evaluate(run.path)
    table = render(*runs).split('id="tab-differences"')[1].split("</table>")[0]
    assert "good − blind" in table
    assert "20 images, paired" in table
    assert "good is better" in table
    assert "0.002" in table
    assert 'id="tab-differences"' not in render(runs[0])


@pytest.mark.slow
def test_of_many_pairs_those_with_the_best_method_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the text says that the correction counts all of them."""
    monkeypatch.setattr(results, "MAX_DIFFERENCES", 2)
    recipes = [settings.with_settings(named.classic_cnn(), {"optimizer.lr": lr}) for lr in (0.01, 0.001, 0.0001)]
    runs = [write_run(tmp_path / f"r{i}", each, blind=i, dataset="fashion-mnist") for i, each in enumerate(recipes)]
    for run in runs:
        evaluate(run.path)
    html = render(*runs)
    table = html.split('id="tab-differences"')[1].split("</table>")[0]
    assert "Of 3 pairs, those with r0 are listed" in html
    assert [pair in table for pair in ("r0 − r1", "r0 − r2", "r1 − r2")] == [True, True, False]


def test_muon_is_described(tmp_path: Path) -> None:
    """With its formulas and its references, the value of label smoothing, and all settings not at their defaults."""
    html = render(write_run(tmp_path / "run", named.sprint()))
    assert "K. Jordan and others" in html
    assert "Newton-Schulz" in html
    assert "cross-entropy with label smoothing 0.1" in html
    assert "optimizer.head_lr_mult=0.1, optimizer.norm_bias_lr_mult=0.8" in html
    assert "AdamW" not in html


@pytest.mark.parametrize("recipe", [named.photo(), named.classic_cnn()])
def test_formulas_are_those_of_the_recipe(tmp_path: Path, recipe: Recipe) -> None:
    """AdamW, Muon and label smoothing only where they are used."""
    html = render(write_run(tmp_path / "run", recipe))
    assert ("decoupled" in html.lower()) == (recipe.optimizer.name == "adamw")
    assert ("With label smoothing" in html) == (recipe.optimizer.label_smoothing > 0)
    assert "Newton-Schulz" not in html


def test_options_of_own_methods_are_listed(tmp_path: Path) -> None:
    """Those of network, loss and optimizer, and weights of the classes with their formula."""
    changes = {
        "model.name": "mine:Net", "model.options.depth": 3, "loss.name": "mine:Focal", "loss.options.gamma": 2.0,
        "optimizer.name": "mine:Step", "optimizer.options.alpha": 0.5, "loss.class_weights": "balanced",
    }  # fmt: skip
    html = render(write_run(tmp_path / "run", settings.with_settings(named.classic_cnn(), changes)))
    assert "model.options.depth=3, optimizer.options.alpha=0.5, loss.options.gamma=2.0" in html
    assert "weights of the classes, which multiply the loss" in html


@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_names_of_runs_are_not_translated(tmp_path: Path, lang: str) -> None:
    """Also where a run has the name of a network or of a text of a figure."""
    history = method_files.read_run(write_run(tmp_path / "cnn").path).history
    plot = figures.plot_curves({"cnn": history, "train": history}, {"cnn": 2, "train": 2})
    canvas.translate(plot, texts.read(lang).terms)
    (legend, _) = (ax.get_legend() for ax in plot.axes)
    names = [text.get_text() for text in legend.get_texts()]
    assert names[:2] == ["cnn", "train"]
    assert ("训练" in names) == (lang == "zh")


def test_unfinished_and_unevaluated_runs_are_noted(tmp_path: Path) -> None:
    """In the report and by the command."""
    cut, new = write_run(tmp_path / "cut"), write_run(tmp_path / "new", replace(named.classic_cnn(), seed=1))
    cut.finished_marker.unlink()
    metrics_file.write(cut.metrics, [])
    assert "no run has finished its first epoch" in render(cut)
    notes = write_report([cut.path, new.path], tmp_path / "r.html")
    assert notes == [
        "The training is not finished: cut. To resume it: modiste train --resume RUN.",
        "Not evaluated yet: new. To evaluate: modiste evaluate RUN.",
    ]
    for note in notes:
        assert note.split(":")[0] in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_own_data_is_described(tmp_path: Path) -> None:
    """Its classes with their images, the size of the images, and classes that no test image has."""
    data = write_idx_folder(tmp_path / "beans", labels=3)
    (data / "labels.json").write_text(json.dumps(["dark", "middle", "bright"]))
    run = write_run(tmp_path / "run", data=data)
    run.model.write_bytes(tiny_model(("dark", "middle", "bright")))
    evaluate(run.path)
    scores = files.read_json(run.scores)
    assert "nothing is known about them" not in render(run)
    label, *_ = scores["test"]["per_class"]
    moved = scores["test"]["confusion_matrix"]
    moved[1] = [one + other for one, other in zip(moved[0], moved[1], strict=True)]
    moved[0] = [0, 0, 0]
    scores["test"] |= {"confusion_matrix": moved, "accuracy": sum(moved[k][k] for k in range(3)) / scores["test"]["n"]}
    scores["test"]["per_class"][0] = label | {"support": 0, "recall": None}
    files.write_json(run.scores, scores)
    html = render(run)
    assert "beans has 3 classes. Its images have 28 × 28 pixels, grayscale." in html
    assert "The test split of beans has no images of these classes, so nothing is known about them: dark." in html
    counts = html.split('id="tab-data-1"')[1].split("</table>")[0]
    assert '<th scope="row">dark</th><td class="r">' in counts
    assert '<td class="r">0</td>' in counts
    assert write_report([run.path], tmp_path / "r.html") == []


def test_a_report_says_which_probabilities_are_calibrated(tmp_path: Path) -> None:
    """The calibration error before and after temperature scaling, and the sample prediction after it."""
    run = write_run(tmp_path / "run", dataset="fashion-mnist", blind=1)
    evaluate(run.path)
    scores = files.read_json(run.scores)
    scores["test"]["ece_calibrated"] = 0.0123
    files.write_json(run.scores, scores)
    html = render(run)
    assert "After temperature scaling with the temperature that comes with the model, it is 1.2 points." in html
    assert "highest probability, after temperature scaling" in html


@pytest.mark.slow
def test_approximate_and_missing_intervals_are_marked(tmp_path: Path) -> None:
    """Of images in groups, with the reference; without groups, nothing is said about them."""
    run = write_run(tmp_path / "run", dataset="fashion-mnist", blind=1)
    evaluate(run.path)
    assert "Korn" not in render(run)
    scores = files.read_json(run.scores)
    scores["test"] |= {"n_groups": 12, "is_interval_approximate": True}
    files.write_json(run.scores, scores)
    html = render(run)
    assert " (approximate)</td>" in html
    assert "E. L. Korn" in html
    scores["test"] |= {"n_groups": 2, "interval_images": None}
    files.write_json(run.scores, scores)
    assert "There is none for run" in render(run)
