"""Trials on a real Ray cluster: the same table as from processes, also when nodes or the command are killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from local_cluster import add_node, kill_node
from scaling_trials import read_table as table

from helpers.cluster import fill_disk, kill_processes, meanwhile, running_cluster
from helpers.command import OWN, TINY, run_in_process, start
from helpers.idx import write_idx_folder
from helpers.s3 import s3_server
from helpers.static_host import hosting
from modiste.errors import InputError
from modiste.experiments import executor
from modiste.experiments.cluster.worker import SCRATCH
from modiste.experiments.executor import Progress
from modiste.experiments.resources import Resources
from modiste.experiments.trials import Trial
from modiste.recipes import settings
from modiste.recipes.named import sprint
from modiste.runs.storage import Storage

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head and one node with one CPU, whose processes know of a local S3 server."""
    with pytest.MonkeyPatch.context() as monkeypatch, s3_server(monkeypatch), running_cluster() as started:
        yield started


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    """Arguments of a bench that takes seconds."""
    write_idx_folder(tmp_path / "idx", train=200, test=40)
    settings = [f"--set=data.source={tmp_path / 'idx'}", "--set=compute.precision=fp32", *TINY]
    return ["bench", "classic-cnn", *settings, "--name=small", "--json"]


def wait_until(condition: Callable[[], object], seconds: float = 180) -> None:
    """Wait for something to happen."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def epochs(run: Path) -> int:
    """How many epochs of a run are here."""
    file = run / "metrics.csv"
    return len(file.read_text().splitlines()) - 1 if file.exists() else 0


@pytest.mark.slow
def test_a_killed_node_changes_nothing(small: list[str], tmp_path: Path, nodes: Any) -> None:
    """The table from a cluster that loses a node in mid-training is that from processes, and runs come back whole."""
    small += ["--set=schedule.epochs=12", "--set=early_stopping.patience=0", "--seeds=2"]
    node, run = add_node(nodes), tmp_path / "runs/bench/small/seed-0"

    with meanwhile(lambda: epochs(run) >= 2, lambda: kill_node(nodes, node)):
        lost = run_in_process(tmp_path, *small, f"--cluster={nodes.address}")
    (tmp_path / "runs").rename(tmp_path / "lost")
    unbroken = run_in_process(tmp_path, *small)
    assert table(lost.stdout) == table(unbroken.stdout)
    assert lost.stderr.count("test accuracy") == 2
    for seed in (0, 1):
        ours, theirs = (tmp_path / each / f"bench/small/seed-{seed}" for each in ("lost", "runs"))
        assert {file.name for file in ours.iterdir()} | {".lock"} == {file.name for file in theirs.iterdir()}
        assert (ours / "probabilities.npz").read_bytes() == (theirs / "probabilities.npz").read_bytes()
        log = Path(f"{ours}.log").read_text()
        assert f"modiste evaluate {tmp_path}/runs/bench/small/seed-{seed}" in log
        assert SCRATCH not in log


def bench_with_storage(folder: Path, command: list[str], name: str, storage: Storage, nodes: Any) -> Path:
    """Run a bench whose worker is killed in mid-training, with its checkpoints in a storage; return the run."""
    run, places = folder / f"runs/bench/{name}/seed-0", list[bool]()

    def kill() -> None:
        places.extend([any("last/" in file for file in storage.names()), (run / "last").exists()])
        kill_processes(nodes, "ray::run_task")

    where = f"--cluster={nodes.address}", f"--storage={storage.url}", f"--name={name}"
    with meanwhile(lambda: epochs(run) >= 2, kill):
        ended = run_in_process(folder, *command, *where)
    assert places == [True, False]
    assert "its worker or node was lost. Another one resumes it" in ended.stderr
    assert storage.names() == []
    return run


@pytest.mark.slow
def test_checkpoints_may_be_in_a_storage(small: list[str], tmp_path: Path, nodes: Any) -> None:
    """In a folder or on S3: a worker that replaces a lost one resumes from there; at the end nothing is left there."""
    small += ["--set=schedule.epochs=12", "--set=early_stopping.patience=0", "--seeds=1"]
    shared = tmp_path / "shared"
    shared.mkdir()
    run_in_process(tmp_path, *small)
    unbroken = tmp_path / "runs/bench/small/seed-0"
    for name, url in {"folder": str(shared), "s3": "s3://shop/checkpoints"}.items():
        run = bench_with_storage(tmp_path, small, name, Storage(url), nodes)
        assert (run / "probabilities.npz").read_bytes() == (unbroken / "probabilities.npz").read_bytes()
        assert Path(f"{run}.log").read_text().count("epoch   1  train") == 1


@pytest.mark.slow
@pytest.mark.parametrize("process", ["ray::RunStore", "ray::run_task"])
def test_a_full_disk_is_one_sentence(process: str, small: list[str], tmp_path: Path, nodes: Any) -> None:
    """Of the machine of the command, or of the storage of a node; what was sent stays, and the command resumes."""
    small += ["--set=schedule.epochs=60", "--set=early_stopping.patience=0", "--seeds=1"]
    (tmp_path / "shared").mkdir()
    cluster, run = [f"--cluster={nodes.address}"], tmp_path / "runs/bench/small/seed-0"
    cluster += [f"--storage={tmp_path / 'shared'}"] if process == "ray::run_task" else []
    with meanwhile(lambda: epochs(run) >= 2, lambda: fill_disk(nodes, process)):
        failed = run_in_process(tmp_path, *small, *cluster, code=4)
    last_line = failed.stderr.splitlines()[-1]
    assert last_line.startswith(f"modiste: {tmp_path}")
    assert last_line.endswith("then repeat the command.")
    assert "cannot be written (File too large). " in last_line
    assert 2 <= epochs(run) < 60
    assert table(run_in_process(tmp_path, *small, *cluster).stdout)[0]["epochs"] == 60
    assert Path(f"{run}.log").read_text().count("epoch   1  train") == 1


@pytest.mark.slow
def test_data_that_a_node_does_not_have_is_named(tmp_path: Path, nodes: Any) -> None:
    """Here, data below the working folder of the command, which another process has elsewhere."""
    write_idx_folder(tmp_path / "idx", train=20, test=4)
    recipe = settings.with_settings(sprint(), {"data.source": "/proc/self/cwd/idx"})
    trial, resources = Trial(recipe, tmp_path / "bench/seed-0"), Resources(cluster=nodes.address)
    with (
        chdir(tmp_path),
        pytest.raises(InputError, match=r"cannot see /proc/self/cwd/idx\. Put it on a file system that all"),
        executor.open_executor(trial.path.parent, resources, print) as pool,
    ):
        list(executor.run_trials([trial], pool, Progress(1, print)))
    assert not trial.path.exists()


@pytest.mark.slow
def test_a_lost_run_store_is_started_again(
    small: list[str], tmp_path: Path, nodes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its trial resumes from the checkpoint that was sent, as this is no stop by the user.

    Nor is the loss one of those in a row that end a trial, since epochs have ended before it.
    """
    from modiste.experiments.cluster import executor as cluster_executor

    monkeypatch.setattr(cluster_executor, "MAX_LOSSES", 1)
    small += ["--set=schedule.epochs=40", "--set=early_stopping.patience=0", "--seeds=1"]
    run = tmp_path / "runs/bench/small/seed-0"
    with meanwhile(lambda: epochs(run) >= 2, lambda: kill_processes(nodes, "ray::RunStore")):
        ended = run_in_process(tmp_path, *small, f"--cluster={nodes.address}")
    assert table(ended.stdout)[0]["epochs"] == 40
    assert "its worker or node was lost. Another one resumes it" in ended.stderr
    assert Path(f"{run}.log").read_text().count("epoch   1  train") == 1


@pytest.mark.slow
def test_a_lost_head_is_one_sentence(small: list[str], tmp_path: Path, nodes: Any) -> None:
    """The trial stops with its checkpoint, before Ray ends the process without a message of its own."""
    small += ["--set=schedule.epochs=500", "--set=early_stopping.patience=0", "--seeds=1"]
    run = tmp_path / "runs/bench/small/seed-0"
    with running_cluster() as lost:
        process = start(tmp_path, *small, f"--cluster={lost.address}")
        wait_until(lambda: epochs(run) >= 2)
        (server,) = lost.head_node.all_processes["gcs_server"]
        server.process.kill()
        _, err = process.communicate(timeout=180)
    assert process.returncode == 3, err
    assert err.splitlines()[-2] == "The head of the Ray cluster does not answer. The trainings are stopped."
    assert "as the head of the cluster is lost. The same command resumes it." in err.splitlines()[-1]
    assert (run / "last/checkpoint.safetensors").exists()
    assert 2 <= epochs(run) < 500


@pytest.mark.slow
def test_settings_are_tuned_on_a_cluster(small: list[str], tmp_path: Path, nodes: Any) -> None:
    """With the same trials and the same gain as by processes; one that is not promising is stopped there."""
    settings = [each for each in small if each.startswith("--set=") and "model" not in each]
    search = ["--trials=2", "--epochs=2", "--range=optimizer.lr=1e-4..100", "--gain-folds=1", "--name=tuned"]
    command = ["tune", "classic-cnn", *settings, *OWN, "--set=schedule.epochs=3", "--set=optimizer.lr=1e-4", *search]
    tuned = json.loads(run_in_process(tmp_path, *command, "--json", f"--cluster={nodes.address}").stdout)
    (tmp_path / "runs").rename(tmp_path / "cluster-runs")
    local = json.loads(run_in_process(tmp_path, *command, "--json").stdout)
    assert [trial["val_accuracy"] for trial in tuned["trials"]] == [trial["val_accuracy"] for trial in local["trials"]]
    assert tuned["gain"] == local["gain"]


def test_the_largest_nodes_are_those_that_exist() -> None:
    """The most CPUs and the most GPUs may be on two nodes, neither of which has enough of both."""
    from modiste.experiments.cluster.connection import describe_largest

    assert describe_largest([(0.0, 0.0), (1.0, 0.0), (1.0, 0.0)]) == "the largest node has 1 CPU and 0 GPUs"
    sizes = [(2.0, 1.0), (8.0, 0.0), (2.0, 0.0)]
    assert describe_largest(sizes) == "the largest nodes have 8 CPUs and 0 GPUs or 2 CPUs and 1 GPU"


def test_commits_are_compared_where_both_machines_have_one() -> None:
    """A checkout may differ at the same version; an installed package has no commit."""
    from modiste.experiments.cluster.connection import COMMIT, describe_code, describe_difference

    here = {**describe_code(), COMMIT: "abc"}
    assert describe_difference(here, {**here, COMMIT: "abc-dirty"}) == "commit abc-dirty, this machine abc"
    assert describe_difference(here, {**here, COMMIT: ""}) == ""
    assert describe_difference({**here, COMMIT: ""}, here) == ""


def test_a_cluster_needs_no_torch_in_its_own_processes() -> None:
    """Only the training, a process of its own, takes its memory."""
    code = "import sys, modiste.experiments.cluster.executor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_ctrl_c_leaves_what_resumes_without_the_cluster(small: list[str], tmp_path: Path, nodes: Any) -> None:
    """The checkpoint is here; local processes train on from it."""
    small += ["--set=schedule.epochs=150", "--set=early_stopping.patience=0", "--seeds=1"]
    run = tmp_path / "runs/bench/small/seed-0"
    process = start(tmp_path, *small, f"--cluster={nodes.address}")
    wait_until(lambda: epochs(run) >= 2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    assert "The same command resumes it" in err
    assert (run / "last/checkpoint.safetensors").exists()
    done = epochs(run)
    assert 2 <= done < 150
    assert table(run_in_process(tmp_path, *small).stdout)[0]["epochs"] == 150
    log = Path(f"{run}.log").read_text()
    assert log.count("epoch   1  train") == 1


@pytest.mark.slow
def test_errors_are_one_sentence(small: list[str], tmp_path: Path, nodes: Any) -> None:
    """Each says what to do next, and nothing is trained."""
    address = f"--cluster={nodes.address}"
    with socket.socket() as unused, socket.create_server(("127.0.0.1", 0)) as silent, hosting(tmp_path) as web:
        unused.bind(("127.0.0.1", 0))
        nowhere, mute, other = (f"127.0.0.1:{each.getsockname()[1]}" for each in (unused, silent, web.server.socket))
        cases = {
            "There is no Ray cluster at": [f"--cluster={nowhere}"],
            "There is no Ray cluster at head..local:6379": ["--cluster=head..local:6379"],
            f"What listens at {mute} is not a Ray cluster": [f"--cluster={mute}"],
            f"What listens at {other} is not a Ray cluster": [f"--cluster={other}"],
            "must be auto or HOST:PORT": ["--cluster=ray://head"],
            "A trial needs 1 CPU and 8 GPUs, but the largest node has": [address, "--gpus=8"],
            "cannot see --storage": [address, f"--storage={tmp_path / 'missing'}"],
            "cannot use --storage: s3:// names no bucket": [address, "--storage=s3://"],
            "--cpus is for trials on a cluster": ["--cpus=2"],
        }
        for message, arguments in cases.items():
            failed = run_in_process(tmp_path, *small, *arguments, code=2)
            assert message in failed.stderr
            assert len(failed.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_node_with_another_version_is_named(
    small: list[str], tmp_path: Path, nodes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is trained."""
    other = tmp_path / "other" / "pillow-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: pillow\nVersion: 1.0\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(other.parent), os.environ["PYTHONPATH"]]))
    node = add_node(nodes)
    try:
        failed = run_in_process(tmp_path, *small, f"--cluster={nodes.address}", code=2)
    finally:
        kill_node(nodes, node)
    assert "has pillow 1.0, this machine" in failed.stderr
