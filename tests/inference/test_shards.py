"""Predictions as Parquet: one row for each photo, resumed at the shard, from folders, S3 and Parquet of bytes."""

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from helpers.command import run_in_process, start
from helpers.photos import fill
from helpers.s3 import s3_server
from modiste import inference
from modiste.errors import InputError
from modiste.inference import predictions_parquet, shards
from modiste.inference.shards import Plan
from modiste.runs.storage import Storage

parquet = pytest.importorskip("pyarrow.parquet")
pa = pytest.importorskip("pyarrow")


@pytest.fixture
def wardrobe(tmp_path: Path) -> Path:
    """Six photos of one class, and a file that is none."""
    folder = fill(tmp_path / "wardrobe", 6)
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a file."""
    return list(parquet.read_table(path).to_pylist())


def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two photos a shard."""
    monkeypatch.setattr(shards, "MIN_SHARD", 2)


def test_each_photo_is_a_row(wardrobe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal to those of a JSONL file, a broken photo included, whose error is printed."""
    small_shards(monkeypatch)
    (wardrobe / "a\nb\u202e.jpg").write_bytes(next(wardrobe.rglob("*.png")).read_bytes())
    command = ["predict", str(wardrobe), "--model=photo", "--top=2", "--out"]
    finished = run_in_process(tmp_path, *command, "a.parquet", code=1)
    assert finished.stdout == "a.parquet: 8 photos; 1 could not be used\n"
    assert finished.stderr.splitlines() == run_in_process(tmp_path, *command, "a.jsonl", code=1).stderr.splitlines()
    assert "broken.jpg is" in finished.stderr
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert rows_of(tmp_path / "a.parquet") == lines
    assert sum(row["error"] is not None for row in lines) == 1
    assert not (tmp_path / "a.parquet.shards").exists()


def test_a_finished_file_is_neither_predicted_again_nor_replaced(wardrobe: Path, tmp_path: Path) -> None:
    """The same command reports its rows and errors; other photos, another --top and a changed photo are refused."""
    command = ["predict", str(wardrobe), "--model=photo", "--out=a.parquet"]
    run_in_process(tmp_path, *command, code=1)
    out = tmp_path / "a.parquet"
    content, status = out.read_bytes(), out.stat()
    again = run_in_process(tmp_path, *command, code=1)
    assert again.stdout == "a.parquet: 7 photos, 7 of them from before; 1 could not be used\n"
    assert "broken.jpg is" in again.stderr
    (photo, *_) = sorted(wardrobe.rglob("*.png"))
    other_photos = ["predict", str(photo), *command[2:]]
    for others, how in ((other_photos, "of other photos, or"), ([*command, "--top=2"], "with --top 1")):
        refused = run_in_process(tmp_path, *others, code=2)
        assert f"a.parquet has predictions {how}" in refused.stderr
    photo.write_bytes(photo.read_bytes() + b"\0")
    run_in_process(tmp_path, *command, code=2)
    assert (out.read_bytes(), out.stat().st_mtime_ns) == (content, status.st_mtime_ns)


@pytest.mark.slow
def test_a_stopped_command_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how many photos are in which folder, and the same command how many of its rows are from before."""
    fill(tmp_path / "photos", 60)
    command = ["predict", "photos", "--model=photo", "--out=a.parquet"]
    code = "from modiste.inference import shards; shards.MIN_SHARD = 10; from modiste.cli.main import main; main()"
    with start(tmp_path, *command, code=code) as process:
        while not (tmp_path / "a.parquet.shards" / "part-00000.parquet").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    stopped = re.fullmatch(
        r"modiste: Stopped\. a\.parquet\.shards has (\d+) photos; the same command resumes\.\n", errors
    )
    assert (process.returncode, bool(stopped)) == (143, True), errors
    monkeypatch.setattr(shards, "MIN_SHARD", 10)
    resumed = run_in_process(tmp_path, *command).stdout
    assert stopped
    assert 0 < int(stopped[1]) < 60
    assert resumed == f"a.parquet: 60 photos, {stopped[1]} of them from before\n"


def test_photos_of_standard_input_and_of_changed_tables_are_others(tmp_path: Path) -> None:
    """Both have no name of their own: the content or the file decides."""
    plans = [Plan(shards.cut_photos([("-", content)]), "", 1).describe() for content in (b"a", b"b", b"a")]
    assert plans[0] == plans[2] != plans[1]
    table = tmp_path / "a.parquet"
    described = []
    for content in (b"a", b"bcd"):
        parquet.write_table(pa.table({"image": pa.array([content], pa.binary())}), table)
        described.append(Plan(shards.cut_parquet([str(table)]), "", 1).describe())
    assert described[0] != described[1]


def test_finished_shards_are_not_predicted_again(
    wardrobe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a stop in the second of them, also where the photos of the first are gone; other photos are refused."""
    small_shards(monkeypatch)
    photos = [(str(path), str(path)) for path in sorted(wardrobe.rglob("*.*"))]
    predictor = inference.load("photo", 1)
    plan = Plan(shards.cut_photos(photos), predictor.sha256, 1)
    out = tmp_path / "a.parquet"
    predictions = predictions_parquet.predict_to_file(
        out, plan, predictions_parquet.missing_shards(out, plan), predictor, 1
    )
    assert next(predictions) == 2
    predictions.close()  # type: ignore[attr-defined]
    storage = predictions_parquet.shards_of(out)
    first = storage.read("part-00000.parquet")
    assert predictions_parquet.missing_shards(out, plan) == [1, 2, 3]
    assert plan.count(shards.finished_shards(storage, plan)) == 2
    with pytest.raises(InputError, match=r"predictions of other photos, or of photos that have changed since\. Choose"):
        shards.missing_shards(storage, Plan(plan.shards[:1], predictor.sha256, 1))
    with pytest.raises(InputError, match=r"predictions of another model and with --top 1\. Choose"):
        shards.missing_shards(storage, Plan(plan.shards, "another", 2))
    damaged = Storage(str(tmp_path / "damaged"))
    damaged.write(shards.PLAN_FILE, b"{")
    with pytest.raises(InputError, match="of a plan that cannot be read"):
        shards.missing_shards(damaged, plan)
    assert sum(predictions_parquet.predict_to_file(out, plan, [1, 2, 3], predictor, 1)) == 5
    assert len({row["file"] for row in rows_of(out)}) == 7
    assert rows_of(out)[:2] == parquet.read_table(pa.BufferReader(first)).to_pylist()


def test_parquet_of_bytes_is_read(wardrobe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In several files and row groups; rows are named by file and number."""
    small_shards(monkeypatch)
    contents = [path.read_bytes() for path in sorted(wardrobe.rglob("*.*"))]
    (tmp_path / "tables").mkdir()
    for name, part in (("a", contents[:4]), ("b", [*contents[4:], None])):
        table = pa.table({"image": pa.array(part, pa.binary())})
        parquet.write_table(table, tmp_path / "tables" / f"{name}.parquet", row_group_size=3)
    run_in_process(tmp_path, "predict", "tables", "--model=photo", "--out=a.parquet", code=1)
    rows = rows_of(tmp_path / "a.parquet")
    assert [row["file"] for row in rows] == [f"tables/{n}.parquet#{i}" for n in "ab" for i in range(4)]
    assert [row["error"] is None for row in rows] == [b is not None and b != b"no photo" for b in [*contents, None]]
    run_in_process(tmp_path, "predict", str(wardrobe), "--model=photo", "--out=b.parquet", code=1)
    same = [(row["label"], row["probability"]) for row in rows_of(tmp_path / "b.parquet")]
    assert [(row["label"], row["probability"]) for row in rows[:7]] == same


@pytest.mark.slow
def test_photos_of_s3_are_read(wardrobe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix is listed; a photo that is not there is a row with the reason."""
    with s3_server(monkeypatch) as bucket:
        storage = Storage(f"{bucket}/photos")
        for path in sorted(wardrobe.rglob("*.*")):
            storage.write(path.name, path.read_bytes())
        storage.write(".trash/old.jpg", b"hidden")
        command = ["predict", f"{bucket}/photos", f"{bucket}/missing.jpg", "--model=photo", "--out=a.parquet"]
        run_in_process(tmp_path, *command, code=1)
        empty = run_in_process(tmp_path, "predict", f"{bucket}/nothing", "--out=b.parquet", code=2)
        missing = run_in_process(tmp_path, "predict", "s3://missing/photos", "--out=b.parquet", code=2)
    rows = {row["file"]: row for row in rows_of(tmp_path / "a.parquet")}
    assert len(rows) == 8
    assert rows[f"{bucket}/missing.jpg"]["error"] == f"{bucket}/missing.jpg does not exist. Was it removed?"
    assert sum(row["error"] is None for row in rows.values()) == 6
    assert "has no photo that can be read" in empty.stderr
    assert "s3://missing/photos does not exist (The specified bucket does not exist). Check the" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out=a.txt"], "--out is a.txt, but it must end in .csv or .jsonl or .parquet"),
        (["--cluster=auto"], "--cluster writes Parquet files. Add --out"),
        (["--cluster=auto", "--out=a.CSV"], "--out is a.CSV, but a cluster writes a folder of Parquet files"),
        (["--out=s3://shop/a.parquet"], "but only a cluster writes to a URL"),
        (["s3://shop/photos"], "s3://shop/photos is a URL, whose photos become Parquet. Add --out F.parquet"),
        (["s3://shop/photos", "--out=a.csv"], "Add --out F.parquet, or --cluster"),
        (["s3://", "--out=a.parquet"], "s3:// names no bucket or folder. Give one: s3://BUCKET/PREFIX"),
        (["--out=other.parquet"], "other.parquet is not a file of predictions"),
        (["--out=a.parquet", "--show=a.png"], "--show draws one photo"),
    ],
)
def test_errors_are_one_sentence(wardrobe: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    """And nothing is written."""
    parquet.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    failed = run_in_process(tmp_path, "predict", str(wardrobe), *arguments, code=2)
    assert message in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    assert rows_of(tmp_path / "other.parquet") == [{"a": 1}]


def test_shards_have_a_limit() -> None:
    """A billion photos are in 10,000 files."""
    assert shards._shard_size(100) == shards.MIN_SHARD
    assert shards._shard_size(10**9) == 100_000
