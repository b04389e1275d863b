"""The run folder, its files, and the results."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import modiste
from modiste.errors import InputError, OutputError
from modiste.recipes.named import sprint
from modiste.runs import environment, files, folder, metrics_file, results
from modiste.runs.metrics_file import EpochMetrics


def test_a_file_is_whole_or_the_old_one(tmp_path: Path) -> None:
    """A writer that fails leaves the old content and nothing beside it."""
    path = tmp_path / "file.txt"
    files.write_text(path, "old")
    with pytest.raises(KeyError), files.atomic_write(path) as partial:
        partial.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("place", [".", "", "/"])
def test_a_folder_is_no_file(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said of every folder, whatever it is called by."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is a folder"):
        files.write_text(Path(place), "x")


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    """Files with the mark of an unfinished write go, in folders below as well (fault 26)."""
    (tmp_path / "last").mkdir()
    for leftover in (tmp_path / "a.partial", tmp_path / "last" / "b.partial"):
        leftover.write_text("half")
    files.remove_partials(tmp_path)
    assert list(tmp_path.rglob("*.partial")) == []


def test_a_full_disk_is_told_and_keeps_the_old_file(tmp_path: Path) -> None:
    """When the system refuses more bytes, the error names the path and the old file stays (fault 28)."""
    path = tmp_path / "file.txt"
    files.write_text(path, "old")
    script = (
        "import sys, signal; from pathlib import Path; from modiste.runs import files; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); files.write_text(Path(sys.argv[1]), 'x' * 100_000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{path} cannot be written (File too large)" in done.stderr
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]


def test_nan_is_not_written_as_json(tmp_path: Path) -> None:
    """A NaN would make a file that other tools cannot read."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_metrics_read_back_to_the_same_bits(tmp_path: Path) -> None:
    """Floats and missing figures survive the way through the file."""
    rows = [EpochMetrics(1, 1 / 3, 0.1, None, None, 1e-2, 2.5), EpochMetrics(2, 0.1 + 0.2, 0.7, 1e-17, 0.9, 1e-3, 2.25)]
    metrics_file.write(tmp_path / "metrics.csv", rows)
    assert metrics_file.read(tmp_path / "metrics.csv") == rows
    header = "epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr,seconds"
    assert (tmp_path / "metrics.csv").read_text().splitlines()[0] == header


HEAD = ",".join(metrics_file.COLUMNS) + "\n"


@pytest.mark.parametrize(
    "text", ["epoch,loss\n1,2\n", "\x00\n", "epoch,train_loss\n", HEAD + "1,1,1,,,1,\n", HEAD + "1,1,nan,,,1,1\n"]
)
def test_what_is_no_metrics_file_is_refused(text: str, tmp_path: Path) -> None:
    """A file of other columns is an error with its path."""
    (tmp_path / "metrics.csv").write_text(text + "x,y\n")
    with pytest.raises(InputError, match=r"metrics\.csv is no metrics\.csv"):
        metrics_file.read(tmp_path / "metrics.csv")


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    """A second run of the same name is refused and the first keeps its recipe."""
    run = folder.create(tmp_path / "runs" / "a", sprint())
    before = run.recipe_file.read_text()
    with pytest.raises(InputError, match="exists already"):
        folder.create(tmp_path / "runs" / "a", sprint())
    assert run.recipe_file.read_text() == before
    assert folder.open_run(run.path).recipe() == sprint()


def test_what_a_kill_left_before_there_was_a_recipe_is_no_run(tmp_path: Path) -> None:
    """Where the folder was made and nothing else, or the recipe half written, the same command begins (fault 26)."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "recipe.json.partial").write_text("{")
    assert folder.create(tmp_path / "a", sprint()).recipe() == sprint()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        folder.create(tmp_path / "b", sprint())


@pytest.mark.skipif(os.name != "posix", reason="files as folders")
def test_a_place_that_cannot_hold_a_run_is_named(tmp_path: Path) -> None:
    """A folder below a file cannot be made; the error says which."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        folder.create(tmp_path / "file" / "run", sprint())


def test_a_folder_without_a_recipe_is_no_run(tmp_path: Path) -> None:
    """The error names what is missing."""
    with pytest.raises(InputError, match=r"no recipe\.json"):
        folder.open_run(tmp_path)


def test_processors_of_one_name_are_told_apart() -> None:
    """Virtual machines call many of them the same; where the system numbers them, the record has the number."""
    cpuinfo = Path("/proc/cpuinfo")
    family = re.search(r"^cpu family\s*: (\d+)$", cpuinfo.read_text() if cpuinfo.exists() else "", re.MULTILINE)
    assert ("family" in environment.hardware()) == bool(family)
    assert not family or f"(family {family[1]}, model " in environment.hardware()


def test_a_commit_says_whether_the_code_is_that_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing outside a checkout or below a stranger's; the hash; the hash and that files differ from it."""
    package = tmp_path / "src" / "modiste" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text("")
    monkeypatch.setattr(modiste, "__file__", str(package))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert environment.commit() == ""

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=tmp_path, check=True)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "somebody else's")
    assert environment.commit() == ""
    git("add", ".")
    git("commit", "-q", "-m", "ours")
    clean = environment.commit()
    assert re.fullmatch("[0-9a-f]{40}", clean)
    package.write_text("changed = True\n")
    assert environment.commit() == f"{clean}-dirty"


def test_results_say_where_they_come_from(tmp_path: Path) -> None:
    """A results file has command, commit, hardware, versions and n, and is refused without them."""
    path = tmp_path / "x.json"
    results.write(path, recipe="x", command="modiste bench x", runs=[{"seed": 0}], mean=0.5)
    found = results.read(path)
    assert found["n"] == 1
    assert found["versions"]["python"] == environment.versions()["python"]
    assert found["hardware"] == environment.hardware()
    files.write_json(path, {"recipe": "x"})
    with pytest.raises(InputError, match="it lacks command, commit"):
        results.read(path)
