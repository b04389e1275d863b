"""What is written where: devices, links, several processes at once, damaged models, a full disk (28, 35 to 37)."""

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from helpers.command import environment, run_in_process, start
from helpers.runs import write_run
from modiste.errors import InputError
from modiste.inference import model_file
from modiste.runs import files, folder
from modiste.runs.folder import Run

FULL_DISK = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from modiste.cli.main import main; main()"


@pytest.fixture(params=["bundled", "run"])
def drawing(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Arguments of commands that write one file, which is named last."""
    if request.param == "bundled":
        return ["data", "show", "--per-class=1", "--out"]
    return ["report", str(write_run(tmp_path / "run").path), "--out"]


def test_fault_35_a_link_stays_and_its_file_is_written(drawing: list[str], tmp_path: Path) -> None:
    """For each command that writes one file."""
    suffix = ".png" if drawing[0] == "data" else ".html"
    (tmp_path / f"link{suffix}").symlink_to("target")
    run_in_process(tmp_path, *drawing, f"link{suffix}")
    assert (tmp_path / f"link{suffix}").is_symlink()
    assert (tmp_path / "target").stat().st_size > 1000


def test_fault_35_a_fifo_and_the_null_device_are_written_through(drawing: list[str], tmp_path: Path) -> None:
    """The reader of the FIFO gets the file."""
    suffix, received = ".png" if drawing[0] == "data" else ".html", []
    (tmp_path / f"null{suffix}").symlink_to("/dev/null")
    run_in_process(tmp_path, *drawing, f"null{suffix}")
    fifo = tmp_path / f"fifo{suffix}"
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: received.append(fifo.read_bytes()))
    reader.start()
    run_in_process(tmp_path, *drawing, fifo.name)
    reader.join(30)
    assert len(received[0]) > 1000
    assert (fifo.is_fifo(), Path("/dev/null").is_char_device()) == (True, True)


def test_fault_35_predictions_and_models_are_not_written_to_streams(tmp_path: Path) -> None:
    """They are read back, or must not exist yet."""
    (tmp_path / "null.csv").symlink_to("/dev/null")
    (tmp_path / "null.onnx").symlink_to("/dev/null")
    run = write_run(tmp_path / "run")
    refused = run_in_process(tmp_path, "predict", "--out=null.csv", "--model", str(run.model), "x.png", code=2)
    assert "must be a regular file" in refused.stderr
    assert "exists already" in run_in_process(tmp_path, "export", str(run.path), "--out=null.onnx", code=2).stderr
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("place", ["file", "missing/file"])
def test_fault_35_a_link_in_a_run_folder_does_not_lead_out_of_it(place: str, tmp_path: Path) -> None:
    """Whatever `evaluate` writes replaces the link; the file that it leads to is unchanged, or not made."""
    run = write_run(tmp_path / "run")
    outside = tmp_path / "outside" / place
    outside.parent.mkdir(parents=True)
    if place == "file":
        outside.write_text("precious")
    written = (run.probabilities, run.confusion, run.mistakes, run.mistakes_table, run.mistakes_page)
    for path in written:
        path.symlink_to(outside)
    run_in_process(tmp_path, "evaluate", "run")
    assert not any(path.is_symlink() for path in (*written, run.scores))
    assert all(path.stat().st_size for path in written)
    assert place != "file" or outside.read_text() == "precious"
    assert len(list(outside.parent.iterdir())) == (place == "file")


def test_fault_35_a_folder_of_a_run_is_not_a_link_out_of_it(tmp_path: Path) -> None:
    """As those of the checkpoint and of TensorBoard's events."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "last").symlink_to("outside")
    files.make_own_folder(tmp_path / "last")
    assert (tmp_path / "last").is_dir()
    assert not (tmp_path / "last").is_symlink()


@pytest.mark.slow
def test_fault_36_openings_of_three_processes_are_all_counted(tmp_path: Path) -> None:
    """And none fails."""
    run = write_run(tmp_path / "run")
    count = 3 * (5 if os.environ.get("MODISTE_FAULTS") == "long" else 1)
    for _ in range(count // 3):
        processes = [start(tmp_path, "evaluate", str(run.path)) for _ in range(3)]
        errors = [process.communicate(timeout=300)[1] for process in processes]
        assert [process.returncode for process in processes] == [0, 0, 0], errors
    assert files.read_json(run.scores)["test_openings"] == count
    assert not list(run.path.glob("*.partial"))


@pytest.mark.parametrize("options", [(), ("--int8",)], ids=["copy", "int8"])
@pytest.mark.parametrize("damage", ["truncated", "zeroed", "of another run"])
def test_fault_37_a_damaged_model_of_a_run_is_not_exported(
    damage: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    """Nothing is written, and nothing is left in the folder of temporary files."""
    run, temporary = write_run(tmp_path / "run"), tmp_path / "temporary"
    folder.finish(run)
    content = run.model.read_bytes()
    if damage == "truncated":
        run.model.write_bytes(content[: len(content) // 2])
    elif damage == "zeroed":
        weights = content.index(b"weights", 100)
        run.model.write_bytes(content[: weights - 2000] + bytes(1000) + content[weights - 1000 :])
    else:
        run.model.write_bytes(write_run(tmp_path / "other", blind=2).model.read_bytes())
    temporary.mkdir()
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(temporary)
    try:
        refused = run_in_process(tmp_path, "export", "run", "--out=copy.onnx", *options, code=2)
    finally:
        os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
    assert "is not the file that the training wrote" in refused.stderr
    assert not (tmp_path / "copy.onnx").exists()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("command", ["predict", "serve", "evaluate"])
@pytest.mark.parametrize("name", ["run", "run/model.onnx"])
def test_fault_37_a_damaged_model_of_a_run_is_not_used(command: str, name: str, tmp_path: Path) -> None:
    """Wherever a run or its model is named."""
    run = write_run(tmp_path / "run")
    folder.finish(run)
    run.model.write_bytes(write_run(tmp_path / "other", blind=2).model.read_bytes())
    arguments = {"predict": ["predict", "x.png", "--model", name], "serve": ["serve", "--port=0", "--model", name]}
    refused = run_in_process(tmp_path, *arguments.get(command, [command, name]), code=2)
    assert "is not the file that the training wrote" in refused.stderr


def test_fault_37_the_marker_of_a_run_is_a_file_of_checksums(tmp_path: Path) -> None:
    """That `sha256sum --check finished` reads."""
    run = write_run(tmp_path / "run")
    folder.finish(run)
    subprocess.run(["sha256sum", "--check", "--quiet", "finished"], cwd=run.path, check=True)
    assert model_file.load(folder.require_model(run)).name == "run"
    run.finished_marker.write_text("")  # of an older version
    assert folder.require_model(Run(run.path)) == run.model
    run.finished_marker.write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"finished cannot be read .* Copy the run again"):
        folder.require_model(run)


@pytest.mark.slow
def test_fault_28_a_full_folder_of_temporary_files_ends_an_export_with_4(tmp_path: Path) -> None:
    """It is named, and nothing is left in it."""
    run, temporary = write_run(tmp_path / "run"), tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.run(
        [sys.executable, "-c", FULL_DISK, "export", str(run.path), "--int8", "--out=a.onnx"],
        cwd=tmp_path,
        env=environment(TMPDIR=str(temporary)),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY)),
    )
    assert process.returncode == 4, process.stderr
    assert process.stderr.startswith(f"modiste: {temporary} cannot be written")
    assert "Traceback" not in process.stderr
    assert [*temporary.iterdir(), *tmp_path.glob("a.onnx*")] == []


def test_fault_28_without_a_folder_of_temporary_files_an_export_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line."""
    from modiste.export import int8

    monkeypatch.setattr(int8.tempfile, "tempdir", str(tmp_path / "missing"))
    write_run(tmp_path / "run")
    refused = run_in_process(tmp_path, "export", "run", "--int8", "--out=a.onnx", code=4)
    assert "missing cannot be written" in refused.stderr


def test_fault_36_the_second_start_of_a_name_is_refused(tmp_path: Path) -> None:
    """See tests/runs/test_folder.py for two at the same moment; this one comes later."""
    run = write_run(tmp_path / "run")
    with pytest.raises(InputError, match="exists already and is not overwritten"):
        folder.create(run.path, run.recipe())
