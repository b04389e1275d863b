"""Trials: processes that resume, fail alone, and are started again when something kills them."""

import signal
from pathlib import Path

import pytest

from helpers.command import environment
from modiste.errors import InputError, OutputError, Stopped
from modiste.experiments import executor, trials
from modiste.experiments.executor import Progress
from modiste.experiments.resources import Resources
from modiste.experiments.trials import Outcome, Trial
from modiste.recipes import settings
from modiste.recipes.named import sprint
from modiste.recipes.recipe import Recipe
from modiste.runs import folder, metrics_file
from modiste.training.signals import StopRequest


@pytest.fixture
def recipe(idx: Path) -> Recipe:
    """`sprint`, small enough for a test."""
    small = {"data.source": str(idx), "model.width": 2, "optimizer.batch_size": 20, "compute.precision": "fp32"}
    return settings.with_settings(sprint(), {**small, "schedule.epochs": 2})


def with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe with another number of epochs."""
    return settings.with_settings(recipe, {"schedule.epochs": epochs})


def test_earlier_runs_decide_the_precision(tmp_path: Path, recipe: Recipe) -> None:
    """An experiment that resumes does not measure again; a recipe that names a precision keeps it."""
    auto = settings.with_settings(recipe, {"compute.precision": "auto"})
    first, second, fixed = (Trial(each, tmp_path / name) for each, name in ((auto, "a"), (auto, "b"), (recipe, "c")))
    folder.create(second.path, settings.with_settings(auto, {"compute.precision": "bf16"}))
    planned = trials.with_one_precision([first, second, fixed])
    assert [trial.recipe.compute.precision for trial in planned] == ["bf16", "bf16", "fp32"]
    assert trials.with_one_precision([fixed]) == [fixed]


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    """Before anything is trained."""
    folder.create(tmp_path / "a", recipe)
    with pytest.raises(InputError, match="has another recipe"):
        trials.require_resumable([Trial(with_epochs(recipe, 3), tmp_path / "a")])


@pytest.mark.slow
def test_trials_fail_alone_and_are_not_repeated(tmp_path: Path, recipe: Recipe) -> None:
    """The reason is the line that the training printed; a second call runs only what failed."""
    broken = settings.with_settings(recipe, {"optimizer.lr": 1e30})
    planned = [Trial(each, tmp_path / name, "test") for each, name in ((broken, "broken"), (recipe, "whole"))]
    lines: list[str] = []
    for _ in range(2):
        with executor.open_executor(tmp_path, Resources(jobs=2), print) as pool:
            outcomes = {
                each.trial.path.name: each for each in executor.run_trials(planned, pool, Progress(2, lines.append))
            }
        assert "not a number" in str(outcomes["broken"].error)
        assert outcomes["whole"].error is None
    assert outcomes["whole"].seconds == 0
    assert trials.failure_record(outcomes["broken"])["reason"] == str(outcomes["broken"].error)
    assert trials.read_record(planned[1])["images"] == 40
    assert sum("(1 of 2, about" in line for line in lines) >= 1
    assert not any(path.exists() for path in (planned[1].run.weights, planned[1].run.model, planned[1].run.card))


@pytest.mark.slow
def test_an_error_of_all_trials_stops_those_that_run(tmp_path: Path, recipe: Recipe) -> None:
    """As of a full disk, which is no failure of one trial; they do not train on to their end before it is shown."""
    (tmp_path / "file").touch()
    long, unwritable = Trial(with_epochs(recipe, 400), tmp_path / "a"), Trial(recipe, tmp_path / "file/b")
    with (
        pytest.raises(OutputError, match="cannot be written"),
        executor.open_executor(tmp_path, Resources(jobs=2), print) as pool,
    ):
        list(executor.run_trials([long, unwritable], pool, Progress(2, print)))
    assert not long.run.finished


@pytest.mark.slow
def test_a_failure_of_own_code_says_to_repeat_the_experiment(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instead of the training alone, whose end the experiment would not notice."""
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    own = settings.with_settings(recipe, {"optimizer.name": "helpers.factories:FailsLate"})
    outcome = trials.run_trial(Trial(own, tmp_path / "a"), 1, StopRequest())
    assert "no third step" in str(outcome.error)
    assert str(outcome.error).endswith("Correct it, then repeat the command.")


@pytest.mark.slow
def test_a_training_that_is_not_promising_is_ended(tmp_path: Path, recipe: Recipe) -> None:
    """As soon as the function says so, by the epochs so far."""
    trial = Trial(with_epochs(recipe, 100_000), tmp_path / "a")
    outcome = trials.run_trial(trial, 1, StopRequest(), prune=lambda rows: len(rows) >= 2)
    assert outcome.pruned
    assert outcome.error is None
    assert not trial.finished
    assert 2 <= len(metrics_file.read(trial.run.metrics)) < 100_000


@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, 99])
def test_a_process_that_is_killed_is_started_again(
    kills: int, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when memory is short; a process that is killed each time fails with a reason."""
    for name, value in environment(KILLS=str(tmp_path / "kills")).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "kills").write_text(str(kills))
    own = settings.with_settings(recipe, {"model.name": "helpers.network:killed"})
    outcome = trials.run_trial(Trial(own, tmp_path / "a"), 1, StopRequest())
    if kills == 1:
        assert outcome.error is None
        assert outcome.trial.finished
    else:
        assert "its process was killed 3 times" in str(outcome.error)


def test_a_stop_is_passed_on(tmp_path: Path, recipe: Recipe) -> None:
    """No trial starts after it."""
    stop = StopRequest()
    stop.signal_number = signal.SIGTERM
    with pytest.raises(Stopped, match="The same command resumes it"):
        trials.run_trial(Trial(recipe, tmp_path / "a"), 1, stop)
    assert not (tmp_path / "a").exists()


def test_the_end_is_estimated(tmp_path: Path, recipe: Recipe) -> None:
    """By the trials that were run in this call; those that were finished before say nothing about the time."""
    lines: list[str] = []
    progress = Progress(3, lines.append)
    failed = Outcome(Trial(recipe, tmp_path / "a"), InputError("no"))
    progress.end(failed)
    progress.end(Outcome(failed.trial, failed.error, seconds=5.0))
    assert lines == [f"{tmp_path}/a failed: no (1 of 3)", f"{tmp_path}/a failed: no (2 of 3, about 0 s left)"]


@pytest.mark.parametrize(("seconds", "text"), [(5.0, "5 s"), (600.0, "10 minutes"), (36_000.0, "10.0 hours")])
def test_times_have_a_unit(seconds: float, text: str) -> None:
    """The largest that leaves a number above one."""
    assert trials.format_duration(seconds) == text
