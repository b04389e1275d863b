"""Trainings that `kill -9` ends: at random moments, and inside a save (faults 26 and 27)."""

import multiprocessing
import random
import time
from pathlib import Path

import kills
import pytest

from faults.counts import IS_LONG, count
from helpers.command import TINY, TRICKS
from modiste.recipes import named, settings
from modiste.runs import files
from modiste.runs.folder import CHECKPOINT
from modiste.training import checkpoint
from modiste.training.build import build_training

KILLS = 200 if IS_LONG else 5
SAVES = 50 if IS_LONG else 5


def test_kills_are_drawn_in_their_order() -> None:
    """In all epochs, and some of them in the save at the end of one."""
    moments = kills.draw_moments(200, 8, seed=0)
    assert [kill.epoch for kill in moments] == sorted(kill.epoch for kill in moments)
    assert {kill.epoch for kill in moments} == set(range(8))
    assert 0 < sum(kill.part > 1 for kill in moments) < 40


@pytest.mark.slow
def test_fault_27_a_training_killed_at_random_moments_ends_with_the_same_bits(idx: Path, tmp_path: Path) -> None:
    """Weights and metrics, all but the seconds; no temporary file is left (fault 26)."""
    arguments = ["sprint", f"--data={idx}", "--epochs=3", *TINY, *TRICKS, "--set=compute.precision=fp32"]
    with count("kills", [26, 27], "kills of a training at random moments") as counts:
        outcome = kills.train_with_kills(tmp_path, arguments, KILLS)
        counts.n = len(outcome.kills)
        assert outcome.is_identical
        assert len(outcome.kills) == KILLS
        assert not list(outcome.killed.path.rglob("*.partial"))
    kills.plot(outcome, tmp_path / "kills.png")
    assert kills.to_results(outcome)["identical"]


def test_fault_26_a_kill_inside_a_save_leaves_a_checkpoint(idx: Path, tmp_path: Path) -> None:
    """It loads, is not older than the last one, and no partial file is left."""
    changes = {"data.source": str(idx), "model.name": "residual", "model.width": 2, "compute.precision": "fp32"}
    recipe = settings.with_settings(named.sprint(), changes)
    training, loaded = build_training(recipe), build_training(recipe).state
    checkpoint.save(training.state, tmp_path)

    def save_forever() -> None:
        while True:
            training.state.step += 1
            checkpoint.save(training.state, tmp_path)

    with count("kills-in-saves", [26], "kills inside the save of a checkpoint") as counts:
        for counts.n in range(1, SAVES + 1):
            before, saved = loaded.step, (tmp_path / CHECKPOINT).stat().st_mtime_ns
            saver = multiprocessing.get_context("fork").Process(target=save_forever)
            saver.start()
            while (tmp_path / CHECKPOINT).stat().st_mtime_ns == saved:
                time.sleep(0.001)
            time.sleep(random.uniform(0, 0.02))  # inside one of the next saves
            saver.kill()
            saver.join()
            checkpoint.load(loaded, tmp_path)
            assert loaded.step >= before
            training.state.step = loaded.step
            files.remove_partials(tmp_path)
            assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
    assert loaded.step > 1
