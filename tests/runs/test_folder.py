"""The run folder."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from modiste.errors import InputError, ModisteError, OutputError
from modiste.recipes.named import sprint
from modiste.runs import folder


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    """A second run of the same name is refused and the first keeps its recipe."""
    run = folder.create(tmp_path / "runs" / "a", sprint())
    before = run.recipe_file.read_text()
    with pytest.raises(InputError, match="exists already"):
        folder.create(tmp_path / "runs" / "a", sprint())
    assert run.recipe_file.read_text() == before
    assert folder.open_run(run.path).recipe() == sprint()


def test_a_run_killed_before_its_recipe_was_written_does_not_block_its_name(tmp_path: Path) -> None:
    """A folder with a lock and a half-written recipe counts as empty (fault 26); one with other files does not."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "recipe.json.1-01234567.partial").write_text("{")
    (tmp_path / "a" / ".lock").touch()
    assert folder.create(tmp_path / "a", sprint()).recipe() == sprint()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("notes")
    with pytest.raises(InputError, match="exists already"):
        folder.create(tmp_path / "b", sprint())


@pytest.mark.slow
def test_of_two_processes_that_create_a_run_one_succeeds(tmp_path: Path) -> None:
    """The other gets an InputError, and the recipe is the one of the first."""
    for place in range(20):
        path, barrier = tmp_path / str(place), threading.Barrier(2)
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(attempt, [path, path], [0, 1], [barrier, barrier]))
        assert sorted(outcomes) == ["InputError", "created"]
        assert folder.open_run(path).recipe().seed == outcomes.index("created")


def attempt(path: Path, seed: int, barrier: threading.Barrier) -> str:
    """Create a run at the same moment as another thread, which for a lock file is as good as another process."""
    barrier.wait()
    try:
        folder.create(path, replace(sprint(), seed=seed))
    except ModisteError as error:
        return type(error).__name__
    return "created"


@pytest.mark.skipif(os.name != "posix", reason="files as folders")
def test_a_folder_that_cannot_be_created_is_an_output_error(tmp_path: Path) -> None:
    """A folder below a file cannot be created; the error names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        folder.create(tmp_path / "file" / "run", sprint())


def test_a_folder_without_a_recipe_is_no_run(tmp_path: Path) -> None:
    """The error names what is missing."""
    with pytest.raises(InputError, match=r"no recipe\.json"):
        folder.open_run(tmp_path)


@pytest.mark.parametrize(
    ("finished", "reason"),
    [
        (False, "it was not finished. To get one: modiste train --resume"),
        (True, "its weights were dropped. To get one"),
    ],
)
def test_a_run_without_a_model_says_why(finished: bool, reason: str, tmp_path: Path) -> None:
    """A run that was stopped can be resumed, one whose weights were dropped has to be trained again."""
    run = folder.create(tmp_path / "a", sprint())
    if finished:
        run.finished_marker.touch()
    with pytest.raises(InputError, match=reason):
        folder.require_model(run)
