"""Ablations, with real processes."""

import json
from pathlib import Path

import pytest

from helpers.command import TINY, run_in_process
from helpers.idx import write_idx_folder
from modiste.errors import InputError, SettingError
from modiste.experiments import ablation
from modiste.experiments.tricks import Row
from modiste.recipes import settings
from modiste.recipes.named import classic_cnn, sprint
from modiste.reporting.experiment_results import read_experiment


@pytest.fixture
def small(idx: Path) -> list[str]:
    """Arguments of an ablation that takes seconds."""
    return [
        "sprint",
        f"--set=data.source={idx}",
        "--set=schedule.epochs=2",
        *TINY,
        "--only=without-warm-up",
        "--jobs=2",
    ]


@pytest.mark.slow
def test_rows_are_compared_over_the_same_seeds(small: list[str], tmp_path: Path) -> None:
    """A row that fails has its reason; the others have paired differences, a chart and the form of tricks.json."""
    arguments = ["ablate", *small, "--seeds=2", "--row=too fast=optimizer.lr=1e30", "--json"]
    done = run_in_process(tmp_path, *arguments, code=1)
    content = json.loads(done.stdout)
    assert content == json.loads((tmp_path / "results" / "sprint-ablation.json").read_text())
    assert (tmp_path / "results" / "sprint-ablation.png").stat().st_size > 5000
    unchanged, flip_tta, without, failed = content["tricks"]
    assert [row["recipe"] for row in content["tricks"]] == ["unchanged", "with flip TTA", "without warm-up", "too fast"]
    tta_accuracies = [run["accuracy_flip_tta"] for run in content["runs"] if run["recipe"] == "unchanged"]
    assert flip_tta["mean"] == pytest.approx(sum(tta_accuracies) / 2)
    assert (unchanged["difference"], unchanged["seconds_ratio"]) == (0, 1)
    assert without["settings"] == ["schedule.warmup_fraction=0.0"]
    accuracies = {
        row: [r["accuracy"] for r in content["runs"] if r["recipe"] == row] for row in ("unchanged", "without warm-up")
    }
    differences = [b - a for a, b in zip(*accuracies.values(), strict=True)]
    assert without["difference"] == pytest.approx(sum(differences) / 2)
    assert without["difference_interval"][0] <= without["difference"] <= without["difference_interval"][1]
    assert without["p_holm"] == pytest.approx(min(1, 2 * min(without["p_value"], flip_tta["p_value"])))
    assert failed["n"] == 0
    assert [each["seed"] for each in failed["failed"]] == [0, 1]
    assert "not a number" in failed["failed"][0]["reason"]
    assert content["split"] == "validation"  # sprint itself holds nothing out
    assert content["base"]["data.val_fraction"] == 0.2
    read = read_experiment(tmp_path / "results" / "sprint-ablation.json")
    assert [len(each.run_results[0].val_losses) for each in read.methods] == [2, 2]  # epochs
    assert len(read.differences) == 3
    text = run_in_process(tmp_path, *arguments[:-1], code=1)
    assert "without warm-up" in text.stdout
    assert "too fast: seed 1 failed. " in text.stdout
    assert "unchanged/seed-0: validation accuracy" in text.stderr  # finished before, so not trained again
    assert "unchanged" not in text.stderr.partition("The log of the next training is ")[2].splitlines()[0]


@pytest.mark.slow
def test_a_recipe_that_fails_ends_the_ablation(small: list[str], tmp_path: Path) -> None:
    """Nothing can be compared with it, so no row is trained."""
    done = run_in_process(tmp_path, "ablate", *small, "--seeds=1", "--set=optimizer.lr=1e30", code=3)
    assert "not a number" in done.stderr.splitlines()[-1]
    assert [path.name for path in (tmp_path / "runs" / "ablate" / "sprint-ablation").glob("*/")] == ["unchanged"]


def test_rows_are_listed_without_training(tmp_path: Path) -> None:
    """With their settings, as text or JSON."""
    output = run_in_process(tmp_path, "ablate", "classic-cnn", "--list").stdout
    assert "without dropout\n    model.dropout=0.0\n" in output
    assert "without Nesterov momentum\n    optimizer.nesterov=false\n" in output  # as --set takes it
    rows = json.loads(run_in_process(tmp_path, "ablate", "classic-cnn", "--list", "--json").stdout)
    assert {"row": "without dropout", "settings": {"model.dropout": 0.0}} in rows
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classic-cnn", "--seeds=0"], "0 is not in the range x>=1"),
        (["classic-cnn", "--only=without-dropuot"], "has no row 'without-dropuot'. Did you mean 'without dropout'"),
        (["classic-cnn", "--row=optimizer.momentum=0"], "false when optimizer.momentum is 0"),
        (["classic-cnn", "--row=data.fold=1"], "another data.fold is evaluated on other images. Use --split test"),
        (
            ["classic-cnn", "--row=seed=1"],
            "another seed is evaluated on other images. Change it in all rows with --set",
        ),
        (["classic-cnn", "--row=without dropout=optimizer.lr=1"], "Two rows are named 'without-dropout'"),
        (["photo-quick", "--data=."], "No such option"),
    ],
)
def test_a_row_that_cannot_be_compared_is_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    """Before anything is trained or written."""
    assert message in run_in_process(tmp_path, "ablate", *arguments, code=2).stderr
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_without_tricks_needs_rows(idx: Path, tmp_path: Path) -> None:
    """As one whose head is fitted, with nothing to change."""
    recipe = settings.with_settings(classic_cnn(), {"data.source": str(idx)})
    with pytest.raises(SettingError, match=r"classic-cnn has no trick to take out\. Name a change with --row"):
        ablation.plan(recipe, (), 2, "validation", tmp_path)


def test_data_without_a_test_split_is_evaluated_on_validation(tmp_path: Path) -> None:
    """Asked for test, it says so before training; a fifth is held out for validation."""
    data = write_idx_folder(tmp_path / "idx", train=100)
    for file in data.glob("t10k*"):
        file.unlink()
    recipe = settings.with_settings(sprint(), {"data.source": str(data)})
    rows = (Row("a", {"optimizer.lr": 1.0}),)
    with pytest.raises(InputError, match=r"has no test split to evaluate on. Use --split validation"):
        ablation.plan(recipe, rows, 2, "test", tmp_path)
    trials = ablation.plan(recipe, rows, 2, "validation", tmp_path).trials()
    assert [(trial.recipe.seed, trial.recipe.optimizer.lr) for trial in trials] == [
        (0, 0.1),
        (1, 0.1),
        (0, 1.0),
        (1, 1.0),
    ]
    assert {trial.recipe.data.val_fraction for trial in trials} == {0.2}


def test_seeds_that_only_one_row_has_are_not_paired() -> None:
    """Without a common seed there is a mean and no difference."""
    record = {"accuracy": 0.5, "seconds": 1.0, "epochs": 2, "images": 10}
    baseline = [{**record, "seed": 0, "accuracy": 0.4}, {**record, "seed": 1, "accuracy": 0.4}]
    row = ablation.summarize("x", [{**record, "seed": 1}], baseline)
    assert (row["n"], row["difference"]) == (1, pytest.approx(0.1))
    assert "difference" not in ablation.summarize("x", [{**record, "seed": 2}], baseline)
