"""Results files of ablations and searches, as methods that can be compared."""

import json
from pathlib import Path

import pytest

from helpers.runs import write_ablation
from modiste.errors import InputError
from modiste.reporting import results_table
from modiste.reporting.experiment_results import is_experiment, read_experiment
from modiste.runs import files, results


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The results file of an ablation with one row that has no trainings of its own."""
    rows = {"unchanged": ([], 0.5), "without dropout": (["model.dropout=0.0"], 0.6)}
    path = write_ablation(tmp_path / "ablation.json", rows)
    content = files.read_json(path)
    content["tricks"].append({"recipe": "with flip TTA", "settings": ["model.flip_tta=true"], "n": 2})
    files.write_json(path, content)
    return path


def test_each_row_of_an_ablation_is_a_method(file: Path) -> None:
    """Its recipe is the unchanged one with its settings; its differences have a row even without trainings."""
    ablation = read_experiment(file)
    unchanged, changed = ablation.methods
    assert ablation.unchanged is unchanged
    assert results_table.setting_differences(unchanged, changed) == {"model.dropout": (0.5, 0.0)}
    assert (changed.name, changed.split, changed.n, changed.images) == ("ablation: without dropout", "test", 2, 10_000)
    assert changed.run_results[1].val_losses == pytest.approx((0.606, 0.41))
    assert [(row.name, row.difference) for row in ablation.differences] == [
        ("without dropout", 0.01),
        ("with flip TTA", None),
    ]
    assert ablation.trials == 0


def test_a_search_has_the_unchanged_and_the_tuned_recipe(file: Path) -> None:
    """With the number of its trials."""
    content = files.read_json(file)
    content["tuned"] = content["base"] | {"optimizer.lr": 0.02}
    content["trials"] = [{}, {}, {}]
    for record in content["runs"]:
        record["recipe"] = "tuned" if record["recipe"] != "unchanged" else "unchanged"
    files.write_json(file, content)
    search = read_experiment(file)
    assert results_table.setting_differences(*search.methods) == {"optimizer.lr": (0.01, 0.02)}
    assert (search.trials, search.differences) == (3, ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tricks": []}, "is damaged"),
        ({"tricks": [{"recipe": "x"}] * 2}, "is damaged"),
        ({"runs": [{"recipe": "unchanged"}]}, "is damaged"),
        ({"base": {"nothing": 1}}, "has settings that no recipe has"),
    ],
)
def test_a_damaged_file_is_named(file: Path, change: dict[str, object], message: str) -> None:
    """In one sentence."""
    files.write_text(file, json.dumps(files.read_json(file) | change))
    with pytest.raises(InputError, match=rf"ablation\.json {message}"):
        read_experiment(file)


def test_results_of_seeds_are_no_experiment() -> None:
    """Of the published files, none without a base is read as one."""
    assert not is_experiment(results.read_published()["classic-cnn"])
    assert not is_experiment(results.read_published()["tricks"])
