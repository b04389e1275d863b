"""Measurements of scaling: what resumes, what may not pass, the tables, and a simulation whose answers are known."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray")
pytest.importorskip("pyarrow")

import local_cluster
import processes
import scaling
import scaling_photos
import scaling_ranks
import scaling_simulation
import scaling_tables
import scaling_trials
from scaling_simulation import Assumptions, Work, simulate

from modiste.errors import InputError
from modiste.runs import environment, files, metrics_file, results
from modiste.runs.metrics_file import EpochMetrics

EXACT = Assumptions(core_losses_per_hour=0.0, spread=0.0)

BENCH = {"trials": 6, "seconds": 300.0, "seconds_again": 6.0, "run_bytes": 3e5, "output": "table", "sha256": "a"}
PHOTOS = {"photos": 100_000, "photo_bytes": 2500, "seconds": 125.0, "seconds_again": 8.0}
TRAINING = {"val_accuracy": 0.8, "seconds": 80.0}

MEASURED: dict[str, dict[str, dict[str, Any]]] = {
    "trials": {
        "reports": {"reports_per_second": 1000.0},
        "processes-1": BENCH,
        "two_processes-1": BENCH | {"seconds": 160.0},
        "one_node-1": BENCH | {"seconds": 330.0, "seconds_again": 12.0},
        "two_nodes-1": BENCH | {"seconds": 165.0},
        "two_nodes-2": BENCH | {"seconds": 165.0},
        "one_node-2": BENCH | {"seconds": 318.0, "seconds_again": 12.0},
        "two_processes-2": BENCH | {"seconds": 160.0},
        "processes-2": BENCH,
    },
    "kills": {
        "processes": BENCH,
        "at_half": BENCH | {"kills": [{"moment": 0.5, "epochs": [4, 6]}]},
        **{f"random-{n}": BENCH | {"kills": [{"moment": 0.1, "epochs": [2, 3]}] * 4} for n in range(1, 6)},
    },
    "photos": {
        "one_node-1": PHOTOS,
        "one_node-2": PHOTOS,
        "memory": PHOTOS | {"memory_by_tenth": [{"actors": 100 + n, "all": 1000 + n} for n in range(10)]},
        "two_nodes-1": PHOTOS | {"seconds": 65.0},
        "two_nodes-2": PHOTOS | {"seconds": 60.0},
        "node_killed": PHOTOS | {"killed_at": 0.5},
        "local": PHOTOS | {"seconds_again": 2.0},
    },
    "ranks": {
        **{f"{plan}-one-{seed}": TRAINING for plan in ("timed", "accurate") for seed in range(3)},
        **{f"timed-two-{seed}": TRAINING | {"seconds": 52.0} for seed in range(2)},
        **{f"accurate-two-{seed}": TRAINING | {"val_accuracy": 0.801} for seed in range(3)},
        "killed-0": TRAINING,
        "killed-1": TRAINING,
    },
}
"""Records of all measurements at their full size."""


def write(path: Path, *parts: str) -> dict[str, Any]:
    """Write the results file of some measured parts; return its content."""
    records = [{"part": part, "recipe": name, **each} for part in parts for name, each in MEASURED[part].items()]
    scaling.write(path, records, dict.fromkeys(parts, environment.describe()), small=False)
    return results.read(path)


def test_figures_are_whole_times_over_whole_times(tmp_path: Path) -> None:
    """The time of connecting is told beside them."""
    content = write(tmp_path / "scaling.json", *MEASURED)
    trials = content["trials"]
    assert trials["overhead"] == pytest.approx(648 / 600 - 1)
    assert trials["overhead_rounds"] == pytest.approx([0.1, 0.06])
    assert trials["speedup"] == pytest.approx(648 / 330)
    assert trials["speedup_processes"] == pytest.approx(600 / 320)
    assert trials["seconds_connecting"] == 6.0
    assert trials["overhead_seconds_per_trial"] == pytest.approx((324 - 300 - 6) / 6)
    assert content["kills"] == {"kills": 20, "fewest_epochs": 2}
    assert content["photos"]["speedup"] == 2.0
    assert content["photos"]["speedup_rounds"] == pytest.approx([125 / 65, 125 / 60])
    assert content["photos"]["memory_growth"] == pytest.approx(7 / 102)
    assert content["photos"]["seconds_connecting"] == 6.0
    assert content["ranks"]["speedup"] == pytest.approx(80 / 52)


@pytest.mark.parametrize("missing", [*MEASURED, None])
def test_tables_show_the_parts_that_are_measured(missing: str | None, tmp_path: Path) -> None:
    """With what is short of its target; the others are named with the command that measures them."""
    content = write(tmp_path / "scaling.json", *(part for part in MEASURED if part != missing))
    text = scaling_tables.update(scaling_tables.PAGE.read_text(encoding="utf-8"), content)
    assert (f"Not measured yet: `python benchmarks/scaling.py {missing}`" in text) == (missing is not None)
    assert ("| **8.0%** | 5.0%, *short* |" in text) == (missing != "trials")
    assert ("20 kills of nodes" in text) == (missing != "kills")
    assert ("| **6.9%** | 20.0% |" in text) == (missing != "photos")
    assert ("| **1.54** | 1.60, *short* |" in text) == (missing != "ranks")
    assert ("10,000 trials, checkpoints of 1 MB" in text) == (missing != "trials")


def test_tables_without_results_name_the_command() -> None:
    """Of all parts."""
    assert scaling_tables.measured_table({}).startswith("Not measured yet: `python benchmarks/scaling.py trials kills")


def parts_of(monkeypatch: pytest.MonkeyPatch, **measurements: Callable[[Path], dict[str, Any]]) -> None:
    """Let the part `trials` have other measurements, and no other part any."""
    monkeypatch.setattr(scaling, "PARTS", {"trials": (lambda small: measurements, lambda measured: {"ok": True})})


def test_a_failure_keeps_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command measures what is missing; what is of another commit is measured again."""
    path, calls = tmp_path / "scaling.json", list[str]()

    def measure(folder: Path) -> dict[str, Any]:
        calls.append(folder.name)
        if calls == ["first", "second"]:
            raise InputError("broken")
        return {"seconds": 1.0}

    parts_of(monkeypatch, first=measure, second=measure)
    with pytest.raises(InputError):
        scaling.measure_part("trials", tmp_path, path, small=False)
    assert "trials" not in results.read(path)
    scaling.measure_part("trials", tmp_path, path, small=False)
    assert calls == ["first", "second", "second"]
    content = results.read(path)
    assert content["trials"] == {"ok": True}
    assert content["environments"]["trials"] == environment.describe()
    content["environments"]["trials"]["commit"] = "another"
    files.write_json(path, content)
    scaling.measure_part("trials", tmp_path, path, small=False)
    assert calls[3:] == ["first", "second"]


def test_another_table_does_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it written."""
    path = tmp_path / "scaling.json"
    parts_of(
        monkeypatch,
        first=lambda _: {"output": "table", "sha256": "a"},
        second=lambda _: {"output": "table", "sha256": "b"},
    )
    with pytest.raises(SystemExit, match="trials/second has another table than trials/first"):
        scaling.measure_part("trials", tmp_path, path, small=False)
    assert [record["recipe"] for record in results.read(path)["runs"]] == ["first"]


def test_a_table_of_another_commit_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has changed is measured again, instead of being compared."""
    content = write(tmp_path / "scaling.json", "kills")
    content["environments"]["kills"]["commit"] = "another"
    files.write_json(tmp_path / "scaling.json", content)
    parts_of(monkeypatch, first=lambda _: {"output": "table", "sha256": "b"})
    scaling.measure_part("trials", tmp_path, tmp_path / "scaling.json", small=False)
    assert [record["recipe"] for record in results.read(tmp_path / "scaling.json")["runs"]] == ["first"]


def test_another_cluster_is_noticed() -> None:
    """It would take time from what is measured."""
    with subprocess.Popen(["bash", "-c", "exec -a /bin/raylet sleep 60"]) as process:
        while "raylet" not in local_cluster.title(Path(f"/proc/{process.pid}")):
            time.sleep(0.05)
        with pytest.raises(SystemExit, match="A Ray cluster runs on this machine"):
            scaling.require_no_cluster()
        process.kill()


def test_there_are_twenty_kills_and_one_at_half() -> None:
    """In two thirds of the time in which both nodes train."""
    planned = scaling_trials.measurements_with_kills(False)
    assert planned.pop("processes").keywords["plan"] == scaling_trials.KILLED
    moments = {name: each.keywords["moments"] for name, each in planned.items()}
    assert moments.pop("at_half") == [0.5]
    assert sum(map(len, moments.values())) == 20
    assert all(each == sorted(each) and each[0] > 0 and each[-1] < 0.7 for each in moments.values())


def test_a_kill_waits_for_trainings_that_go_on(tmp_path: Path) -> None:
    """Both nodes are in the middle of one, which has gone on since the kill before."""
    plan = scaling_trials.Plan(seeds=6, images=1_000, epochs=10)

    def train(name: str, epochs: int) -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        rows = [EpochMetrics(epoch, 1.0, 0.5, None, None, 0.1, 1.0) for epoch in range(1, epochs + 1)]
        metrics_file.write(tmp_path / name / "metrics.csv", rows)
        return tmp_path / name

    def find(moment: float, before: dict[Path, int]) -> dict[Path, int]:
        return scaling_trials.trainings_to_hit(tmp_path, plan, moment, before)

    one, other = train("seed-0", 4), train("seed-1", 2)
    assert find(0.05, {}) == {one: 4, other: 2}
    assert find(0.5, {}) == {}
    assert find(0.05, {one: 4, other: 1}) == {}
    train("seed-0", 9)
    assert find(0.05, {}) == {}
    (one / "finished").touch()
    assert find(0.05, {}) == {}
    third = train("seed-2", 1)
    assert find(0.05, {other: 1}) == {other: 2, third: 1}


def test_processes_are_found_with_those_that_they_start() -> None:
    """By the one that has started them all."""
    inner = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen(
        [sys.executable, "-c", inner], stdin=subprocess.PIPE, env={**os.environ, "RANK": "3"}
    ) as outer:
        while len(found := processes.descendants(os.getpid())) < 2:
            time.sleep(0.05)
        assert str(outer.pid) in {folder.name for folder in found}
        assert scaling_ranks.ranks_of(os.getpid()) == {3: outer.pid}
        assert any("input()" in local_cluster.title(folder) for folder in found)
        assert scaling_photos.measure_memory()["all"] > 1
        outer.communicate(b"\n")


def test_equal_tasks_take_their_sum_over_the_cores() -> None:
    """Without losses and spread, and with nothing that they share."""
    result = simulate(Work("", 100, 36.0), 10, EXACT)
    assert result.hours == pytest.approx(0.1)
    assert result.dollars == pytest.approx(0.1 * (10 * EXACT.core_hour + EXACT.head_hour))
    assert result.bound == "cores"


@pytest.mark.parametrize("name", ["network of the head", "object store"])
def test_what_is_shared_bounds_those_that_need_it(name: str) -> None:
    """However many cores there are; what is busiest is named, and the size at which it is full."""
    work = Work("", 1000, 10.0, {name: 1.0, "other": 0.5})
    simulated = [simulate(work, cores, EXACT) for cores in (100, 1000)]
    assert [result.bound for result in simulated] == [name, name]
    assert all(result.hours * 3600 == pytest.approx(1000, rel=0.02) for result in simulated)
    assert scaling_simulation.largest_useful(work) == (10.0, name)


def test_fewer_places_than_cores_are_named() -> None:
    """As the command runs at most so many trials."""
    work = Work("", 100, 36.0, {"other": 0.01}, max_parallel=10)
    assert simulate(work, 50, EXACT).bound == "tasks in parallel"
    assert scaling_simulation.largest_useful(work) == (10, "tasks in parallel")


def test_losses_cost_time() -> None:
    """Those of spot instances."""
    slow = Assumptions(core_losses_per_hour=6.0, lost_seconds=60.0, spread=0.0)
    assert simulate(Work("", 50, 3600.0), 50, slow).hours > simulate(Work("", 50, 3600.0), 50, EXACT).hours


def test_each_kind_of_bound_is_in_the_tables(tmp_path: Path) -> None:
    """A row for each size of a cluster, in each table."""
    text = scaling_simulation.tables(write(tmp_path / "scaling.json", *MEASURED), EXACT)
    assert text.count("\n| 4,096 |") == 4
    assert all(f"| {bound} |\n" in text for bound in ("network of the head", "tasks in parallel", "object store"))
