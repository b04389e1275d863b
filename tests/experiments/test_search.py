"""Searches whose trainings take no time: their accuracy follows from the learning rate."""

import math
import os
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from modiste.errors import InputError, SettingError, Stopped, TrainingError
from modiste.experiments import study
from modiste.experiments.search import MAX_FAILURES, Search
from modiste.experiments.search_space import Space, parse_ranges
from modiste.experiments.trials import Outcome, Trial
from modiste.recipes import settings
from modiste.recipes.named import classic_cnn
from modiste.recipes.recipe import Recipe, Settings
from modiste.runs import folder, metrics_file
from modiste.runs.metrics_file import EpochMetrics

EPOCHS = 4
RECIPE: Recipe = settings.with_settings(classic_cnn(), {"schedule.epochs": EPOCHS, "early_stopping.patience": 0})
SPACE: Space = parse_ranges(RECIPE, ["optimizer.lr=0.001..1", "optimizer.batch_size=64,128"])


@dataclass
class InstantPool:
    """Writes what a training would, at once; `stop_at` is the number of the training that a signal stops."""

    jobs: int = 1
    stop_at: int = -1
    error: TrainingError | None = None
    started: list[Path] = field(default_factory=list)

    def submit(self, trial: Trial, prune: Any) -> Future[Outcome]:
        """Return the outcome of a training; it is most accurate at a learning rate of 0.03."""
        future: Future[Outcome] = Future()
        self.started.append(trial.path)
        if len(self.started) - 1 == self.stop_at:
            future.set_exception(Stopped(15, "Stopped."))
            return future
        accuracy = 0.9 - abs(math.log10(trial.recipe.optimizer.lr / 0.03)) / 10
        run = trial.run if trial.run.recipe_file.exists() else folder.create(trial.path, trial.recipe)
        rows = [EpochMetrics(e, 1.0, 0.5, 1.0, accuracy * e / EPOCHS, 0.1, 1.0) for e in range(1, EPOCHS + 1)]
        metrics_file.write(run.metrics, rows)
        run.finished_marker.touch()
        future.set_result(Outcome(trial, self.error, seconds=1.0))
        return future


def open_study(home: Path, recipe: str = "x") -> Any:
    """The study in a folder."""
    home.mkdir(exist_ok=True)
    first = {"optimizer.lr": 0.01, "optimizer.batch_size": 128}
    return study.open_study(home, {"recipe": recipe}, first, EPOCHS)


def search(home: Path, pool: InstantPool, max_trials: int | None = 12, max_seconds: float | None = None) -> Any:
    """Run a search in a folder and return its records."""

    def plan(number: int, values: Settings) -> Trial:
        return Trial(settings.with_settings(RECIPE, values), home / f"trial-{number}")

    opened = open_study(home)
    Search(plan, SPACE, opened, pool, EPOCHS, max_trials, max_seconds, lambda _: None).run()  # type: ignore[arg-type]
    return study.to_records(opened)


@pytest.mark.slow
def test_the_recipe_is_the_first_trial_and_better_ones_are_found(tmp_path: Path) -> None:
    """Trials that are worse than the median are pruned after some epochs, and have no influence on the best."""
    pool = InstantPool()
    records = search(tmp_path / "a", pool, 25)
    assert records[0]["settings"] == {"optimizer.lr": 0.01, "optimizer.batch_size": 128}
    best = study.best_record(records)
    assert best["val_accuracy"] > records[0]["val_accuracy"]
    assert 0.01 < best["settings"]["optimizer.lr"] < 0.1
    pruned = [record for record in records if record["state"] == "pruned"]
    assert pruned
    assert all(study.MIN_EPOCHS <= record["epochs"] < EPOCHS for record in pruned)
    assert max(study.importances(open_study(tmp_path / "a")).items(), key=lambda item: item[1])[0] == "optimizer.lr"


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [0, 3, 8])
def test_a_search_that_is_stopped_resumes_as_if_unbroken(stop_at: int, tmp_path: Path) -> None:
    """The trial that was stopped goes on with its values, and all later ones have those of an unbroken search."""
    unbroken = search(tmp_path / "a", InstantPool())
    with pytest.raises(Stopped):
        search(tmp_path / "b", InstantPool(stop_at=stop_at))
    journal = tmp_path / "b" / study.JOURNAL
    journal.write_bytes(journal.read_bytes() + b'{"op_code": 6, "torn')  # as a killed process leaves it
    journal.with_name("journal.log.lock").symlink_to(journal)
    pool = InstantPool()
    assert search(tmp_path / "b", pool) == unbroken
    assert len(pool.started) == len(unbroken) - stop_at


@pytest.mark.parametrize("content", ["no JSON\n", '{"op_code": 99}\n', "[]\n", "\0\n", '{"op_code": 0}\n{}\n'])
def test_a_damaged_journal_is_an_error_and_keeps_its_lines(content: str, tmp_path: Path) -> None:
    """The message says what to do; Optuna may have appended to the lines."""
    journal = tmp_path / study.JOURNAL
    journal.write_text(content)
    with pytest.raises(InputError, match=r"journal\.log is damaged .* Restore it, or choose another --name\."):
        open_study(tmp_path)
    assert journal.read_text().startswith(content)


def test_a_journal_that_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    """A link would be written through; a FIFO waits forever."""
    other = tmp_path / "other"
    other.write_text("kept")
    (tmp_path / study.JOURNAL).symlink_to(other)
    with pytest.raises(InputError, match=r"journal\.log is not a regular file"):
        open_study(tmp_path)
    assert other.read_text() == "kept"
    (tmp_path / study.JOURNAL).unlink()
    os.mkfifo(tmp_path / study.JOURNAL)
    with pytest.raises(InputError, match=r"journal\.log is not a regular file"):
        open_study(tmp_path)


def test_more_trials_continue_a_search(tmp_path: Path) -> None:
    """Those before are not repeated."""
    assert search(tmp_path / "a", InstantPool(), 4) == search(tmp_path / "a", InstantPool(), 6)[:4]


def test_no_trial_starts_after_the_time(tmp_path: Path) -> None:
    """One does in any case; the time of earlier calls counts."""
    assert len(search(tmp_path / "a", InstantPool(), None, 1e-9)) == 0
    assert len(search(tmp_path / "b", InstantPool(), 3, 60.0)) == 3
    opened = open_study(tmp_path / "b")
    study.set_seconds(opened, 61.0)
    assert len(search(tmp_path / "b", InstantPool(), 9, 60.0)) == 3


def test_a_search_that_only_fails_ends(tmp_path: Path) -> None:
    """Each trial has its reason, and so has the error; the budget is not used up."""
    records = search(tmp_path / "a", InstantPool(error=TrainingError("the loss is not a number")), 99)
    assert len(records) == MAX_FAILURES
    assert {(record["state"], record["reason"]) for record in records} == {("failed", "the loss is not a number")}
    with pytest.raises(TrainingError, match=r"No trial succeeded, of 10. The first failure: the loss is not a number"):
        study.best_record(records)


def test_trials_that_failed_are_tried_again(tmp_path: Path) -> None:
    """By the next call, with their values, as part of the same budget."""
    failed = search(tmp_path / "a", InstantPool(error=TrainingError("no memory")), 2)
    assert [record["reason"] for record in failed] == ["no memory"] * 2
    pool = InstantPool()
    records = search(tmp_path / "a", pool, 3)
    assert [path.name for path in pool.started] == ["trial-0", "trial-1", "trial-2"]
    assert [record["state"] for record in records] == ["complete"] * 3
    assert [record["settings"] for record in records[:2]] == [record["settings"] for record in failed]
    assert not any("reason" in record for record in records)


def test_values_that_are_not_allowed_beside_one_another_fail(tmp_path: Path) -> None:
    """The rule is the reason."""

    def refuse(number: int, values: Settings) -> Trial:
        raise SettingError("optimizer.nesterov is True, but it must be false")

    opened = open_study(tmp_path / "a")
    Search(refuse, SPACE, opened, InstantPool(), EPOCHS, 2, None, lambda _: None).run()  # type: ignore[arg-type]
    assert [record["reason"] for record in study.to_records(opened)] == [
        "optimizer.nesterov is True, but it must be false"
    ] * 2


def test_a_study_of_another_recipe_is_refused(tmp_path: Path) -> None:
    """Its trials are not comparable."""
    open_study(tmp_path / "a")
    with pytest.raises(InputError, match="has another recipe or other ranges"):
        open_study(tmp_path / "a", "y")


def test_a_search_has_a_view(tmp_path: Path, terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the trials that run and of all epochs that are left."""
    search(tmp_path / "a", InstantPool(), 1)
    assert f"trial-0 {EPOCHS}/{EPOCHS}" in capsys.readouterr().err
    search(tmp_path / "a", InstantPool(), 3)
    drawn = capsys.readouterr().err
    assert f"trial-2 {EPOCHS}/{EPOCHS}" in drawn
    assert f" {2 * EPOCHS}/{2 * EPOCHS} " in drawn
    search(tmp_path / "b", InstantPool(), None, 1e-9)
    assert " 0/? " in capsys.readouterr().err


def test_few_trials_have_no_importances(tmp_path: Path) -> None:
    """Three are too few."""
    search(tmp_path / "a", InstantPool(), 3)
    assert study.importances(open_study(tmp_path / "a")) == {}
