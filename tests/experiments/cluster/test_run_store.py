"""What goes between a worker and the machine of the command: files of a run, and orders."""

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.s3 import s3_server
from modiste.errors import OutputError
from modiste.experiments.cluster import run_store
from modiste.experiments.cluster.run_store import Files, LargeFiles, RunStore
from modiste.experiments.cluster.worker import Reporter, Task
from modiste.experiments.trials import Trial
from modiste.recipes.named import sprint
from modiste.runs import folder
from modiste.runs.folder import Run
from modiste.runs.storage import Storage

CHECKPOINT = "seed-0/last/checkpoint.safetensors"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with a checkpoint, a lock and what a killed process left."""
    run = folder.create(tmp_path / "bench/small/seed-0", sprint())
    run.last.mkdir()
    for path in (tmp_path / "bench/small" / CHECKPOINT, run.metrics, run.finished_marker):
        path.write_bytes(path.name.encode())
    (run.path / "x.partial").touch()
    Path(f"{run.path}.log").write_text("log")
    return run


def test_files_are_sent_so_that_a_kill_between_two_loses_nothing(run: Run) -> None:
    """Before the metrics come the checkpoint that they belong to and the log with their lines; the marker is last."""
    names = [path.name for path in run_store.run_files(run)]
    assert names == ["checkpoint.safetensors", "seed-0.log", "metrics.csv", "recipe.json", "finished"]


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """A place that all nodes share, of each kind."""
    if request.param == "folder":
        yield Storage(str(tmp_path / "shared"))
        return
    with pytest.MonkeyPatch.context() as monkeypatch, s3_server(monkeypatch) as bucket:
        yield Storage(f"{bucket}/checkpoints")


def test_a_run_is_sent_with_its_checkpoint_first_and_its_marker_last(run: Run) -> None:
    """So a copy that is cut off can be resumed, and is not taken for finished."""
    files = RunStore().start(str(run.path), 1, with_large=True)
    names = list(files)
    assert (names[0], names[-1]) == (CHECKPOINT, "seed-0/finished")
    assert {*files} == {
        CHECKPOINT,
        *(f"seed-0/{name}" for name in ("metrics.csv", "recipe.json", "finished")),
        "seed-0.log",
    }
    assert CHECKPOINT not in RunStore().start(str(run.path), 1, with_large=False)


def test_files_that_are_gone_are_removed(run: Run) -> None:
    """As weights are dropped when a trial ends."""
    store = RunStore()
    store.start(str(run.path), 1, with_large=True)
    store.report(str(run.path), 1, {"seed-0/new": b"1"}, [CHECKPOINT])
    assert (run.path / "new").read_bytes() == b"1"
    assert not run.last.exists()


def test_a_worker_that_was_replaced_writes_nothing(run: Run) -> None:
    """Although it was only believed dead."""
    store = RunStore()
    store.start(str(run.path), 1, with_large=True)
    store.start(str(run.path), 2, with_large=True)
    assert store.report(str(run.path), 1, {"seed-0/metrics.csv": b"old"}, []) == run_store.OUTDATED
    assert run.metrics.read_bytes() == b"metrics.csv"
    assert store.report(str(run.path), 2, {}, []) == run_store.RUNNING
    store.order(str(run.path), run_store.STOPPED)
    assert store.report(str(run.path), 2, {}, []) == run_store.STOPPED


class SlowReporter(Reporter):
    """Sends for half a second, to a store that says only to reports without files that the trial is to stop."""

    def _send(self) -> str:
        time.sleep(0.5)
        return run_store.RUNNING

    def _report(self, contents: Files, removed: list[str]) -> str:
        return run_store.STOPPED


@pytest.mark.slow
def test_a_slow_storage_does_not_delay_a_stop(run: Run) -> None:
    """A worker asks every second for its order, although it sends its files at longer intervals."""
    trial = Trial(sprint(), run.path)
    reporter = SlowReporter(Task(trial, 1, 1, {}, "", None), trial, store=None)
    with reporter:
        end = time.monotonic() + 4
        while not reporter.stop() and time.monotonic() < end:
            time.sleep(0.05)
        assert reporter.stop()


def test_checkpoints_are_kept_apart_by_recipe(run: Run, storage: Storage, tmp_path: Path) -> None:
    """They come back to the next attempt at the same trial, and to no other."""
    large_files = LargeFiles(storage, run.path.parent)
    trial, other = Trial(sprint(), run.path), Trial(sprint(), run.path.with_name("seed-1"))
    large_files.send(trial, {CHECKPOINT: b"weights"}, [])
    assert large_files.fetch(trial, tmp_path / "worker") == 1
    assert (tmp_path / "worker" / CHECKPOINT).read_bytes() == b"weights"
    assert large_files.fetch(other, tmp_path / "other") == 0
    large_files.clear(trial)
    assert storage.names() == []


def test_a_full_storage_is_one_sentence(run: Run, tmp_path: Path) -> None:
    """And what is there stays."""
    storage = Storage(str(tmp_path / "shared"))
    large_files, trial = LargeFiles(storage, run.path.parent), Trial(sprint(), run.path)
    large_files.send(trial, {CHECKPOINT: b"weights"}, [])
    (name,) = storage.names()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot be written \(File too large\)"):
            large_files.send(trial, {CHECKPOINT: bytes(2_000_000)}, [])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert storage.read(name) == b"weights"
    assert storage.names() == [name]
