"""`modiste train` from the outside: what it leaves, and what it refuses."""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.command import OWN, TINY, environment, inside, modiste, start
from helpers.idx import write_idx_folder
from helpers.pictures import fill
from helpers.runs import rows
from modiste.errors import OutputError
from modiste.inference import model_file
from modiste.metrics import calibration
from modiste.recipes.named import NAMED
from modiste.runs import metrics_file
from modiste.training import tensorboard

TRAINED = {
    "README.md",
    "curves.png",
    "environment.json",
    "finished",
    "layers.json",
    "last/checkpoint.safetensors",
    ".lock",
    "metrics.csv",
    "model.onnx",
    "model.safetensors",
    "recipe.json",
}
JUDGED = {"scores.json", "probabilities.npz", "confusion.png", "mistakes.png"}


@pytest.fixture(scope="module")
def trained(idx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the run `tiny` was trained, by a process of its own as a user would; read only."""
    folder = tmp_path_factory.mktemp("trained")
    modiste(folder, "train", "classic-cnn", f"--data={idx}", "--name=tiny", "--epochs=12", *TINY, *OWN)
    return folder


@pytest.fixture(scope="module")
def teachers(idx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small ones of those that the taught recipes learn from, each without its fold; read only."""
    folder = tmp_path_factory.mktemp("teachers")
    for fold in (0, 1):
        given = [f"--data={idx}", "--epochs=1", *TINY, f"--fold={fold}", f"--name=teachers/fold-{fold}"]
        inside(folder, "train", "marathon-teacher", *given)
    return folder


def files(folder: Path) -> set[str]:
    """The files of a run, by their path in it."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


STOPPING = ("--set=data.val_fraction=0.2", "--set=early_stopping.patience=1", "--set=optimizer.ema_decay=0.9")
GRAY = [name for name, recipe in NAMED.items() if recipe().data.channels == 1]
"""The recipes of Fashion-MNIST; the others want photos."""


def pictures_of(folder: Path) -> Path:
    """A folder with ten pictures for each of two labels, and nothing to test on."""
    for place, label in enumerate(("bag", "coat")):
        red = 200 * place
        fill(folder / "photos" / label, 10, lambda n, red=red: Image.new("RGB", (40, 50), (red, 20 * n, 90)), ".jpg")
    return folder / "photos"


def give_teachers(folder: Path, name: str, teachers: Path) -> None:
    """Put what that recipe learns from, if anything, where it looks for it."""
    for path in NAMED[name]().distillation.teachers:
        shutil.copytree(teachers / path, folder / path)


def test_a_tiny_network_from_data_to_prediction(trained: Path, tmp_path: Path) -> None:
    """Train, evaluate and predict leave exactly the files of the design, and the network has learned its task."""
    run = tmp_path / "runs" / "tiny"
    shutil.copytree(trained / "runs" / "tiny", run)
    assert files(run) == TRAINED
    assert b".py" not in (run / "model.onnx").read_bytes()  # no stack trace, and so no path of this machine
    told = json.loads(modiste(tmp_path, "evaluate", "runs/tiny", "--json").stdout)
    assert told["n"] == 40
    assert told["accuracy"] > 0.5
    assert files(run) == TRAINED | JUDGED
    Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save(tmp_path / "picture.png")
    (prediction,) = json.loads(modiste(tmp_path, "predict", "--model=runs/tiny", "--json", "picture.png").stdout)
    assert prediction["model"] == "tiny"
    assert 0 < prediction["probability"] <= 1


def test_a_model_carries_what_the_images_held_out_say_of_its_sureness(
    idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temperature, which `evaluate` tells the worth of, and the card; with too few images there is none."""
    given = ["train", "sprint", f"--data={idx}", *TINY, "--set=data.val_fraction=0.2", "--epochs=1"]
    inside(tmp_path, *given, "--name=a")
    assert "not calibrated" in (tmp_path / "runs" / "a" / "README.md").read_text()
    monkeypatch.setattr(calibration, "MIN_IMAGES", 10)
    inside(tmp_path, *given, "--name=b")
    model = model_file.load(tmp_path / "runs" / "b" / "model.onnx")
    assert model.calibration.temperature != 1
    assert f"temperature {model.calibration.temperature:g}" in (tmp_path / "runs" / "b" / "README.md").read_text()
    told = inside(tmp_path, "evaluate", "runs/b").stdout
    scores = json.loads((tmp_path / "runs" / "b" / "scores.json").read_text())["test"]
    assert f"after the model's temperature {scores['ece_calibrated']:.4f}" in told
    assert scores["ece_calibrated"] != scores["ece"]


def test_a_folder_of_class_folders_trains(tmp_path: Path) -> None:
    """Pictures in a folder a label become a model with these labels."""
    for label, value in (("dark", 30), ("bright", 220)):
        fill(tmp_path / "mine" / label, 15, lambda number, value=value: Image.new("L", (28, 28), value + number))
    inside(tmp_path, "train", "classic-cnn", "--data=mine", "--name=mine", "--epochs=2", *TINY)
    told = json.loads(inside(tmp_path, "evaluate", "runs/mine", "--split=validation", "--json").stdout)
    assert told["n"] == 6
    (prediction,) = json.loads(inside(tmp_path, "predict", "--model=runs/mine", "--json", "mine/dark/0.png").stdout)
    assert prediction["label"] in ("bright", "dark")


@pytest.mark.parametrize("name", NAMED)
def test_every_named_recipe_trains_a_step(name: str, idx: Path, teachers: Path, tmp_path: Path) -> None:
    """Each recipe, with its own network and method, gets through an epoch and its export."""
    small = ["--set=data.image_size=32", "--set=augmentation.train_size=24"]
    data = [f"--data={idx}"] if name in GRAY else [f"--data={pictures_of(tmp_path)}", *small]
    give_teachers(tmp_path, name, teachers)
    inside(tmp_path, "train", name, *data, "--epochs=1", "--set=data.max_train_images=64", "--name=run")
    assert files(tmp_path / "runs" / "run") == TRAINED


def test_a_recipe_json_of_a_run_trains_to_the_same_weights(idx: Path, tmp_path: Path) -> None:
    """The recipe that a run wrote is a valid input, and with one thread it gives the same bits."""
    inside(tmp_path, "train", "sprint", f"--data={idx}", "--name=a", "--epochs=1", *TINY)
    inside(tmp_path, "train", "runs/a/recipe.json", "--name=b")
    weights = [(tmp_path / "runs" / name / "model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]


def test_tensorboard_events_are_written_when_asked_for(idx: Path, tmp_path: Path) -> None:
    """Each epoch's figures are events under the names of the log's columns."""
    given = [f"--data={idx}", "--name=a", "--epochs=2", "--tensorboard", *TINY]
    inside(tmp_path, "train", "classic-cnn", *given)
    script = (
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as Events\n"
        "events = Events('runs/a/events'); events.Reload()\n"
        "print([event.step for event in events.Scalars('val_loss')], len(events.Tags()['scalars']))"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[1, 2] 6"


def test_events_that_the_disk_does_not_take_are_told(tmp_path: Path) -> None:
    """The message names their folder (fault 28)."""
    (tmp_path / "events").write_bytes(b"")
    with pytest.raises(OutputError, match="events cannot be written"):
        tensorboard.append(tmp_path / "events", rows([0.5])[0])


@pytest.mark.parametrize("more", [(), STOPPING], ids=["as it is", "stopping, averaging"])
@pytest.mark.parametrize("name", GRAY)
def test_training_never_sees_the_test_split(
    name: str, more: tuple[str, ...], idx: Path, teachers: Path, tmp_path: Path
) -> None:
    """Recipes, stopping and averaging work beside test files that cannot be read; only `evaluate` opens them."""
    tests = list(shutil.copytree(idx, tmp_path / "idx").glob("t10k*"))
    for file in tests:
        file.write_bytes(b"an error, if it were read")
    give_teachers(tmp_path, name, teachers)
    inside(tmp_path, "train", name, "--data=idx", "--name=a", "--epochs=4", *TINY, *more)
    assert any(file.name in inside(tmp_path, "evaluate", "runs/a", code=2).stderr for file in tests)


def test_a_data_folder_needs_no_test_files(tmp_path: Path) -> None:
    """Without them the run is judged on what it held out."""
    folder = write_idx_folder(tmp_path / "idx", train=100)
    for file in folder.glob("t10k*"):
        file.unlink()
    inside(tmp_path, "train", "classic-cnn", "--data=idx", "--name=a", "--epochs=1", *TINY)
    assert "--split validation" in inside(tmp_path, "evaluate", "runs/a", code=2).stderr


def test_the_list_names_every_recipe(tmp_path: Path) -> None:
    """`--list` has a line for each named recipe."""
    shown = inside(tmp_path, "train", "--list").stdout
    assert all(name in shown for name in NAMED)
    assert [entry["recipe"] for entry in json.loads(inside(tmp_path, "train", "--list", "--json").stdout)] == [*NAMED]


def test_the_settings_of_a_recipe_can_be_read_by_a_program(tmp_path: Path) -> None:
    """`RECIPE --list --json` is one object of dotted keys."""
    told = json.loads(inside(tmp_path, "train", "classic-cnn", "--list", "--json").stdout)
    assert (told["optimizer.lr"], told["data.image_size"]) == (0.01, 28)


def test_a_listed_recipe_has_the_settings_that_were_given(tmp_path: Path) -> None:
    """Without a recipe there is nothing to set."""
    given = ("--list", "--epochs=3", "--set=model.width=7")
    told = json.loads(inside(tmp_path, "train", "sprint", "--json", *given).stdout)
    assert (told["schedule.epochs"], told["model.width"]) == (3, 7)
    assert "Name it" in inside(tmp_path, "train", *given, code=2).stderr


REFUSED: dict[str, tuple[list[str], str]] = {
    "no recipe": ([], "Which recipe?"),
    "unknown recipe": (["clasic-cnn"], "Did you mean 'classic-cnn'"),
    "unknown key": (["sprint", "--set=optimizer.rate=1"], "There is no setting"),
    "bad value": (["sprint", "--set=optimizer.lr=fast"], "must be a number"),
    "bad network": (["sprint", "--set=model=rensnet18"], "There is no network"),
    "no folder": (["sprint", "--data=nowhere"], "nowhere"),
    "no device": (["sprint", "--device=cuda:99"], "There is no device"),
    "another kind of device": (["sprint", "--device=meta"], "There is no device"),
    "a name too long": (["sprint", f"--data={'x' * 300}"], "x" * 300),
    "no run": (["--resume=nowhere"], "no run folder"),
    "resume with settings": (["--resume=nowhere", "--epochs=3"], "leave out every other setting"),
    "resume with a recipe": (["sprint", "--resume=nowhere"], "leave out every other setting"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_one_line_and_exit_2(case: str, tmp_path: Path) -> None:
    """A bad argument gets one sentence with what is wrong, and nothing is written."""
    arguments, message = REFUSED[case]
    done = inside(tmp_path, "train", *arguments, code=2)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def _one_class(folder: Path) -> None:
    shutil.rmtree(folder / "bright")


def _no_image(folder: Path) -> None:
    for picture in (folder / "bright").iterdir():
        picture.unlink()


def _broken_image(folder: Path) -> None:
    (folder / "bright" / "0.png").write_bytes((folder / "bright" / "1.png").read_bytes()[:40])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(_one_class, "one"), (_no_image, "bright"), (_broken_image, "0.png")],
    ids=str,
)
def test_class_folders_that_cannot_be_learned_are_refused(
    spoil: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    """One class, a class without an image and a broken image are each named before training, and no run is left."""
    for label in ("dark", "bright"):
        fill(tmp_path / "mine" / label, 5)
    spoil(tmp_path / "mine")
    done = inside(tmp_path, "train", "classic-cnn", "--data=mine", *TINY, code=2)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_a_run_that_exists_is_not_overwritten(trained: Path, idx: Path) -> None:
    """The same name again is refused at once, and a finished run is not resumed."""
    before = (trained / "runs" / "tiny" / "model.onnx").read_bytes()
    assert "exists already" in inside(trained, "train", "sprint", f"--data={idx}", "--name=tiny", code=2).stderr
    assert "is finished" in inside(trained, "train", "--resume=runs/tiny", code=2).stderr
    assert (trained / "runs" / "tiny" / "model.onnx").read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_text_are_names(idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are not UTF-8 in the path of data and run are kept, and told as they can be (fault 24)."""
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    data, run = (os.fsdecode(name) for name in (b"data-\xe9", b"run-\xff"))
    (tmp_path / data).symlink_to(idx)
    inside(tmp_path, "train", "sprint", f"--data={data}", f"--name={run}", *TINY, "--epochs=1")
    inside(tmp_path, "evaluate", f"runs/{run}")
    inside(tmp_path, "compare", f"runs/{run}", "--out=figures")
    assert (tmp_path / "figures" / "confusion-run.png").is_file()
    told = modiste(tmp_path, "export", f"runs/{run}")
    assert told.stdout.startswith(r"run-\udcff.onnx: ")


def test_two_processes_do_not_train_one_run(idx: Path, tmp_path: Path) -> None:
    """The second is refused while the first is at work (fault 31)."""
    given = [
        "train",
        "classic-cnn",
        f"--data={idx}",
        "--name=a",
        "--epochs=500",
        *TINY,
        "--set=early_stopping.patience=0",
    ]
    first = start(tmp_path, *given)
    while not (tmp_path / "runs" / "a" / "metrics.csv").exists():
        assert first.poll() is None
        time.sleep(0.01)
    assert "runs/a is in use by another" in inside(tmp_path, "train", "--resume=runs/a", code=2).stderr
    first.terminate()
    first.communicate()
    assert first.returncode == 143


def test_a_loss_that_is_not_a_number_ends_with_3(idx: Path, tmp_path: Path) -> None:
    """NaN names the step and saves its images; before the first epoch is over there is none to keep (fault 29)."""
    given = [f"--data={idx}", "--name=a", "--epochs=5", *TINY, "--set=optimizer.lr=1e30"]
    done = inside(tmp_path, "train", "classic-cnn", *given, code=3)
    assert "not a number. Lower optimizer.lr" in done.stderr.splitlines()[-1]
    broken = json.loads((tmp_path / "runs" / "a" / "broken-step.json").read_text())
    assert len(broken["images"]) == 20
    assert not (tmp_path / "runs" / "a" / "model.onnx").exists()


def test_a_full_disk_ends_with_3_and_keeps_the_last_checkpoint(idx: Path, tmp_path: Path) -> None:
    """A refused write names the path and leaves the checkpoint; the run goes on once there is room (fault 28)."""
    inside(tmp_path, "train", "classic-cnn", f"--data={idx}", "--name=a", "--epochs=3", *TINY)
    run = tmp_path / "runs" / "a"
    (run / "finished").unlink()  # as if it had been stopped at its end
    before = (run / "last" / "checkpoint.safetensors").read_bytes()
    process = subprocess.run(
        [sys.executable, "-c", FULL_DISK, "train", "--resume=runs/a"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY)),
    )
    assert process.returncode == 4, process.stderr
    assert "metrics.csv cannot be written (File too large)" in process.stderr.splitlines()[-1]
    assert "Traceback" not in process.stderr
    assert list(tmp_path.rglob("*.partial")) == []
    assert (run / "last" / "checkpoint.safetensors").read_bytes() == before
    inside(tmp_path, "train", "--resume=runs/a")


FULL_DISK = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from modiste.cli.main import main; main()"


def test_a_disk_that_turns_read_only_is_told(idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When every write is refused, and tidying up after it as well, the path is named; exit code 4 (fault 28)."""

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    for name in ("write_text", "write_bytes", "unlink"):
        monkeypatch.setattr(Path, name, refuse)
    done = inside(tmp_path, "train", "classic-cnn", f"--data={idx}", "--name=a", *TINY, code=4)
    assert "recipe.json cannot be written (Read-only file system)" in done.stderr


def test_a_kill_between_checkpoint_and_log_loses_no_row(
    idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that died after its last checkpoint and before its log was written ends with the whole log (fault 26)."""
    given = ["train", "classic-cnn", f"--data={idx}", "--epochs=2", *TINY]
    with monkeypatch.context() as patch:
        write = metrics_file.write
        patch.setattr(metrics_file, "write", lambda path, rows: write(path, rows) if len(rows) < 2 else sys.exit(9))
        inside(tmp_path, *given, "--name=a", code=9)
    assert len(metrics_file.read(tmp_path / "runs" / "a" / "metrics.csv")) == 1
    inside(tmp_path, "train", "--resume=runs/a")
    assert len(metrics_file.read(tmp_path / "runs" / "a" / "metrics.csv")) == 2


def test_other_data_is_not_mixed_into_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose images were exchanged since it began is not resumed."""
    folder = write_idx_folder(tmp_path / "idx", train=100)
    with monkeypatch.context() as patch:
        patch.setattr(metrics_file, "write", lambda path, rows: sys.exit(9))
        inside(tmp_path, "train", "classic-cnn", "--data=idx", "--name=a", "--epochs=2", *TINY, code=9)
    write_idx_folder(folder, train=110)
    assert "has changed" in inside(tmp_path, "train", "--resume=runs/a", code=2).stderr


def test_a_network_that_cannot_be_exported_is_refused_before_training(idx: Path, tmp_path: Path) -> None:
    """What could not be written at the end is an error at the start, and leaves no run."""
    network = "--set=model=helpers.network:not_exportable"
    done = inside(tmp_path, "train", "classic-cnn", f"--data={idx}", network, code=2)
    assert "cannot be written as ONNX" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_settings_are_listed_with_their_reasons(tmp_path: Path) -> None:
    """`RECIPE --list` shows each key as it can be set, and a line on it."""
    shown = inside(tmp_path, "train", "classic-cnn", "--list").stdout
    assert "optimizer.lr=0.01\n    Learning rate" in shown
    assert all(line.strip() for line in shown.splitlines())


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_place_that_cannot_be_written_is_named(idx: Path, tmp_path: Path) -> None:
    """A run below a read-only folder ends with 4 and its path (fault 28)."""
    done = inside(tmp_path, "train", "classic-cnn", f"--data={idx}", "--name=/proc/modiste", *TINY, code=4)
    assert "/proc/modiste cannot be written" in done.stderr
