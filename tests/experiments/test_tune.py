"""Tuning, with real processes."""

import json
from pathlib import Path

import pytest

from helpers.command import OWN, TINY, environment, modiste, run_in_process
from helpers.photos import fill
from modiste.experiments import search_space, tune
from modiste.recipes import named, settings
from modiste.recipes.named import classic_cnn, sprint
from modiste.reporting.experiment_results import read_experiment


@pytest.mark.slow
def test_a_recipe_is_tuned_and_its_gain_measured_on_other_folds(
    idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The results, the figure and the best recipe are written; the same command trains nothing again."""
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    sets = (
        f"data.source={idx}",
        "schedule.epochs=3",
        "optimizer.lr=1e-4",
        "optimizer.batch_size=20",
        "compute.threads=1",
    )
    small = [*(f"--set={setting}" for setting in sets), *OWN]
    search = ["--trials=2", "--epochs=2", "--range=optimizer.lr=1e-4..100", "--gain-folds=1", "--jobs=2"]
    arguments = ["tune", "classic-cnn", *small, *search]
    content = json.loads(run_in_process(tmp_path, *arguments, "--json").stdout)
    assert content == json.loads((tmp_path / "results" / "classic-cnn-tuned.json").read_text())
    assert (tmp_path / "results" / "classic-cnn-tuned.png").stat().st_size > 5000
    assert [trial["settings"]["optimizer.lr"] == 1e-4 for trial in content["trials"]] == [True, False]
    assert content["best"] == 1  # the first one hardly learns
    best = named.resolve(str(tmp_path / "runs" / "tune" / "classic-cnn-tuned" / "recipe.json"))
    assert settings.to_settings(best) == {
        key: tuple(v) if isinstance(v, list) else v for key, v in content["tuned"].items()
    }
    assert best.optimizer.lr == content["trials"][1]["settings"]["optimizer.lr"]
    assert (best.name, best.schedule.epochs, best.data.val_fraction) == ("classic-cnn-tuned", 3, 0.2)
    assert best.compute.precision == "auto"
    assert "the best of 2 trials, chosen on validation fold 0: optimizer.lr" in best.description
    assert [(run["recipe"], run["fold"], run["epochs"]) for run in content["runs"]] == [
        ("unchanged", 1, 3),
        ("tuned", 1, 3),
    ]
    accuracies = [run["accuracy"] for run in content["runs"]]
    assert content["gain"]["difference"] == pytest.approx(accuracies[1] - accuracies[0])
    assert read_experiment(tmp_path / "results" / "classic-cnn-tuned.json").trials == 2
    again = run_in_process(tmp_path, *arguments)
    assert "The log of the next training" not in again.stderr
    assert "Trial 1 is the best on fold 0" in again.stdout
    assert "one fold gives no interval" in again.stdout


@pytest.mark.slow
def test_a_tuning_in_which_every_trial_fails_fails(idx: Path, tmp_path: Path) -> None:
    """With the reason of the first one."""
    small = [f"--set=data.source={idx}", *TINY, "--trials=1", "--range=optimizer.lr=1e30..1e31"]
    assert (
        "No trial succeeded, of 1. The first failure: "
        in run_in_process(tmp_path, "tune", "sprint", *small, code=3).stderr
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trials=0"], "0 is not in the range x>=1"),
        (["--minutes=0"], "0.0 is not in the range x>0"),
        (["--range=optimizer.lr=3..1"], "smaller first"),
    ],
)
def test_a_budget_of_nothing_is_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    """Before anything is written."""
    assert message in run_in_process(tmp_path, "tune", "sprint", *arguments, code=2).stderr
    assert list(tmp_path.iterdir()) == []


def test_data_with_its_own_validation_split_is_refused(tmp_path: Path) -> None:
    """There is no other fold, and the test split is not for this."""
    for name in ("train", "validation"):
        for label in ("coat", "dress"):
            fill(tmp_path / "data" / name / label, 2)
    done = run_in_process(tmp_path, "tune", "sprint", f"--set=data.source={tmp_path / 'data'}", code=2)
    assert "so there is no other fold to measure the gain on" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_the_gain_is_measured_on_folds_that_no_choice_was_made_on(tmp_path: Path) -> None:
    """Both recipes have the same folds and seed, and their own number of epochs."""
    recipe = settings.with_settings(classic_cnn(), {"data.fold": 2})
    tuning = tune.Tuning(recipe, search_space.default_space(recipe), tmp_path, epochs=3)
    tuned = settings.with_settings(recipe, {"optimizer.lr": 0.02})
    trials = tuning.gain_trials(tuned)
    assert [(trial.recipe.optimizer.lr, trial.recipe.data.fold) for trial in trials] == [
        (lr, fold) for lr in (0.01, 0.02) for fold in (0, 1, 3, 4)
    ]
    assert {trial.recipe.schedule.epochs for trial in trials} == {40}
    assert tuning.trial(0, {}).recipe.schedule.epochs == 3
    assert tuning.trial(0, {}).recipe.data.fold == 2


def test_a_recipe_that_holds_nothing_out_is_tuned_on_a_fifth(tmp_path: Path) -> None:
    """In the trials alone; the best recipe is trained on everything."""
    tuning = tune.Tuning(sprint(), search_space.default_space(sprint()), tmp_path)
    assert tuning.trial(0, {}).recipe.data.val_fraction == 0.2
    assert {trial.recipe.data.val_fraction for trial in tuning.gain_trials(sprint())} == {0.2}


def test_the_gain_is_paired_over_folds() -> None:
    """A fold on which one of the trainings failed is left out."""
    records = [
        {"recipe": name, "fold": fold, "accuracy": accuracy}
        for name, fold, accuracy in [
            ("unchanged", 1, 0.5),
            ("unchanged", 2, 0.6),
            ("unchanged", 3, 0.1),
            ("tuned", 1, 0.7),
            ("tuned", 2, 0.7),
        ]
    ]
    gain = tune.summarize_gain(records)
    assert gain
    assert gain["folds"] == [1, 2]
    assert gain["difference"] == pytest.approx(0.15)
    assert tune.summarize_gain(records[:3]) is None


def test_the_command_needs_its_extra(tmp_path: Path) -> None:
    """Without Optuna, the error has the install command."""
    (tmp_path / "optuna.py").write_text("raise ModuleNotFoundError('No module named optuna', name='optuna')")
    done = modiste(tmp_path, "tune", "sprint", code=2)  # `python -m` finds modules of the current folder first
    assert "pip install 'modiste[tune]'" in done.stderr
