"""Predictions on a real Ray cluster: the rows of the local command, also when a node is killed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_cluster import add_node, kill_node

from helpers.cluster import fill_disk, meanwhile, processes_of, running_cluster
from helpers.command import run_in_process
from helpers.photos import fill
from helpers.s3 import s3_server
from modiste.inference import shards

pytest.importorskip("ray")
parquet = pytest.importorskip("pyarrow.parquet")
pytestmark = pytest.mark.filterwarnings("default")  # Ray Data warns of its own defaults


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head and a node with one CPU, whose processes know of a local S3 server."""
    with pytest.MonkeyPatch.context() as monkeypatch, s3_server(monkeypatch), running_cluster() as started:
        yield started


def rows_of(path: Path | str) -> list[dict[str, Any]]:
    """The rows of a file or folder, by their photos."""
    columns = ["file", "label", "probability", "top", "model", "error"]
    rows = parquet.read_table(path).select(columns).to_pylist()
    return sorted(rows, key=lambda row: str(row["file"]))


@pytest.mark.slow
def test_each_photo_is_a_row_although_a_node_is_killed(
    tmp_path: Path, nodes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the local command writes it; what is there is not predicted again, and the output may be on S3."""
    monkeypatch.setattr(shards, "MIN_SHARD", 10)
    photos = fill(tmp_path / "photos", 200)
    (photos / "broken.jpg").write_bytes(b"no photo")
    command = ["predict", str(photos), "--model=fashion-mnist", "--top=2"]
    run_in_process(tmp_path, *command, "--out=local.parquet", code=1)
    node, out = add_node(nodes), tmp_path / "out"

    with meanwhile(lambda: list(out.glob("part-*")), lambda: kill_node(nodes, node)):
        printed = run_in_process(tmp_path, *command, "--out=out", f"--cluster={nodes.address}", code=1).stdout
    assert printed == "out: 201 photos; 1 could not be used\n"
    assert rows_of(out) == rows_of(tmp_path / "local.parquet")

    (out / "part-00003.parquet").unlink()
    times = {file.name: file.stat().st_mtime_ns for file in out.iterdir()}
    run_in_process(tmp_path, *command, "--out=out", f"--cluster={nodes.address}", code=1)
    assert {file.name: file.stat().st_mtime_ns for file in out.iterdir()}.items() >= times.items()
    assert rows_of(out) == rows_of(tmp_path / "local.parquet")


@pytest.mark.slow
def test_a_full_disk_of_a_node_is_one_sentence(tmp_path: Path, nodes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exit code of an output; the same command resumes at the shard."""
    monkeypatch.setattr(shards, "MIN_SHARD", 10)
    fill(tmp_path / "photos", 200)
    command = ["predict", "photos", "--model=fashion-mnist", "--out=out", f"--cluster={nodes.address}"]
    actor = "ray::MapWorker"
    earlier = processes_of(nodes, actor)  # of the test before, which end late
    with meanwhile(lambda: {*processes_of(nodes, actor)} - {*earlier}, lambda: fill_disk(nodes, actor)):
        failed = run_in_process(tmp_path, *command, code=4)
    assert "Exception" not in failed.stderr
    assert failed.stderr.splitlines()[-1].startswith(f"modiste: {tmp_path}/out/part-")
    assert "cannot be written (File too large). " in failed.stderr
    assert run_in_process(tmp_path, *command).stdout.startswith("out: 200 photos")
    assert len(rows_of(tmp_path / "out")) == 200


@pytest.mark.slow
def test_photos_and_rows_may_be_on_s3(tmp_path: Path, nodes: Any) -> None:
    """The nodes read and write there; a model that is unknown to them is sent."""
    from modiste.runs.storage import Storage

    storage = Storage("s3://shop/photos")
    for path in fill(tmp_path / "photos", 4).iterdir():
        storage.write(path.name, path.read_bytes())
    arguments = ["predict", "s3://shop/photos", "--model=fashion-mnist", f"--cluster={nodes.address}"]
    printed = run_in_process(tmp_path, *arguments, "--out=s3://shop/labels").stdout
    assert printed == "s3://shop/labels: 4 photos\n"
    assert Storage("s3://shop/labels").names() == ["_plan.json", "part-00000.parquet"]
    refused = run_in_process(tmp_path, *arguments, "--top=3", "--out=s3://shop/labels", code=2)
    assert "has predictions with --top 1. Choose another --out" in refused.stderr


@pytest.mark.slow
def test_what_cannot_be_used_is_refused(tmp_path: Path, nodes: Any) -> None:
    """Before anything is predicted, and without an empty folder."""
    fill(tmp_path / "photos", 1)
    (tmp_path / "file").touch()
    command = ["predict", "photos", "--model=fashion-mnist", f"--cluster={nodes.address}"]
    cases = {
        "A model needs 2 CPUs and 0 GPUs, but the largest node has": ["--out=out", "--cpus=2"],
        "but on a cluster it must be a folder or a prefix": ["--out=file"],
        "cannot use --out: s3:// names no bucket": ["--out=s3://"],
        "cannot see /proc/self/cwd/photos. Put it on": ["/proc/self/cwd/photos", "--out=out"],  # of each process
        "cannot see --out /proc/self/cwd/out. Put it on": ["--out=/proc/self/cwd/out"],
    }
    for message, arguments in cases.items():
        assert message in run_in_process(tmp_path, *command, *arguments, code=2).stderr
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "file"}
