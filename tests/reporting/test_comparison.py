"""Comparing runs from Python."""

from pathlib import Path

import pytest

import modiste
from helpers.idx import write_idx_folder
from helpers.runs import write_results, write_run
from modiste.recipes import named, settings
from modiste.recipes.recipe import Recipe
from modiste.reporting import comparison, comparison_tables, method_files
from modiste.reporting.evaluate import evaluate
from modiste.reporting.formatting import format_interval
from modiste.reporting.results_table import MethodResult
from modiste.runs import files


def read_run(
    path: Path, data: Path | None = None, split: str = "", recipe: Recipe | None = None, **recorded: object
) -> MethodResult:
    """A run that was evaluated on a split, and recorded this about its data."""
    run = write_run(path, recipe, data)
    if split:
        evaluate(run.path, split)
    content = files.read_json(run.environment)
    files.write_json(run.environment, content | {"data": content["data"] | recorded})
    return method_files.read_run(run.path)


def test_the_public_function_compares_runs_and_results_files(tmp_path: Path) -> None:
    """`modiste.compare` returns their results in their order, and plots figures where a folder is named."""
    run = write_run(tmp_path / "my-run", blind=1)
    scores = evaluate(run.path)
    paths = [run.path, write_results(tmp_path / "seeds.json", (0.93, 0.94))]
    compared = modiste.compare(paths, tmp_path / "figures")
    assert [(method.name, method.n, method.accuracy) for method in compared.methods] == [
        ("my-run", 1, scores.accuracy),
        ("seeds", 2, 0.935),
    ]
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert figures == {"loss.png", "accuracy.png", "accuracies.png", "confusion-my-run.png"}
    again = modiste.compare(paths)
    assert (again.methods, again.pairs, again.figures) == (compared.methods, compared.pairs, ())
    assert "on different images" in compared.pairs[0].reason


def test_an_interval_over_few_groups_of_images_is_marked(tmp_path: Path) -> None:
    """The table of methods says that it is approximate."""
    run = write_run(tmp_path / "my-run", blind=1)
    scores = evaluate(run.path)
    assert scores.interval_images is not None
    content = files.read_json(run.scores)
    content["test"] |= {"n_groups": 12, "is_interval_approximate": True}
    files.write_json(run.scores, content)
    (row,) = comparison_tables.methods_table([method_files.read_run(run.path)]).rows
    assert row[4] == f"{format_interval(scores.interval_images)} (approximate)"


def test_figures_of_earlier_comparisons_stay(tmp_path: Path) -> None:
    """Only files of the same name are replaced."""
    out = tmp_path / "figures"
    comparison.compare([write_results(tmp_path / "a.json", (0.9, 0.91))], out)
    before = (out / "accuracies.png").read_bytes()
    compared = comparison.compare([write_results(tmp_path / "b.json", (0.5, 0.51))], out, figure_format="svg")
    assert compared.figures == (out / "accuracies.svg",)
    assert (out / "accuracies.png").read_bytes() == before
    assert "95 % interval over images, not over seeds" in (out / "accuracies.svg").read_text()
    comparison.compare([tmp_path / "b.json"], out)
    assert (out / "accuracies.png").read_bytes() != before


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"source": "a", "sha256": "1" * 64}, {"source": "a", "sha256": "2" * 64}, False),
        ({"source": "a", "sha256": "1" * 64}, {"source": "copy", "sha256": "1" * 64}, True),
        ({"source": "a", "sha256": "1" * 64}, {"source": "a"}, True),
        ({"source": "a"}, {"source": "b"}, False),
        ({"source": "fashion-mnist", "sha256": "1" * 64}, {"source": "fashion-mnist", "sha256": "2" * 64}, True),
        ({"source": "fashion-mnist", "sha256": "1" * 64}, {"source": "a", "sha256": "2" * 64}, False),
    ],
)
def test_training_data_is_the_same_by_its_checksum(
    tmp_path: Path, one: dict[str, object], other: dict[str, object], same: bool
) -> None:
    """Else by its name; Fashion-MNIST is the same however its files are packed."""
    methods = [read_run(tmp_path / "one", **one), read_run(tmp_path / "other", **other)]
    different_data = comparison.describe_different_data(methods)
    assert (not different_data) == same
    if not same:
        checksum = "" if one["source"] == "fashion-mnist" or "sha256" not in one else " (SHA-256 11111111)"
        assert different_data["one"] == f"{methods[0].dataset}{checksum}, not evaluated"


def test_evaluated_images_are_compared(tmp_path: Path) -> None:
    """Other splits, numbers of images, classes and held-out images of equal number."""
    small, large = (write_idx_folder(tmp_path / str(test) / "data", test=test) for test in (20, 30))
    runs = {}
    for name, data, split, sha256 in (
        ("small", small, "test", "1"),
        ("again", small, "test", "2"),
        ("large", large, "test", "1"),
        ("fold-0", small, "validation", "1"),
        ("fold-1", small, "validation", "2"),
    ):
        recorded = {"n": 20, "sha256": sha256 * 64}
        runs[name] = read_run(tmp_path / "runs" / name, data, split, validation=recorded)
    assert not comparison.describe_different_data([runs["small"], runs["again"]])
    for pair in (("small", "large"), ("small", "fold-0"), ("fold-0", "fold-1")):
        assert comparison.describe_different_data([runs[name] for name in pair])
    descriptions = comparison.describe_different_data(list(runs.values()))
    assert descriptions["large"] == "data, test split of 30 images"
    assert descriptions["fold-1"] == "data, validation split of 20 images (SHA-256 22222222)"


def test_images_that_are_made_in_another_way_are_not_other_data(tmp_path: Path) -> None:
    """Their checksums differ, but they show the same photos."""
    data, runs = write_idx_folder(tmp_path / "data"), []
    for mode in ("squash", "letterbox"):
        recipe = settings.with_settings(named.classic_cnn(), {"data.resize_mode": mode})
        recorded = {"n": 20, "sha256": mode}
        runs.append(read_run(tmp_path / "runs" / mode, data, "validation", recipe, validation=recorded))
    assert not comparison.describe_different_data(runs)
