"""The view of all trials on a terminal."""

from pathlib import Path

import pytest

from helpers.runs import rows, write_run
from modiste.experiments import executor
from modiste.experiments.executor import Progress
from modiste.experiments.resources import Resources
from modiste.experiments.trials import Trial
from modiste.experiments.trials_view import MAX_SHOWN, TrialsView
from modiste.recipes import settings
from modiste.recipes.named import classic_cnn
from modiste.recipes.recipe import Recipe
from modiste.runs import folder, metrics_file

RECIPE: Recipe = settings.with_settings(classic_cnn(), {"schedule.epochs": 4})


@pytest.fixture
def trials(tmp_path: Path) -> list[Trial]:
    """A finished trial of three epochs, one that has ended two of four, and many that have not begun."""
    planned = [Trial(RECIPE, tmp_path / f"seed-{seed}") for seed in range(MAX_SHOWN + 3)]
    write_run(planned[0].path, RECIPE)
    metrics_file.write(folder.create(planned[1].path, RECIPE).metrics, rows((0.6, 0.4)))
    return planned


def test_the_view_has_the_epochs_of_all_trials(
    trials: list[Trial], terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished one and one that ended early count in full, as nothing of them is left to do."""
    with TrialsView(44, trials) as view:
        view.show(trials[1:3])
    assert "seed-1 2/4, seed-2 0/4 " in (drawn := capsys.readouterr().err)
    assert " 6/44 " in drawn
    with TrialsView(44, trials) as view:
        view.end(trials[2])
        view.show(trials[1:])
    assert "seed-8 0/4 and 2 more " in (drawn := capsys.readouterr().err)
    assert " 6/44 " in drawn


def test_a_total_that_is_not_known_is_a_question_mark(
    trials: list[Trial], terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a search that ends by time."""
    with TrialsView(None) as view:
        view.show(trials[1:2])
    assert " 2/? " in capsys.readouterr().err


def test_nothing_is_drawn_without_a_terminal(trials: list[Trial], capsys: pytest.CaptureFixture[str]) -> None:
    """Nor are files read."""
    with TrialsView(44, trials) as view:
        view.show(trials[1:3])
        view.end(trials[1])
    assert capsys.readouterr().err == ""


def test_trials_are_run_with_a_view(
    trials: list[Trial], tmp_path: Path, terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which is removed at the end."""
    with executor.open_executor(tmp_path, Resources(), print) as pool:
        (outcome,) = executor.run_trials(trials[:1], pool, Progress(1, print))
    assert outcome.error is None
    assert " 4/4 " in capsys.readouterr().err
