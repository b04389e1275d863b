"""The command `modiste train`: its files, options and errors."""

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

from helpers.command import OWN, TINY, environment, modiste, run_in_process, start
from helpers.idx import write_idx_folder
from helpers.photos import fill
from helpers.runs import rows
from modiste.errors import OutputError
from modiste.inference import model_file
from modiste.metrics import calibration
from modiste.recipes.named import NAMED
from modiste.runs import metrics_file
from modiste.training import tensorboard

RUN_FILES = {
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
EVALUATION_FILES = {
    "scores.json", "probabilities.npz", "confusion.png", "mistakes.png", "mistakes.csv", "mistakes.html"
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(idx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a process trained the run `tiny`; read-only."""
    folder = tmp_path_factory.mktemp("trained")
    modiste(folder, "train", "classic-cnn", f"--data={idx}", "--name=tiny", "--epochs=12", *TINY, *OWN)
    return folder


@pytest.fixture(scope="module")
def teachers(idx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small runs as the teachers of the recipes that have some; read-only."""
    folder = tmp_path_factory.mktemp("teachers")
    for fold in (0, 1):
        arguments = [f"--data={idx}", "--epochs=1", *TINY, f"--fold={fold}", f"--name=teachers/fold-{fold}"]
        run_in_process(folder, "train", "marathon-teacher", *arguments)
    return folder


def files(folder: Path) -> set[str]:
    """Return the relative paths of the files in a run."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


EARLY_STOPPING = ("--set=data.val_fraction=0.2", "--set=early_stopping.patience=1", "--set=optimizer.ema_decay=0.9")
GRAY = [name for name, recipe in NAMED.items() if recipe().data.channels == 1]
"""The recipes of Fashion-MNIST; the others take photos."""


def write_photos(folder: Path) -> Path:
    """Write ten photos for each of two classes, without a test split; return their folder."""
    for index, label in enumerate(("bag", "coat")):
        red = 200 * index
        fill(folder / "photos" / label, 10, lambda n, red=red: Image.new("RGB", (40, 50), (red, 20 * n, 90)), ".jpg")
    return folder / "photos"


def copy_teachers(folder: Path, name: str, teachers: Path) -> None:
    """Copy the teachers of that recipe, if it has any, to their relative paths."""
    for path in NAMED[name]().distillation.teachers:
        shutil.copytree(teachers / path, folder / path)


def test_small_classes_and_imbalance_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Before the first step, in a line each."""
    photos = write_photos(tmp_path)
    fill(photos / "coat", 120, lambda n: Image.new("RGB", (30, 30), (n, 90, 90)))
    run_in_process(tmp_path, "train", "classic-cnn", f"--data={photos}", "--epochs=1", *TINY, *OWN)
    warnings = [record.getMessage() for record in caplog.records if record.name.startswith("modiste")]
    assert [warning.partition(":")[2].partition(":")[0].strip() for warning in warnings] == [
        "1 of 2 classes have fewer than 20 training images (bag 8)",
        "coat has 104 training images, bag 8",
    ]


@pytest.mark.slow
def test_a_tiny_network_is_trained_evaluated_and_used(trained: Path, tmp_path: Path) -> None:
    """`train` and `evaluate` write exactly the documented files, and the network has learned its task."""
    run = tmp_path / "runs" / "tiny"
    shutil.copytree(trained / "runs" / "tiny", run)
    assert files(run) == RUN_FILES
    assert b".py" not in (run / "model.onnx").read_bytes()  # no stack trace, which would have paths of this machine
    printed = json.loads(modiste(tmp_path, "evaluate", "runs/tiny", "--json").stdout)
    assert printed["n"] == 40
    assert printed["accuracy"] > 0.5
    assert files(run) == RUN_FILES | EVALUATION_FILES
    Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save(tmp_path / "photo.png")
    (prediction,) = json.loads(modiste(tmp_path, "predict", "--model=runs/tiny", "--json", "photo.png").stdout)
    assert prediction["model"] == "tiny"
    assert 0 < prediction["probability"] <= 1


@pytest.mark.slow
def test_a_model_is_calibrated_on_its_validation_images(
    idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temperature is in the model file, the model card and the scores; with too few images there is none."""
    arguments = ["train", "sprint", f"--data={idx}", *TINY, "--set=data.val_fraction=0.2", "--epochs=1"]
    run_in_process(tmp_path, *arguments, "--name=a")
    assert "too few images were held out" in (tmp_path / "runs" / "a" / "README.md").read_text()
    monkeypatch.setattr(calibration, "MIN_IMAGES", 10)
    run_in_process(tmp_path, *arguments, "--name=b")
    model = model_file.load(tmp_path / "runs" / "b" / "model.onnx")
    assert model.calibration.temperature != 1
    assert f"temperature {model.calibration.temperature:g}" in (tmp_path / "runs" / "b" / "README.md").read_text()
    output = run_in_process(tmp_path, "evaluate", "runs/b").stdout
    scores = json.loads((tmp_path / "runs" / "b" / "scores.json").read_text())["test"]
    assert f"({scores['ece_calibrated']:.4f} after temperature scaling)" in output
    assert scores["ece_calibrated"] != scores["ece"]


def test_a_folder_of_class_folders_trains(tmp_path: Path) -> None:
    """One folder per class gives a model with these classes."""
    for label, value in (("dark", 30), ("bright", 220)):
        fill(tmp_path / "photos" / label, 15, lambda number, value=value: Image.new("L", (28, 28), value + number))
    run_in_process(tmp_path, "train", "classic-cnn", "--data=photos", "--name=photos", "--epochs=2", *TINY)
    printed = json.loads(run_in_process(tmp_path, "evaluate", "runs/photos", "--split=validation", "--json").stdout)
    assert printed["n"] == 6
    (prediction,) = json.loads(
        run_in_process(tmp_path, "predict", "--model=runs/photos", "--json", "photos/dark/0.png").stdout
    )
    assert prediction["label"] in ("bright", "dark")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_every_named_recipe_trains_an_epoch(name: str, idx: Path, teachers: Path, tmp_path: Path) -> None:
    """Each recipe, with its own network and method, trains an epoch and exports its model."""
    small = ["--set=data.image_size=32", *(["--set=augmentation.train_size=24"] if name == "photo" else [])]
    data = [f"--data={idx}"] if name in GRAY else [f"--data={write_photos(tmp_path)}", *small]
    copy_teachers(tmp_path, name, teachers)
    run_in_process(tmp_path, "train", name, *data, "--epochs=1", "--set=data.max_train_images=64", "--name=run")
    assert files(tmp_path / "runs" / "run") == RUN_FILES


@pytest.mark.slow
def test_a_recipe_json_of_a_run_trains_to_the_same_weights(idx: Path, tmp_path: Path) -> None:
    """recipe.json is a valid input of `train`; with one thread the weights are bit-identical."""
    run_in_process(tmp_path, "train", "sprint", f"--data={idx}", "--name=a", "--epochs=1", *TINY)
    run_in_process(tmp_path, "train", "runs/a/recipe.json", "--name=b")
    weights = [(tmp_path / "runs" / name / "model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_tensorboard_events_are_written_when_asked_for(idx: Path, tmp_path: Path) -> None:
    """The metrics of each epoch are events with the names of the columns of metrics.csv."""
    arguments = [f"--data={idx}", "--name=a", "--epochs=2", "--tensorboard", *TINY]
    run_in_process(tmp_path, "train", "classic-cnn", *arguments)
    script = (
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as Events\n"
        "events = Events('runs/a/events'); events.Reload()\n"
        "print([event.step for event in events.Scalars('val_loss')], len(events.Tags()['scalars']))"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[1, 2] 6"


def test_events_that_cannot_be_written_are_an_output_error(tmp_path: Path) -> None:
    """The error names their folder (fault 28)."""
    (tmp_path / "events").write_bytes(b"")
    with pytest.raises(OutputError, match="events cannot be written"):
        tensorboard.append(tmp_path / "events", rows([0.5])[0])


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), EARLY_STOPPING], ids=["unchanged", "early stopping, EMA"])
@pytest.mark.parametrize("name", GRAY)
def test_training_never_opens_the_test_split(
    name: str, more: tuple[str, ...], idx: Path, teachers: Path, tmp_path: Path
) -> None:
    """Recipes, early stopping and EMA work when the test files are damaged; only `evaluate` opens them."""
    tests = list(shutil.copytree(idx, tmp_path / "idx").glob("t10k*"))
    for file in tests:
        file.write_bytes(b"damaged")
    copy_teachers(tmp_path, name, teachers)
    run_in_process(tmp_path, "train", name, "--data=idx", "--name=a", "--epochs=4", *TINY, *more)
    assert any(file.name in run_in_process(tmp_path, "evaluate", "runs/a", code=2).stderr for file in tests)


def test_training_needs_no_test_files(tmp_path: Path) -> None:
    """The error of `evaluate` suggests the validation images."""
    folder = write_idx_folder(tmp_path / "idx", train=100)
    for file in folder.glob("t10k*"):
        file.unlink()
    run_in_process(tmp_path, "train", "classic-cnn", "--data=idx", "--name=a", "--epochs=1", *TINY)
    assert "--split validation" in run_in_process(tmp_path, "evaluate", "runs/a", code=2).stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "splits", "next_step"),
    [
        ("classic-cnn", [""], "--split validation"),
        ("sprint", [""], "--set data.val_fraction=0.2 --name NEW"),
        ("classic-cnn", ["train", "test"], "modiste evaluate runs/a"),
        ("sprint", ["train", "test"], "modiste evaluate runs/a"),
    ],
)
def test_the_printed_next_step_works(recipe: str, splits: list[str], next_step: str, tmp_path: Path) -> None:
    """The command that `train` prints at its end runs, for data with and without test images."""
    for split in splits:
        for label, value in (("dark", 30), ("bright", 220)):
            fill(
                tmp_path / "data" / split / label,
                15,
                lambda index, value=value + 20 * (split == "test"): Image.new("L", (28, 28), value + index),
            )
    last_line = run_in_process(
        tmp_path, "train", recipe, "--data=data", "--name=a", "--epochs=1", *TINY
    ).stdout.splitlines()[-1]
    assert last_line.endswith(next_step)
    run_in_process(tmp_path, *last_line.rpartition(": modiste ")[2].split())


@pytest.mark.slow
@pytest.mark.parametrize(("patience", "reason"), [(1, "(the epoch was chosen by its val_accuracy)"), (0, None)])
def test_the_validation_accuracy_of_a_chosen_epoch_is_marked(
    patience: int, reason: str | None, idx: Path, tmp_path: Path
) -> None:
    """With early stopping it is the accuracy of the best epoch, otherwise of the last one."""
    arguments = [f"--data={idx}", "--name=a", "--epochs=2", f"--set=early_stopping.patience={patience}", *TINY]
    output = run_in_process(tmp_path, "train", "classic-cnn", *arguments).stdout
    assert ("the epoch was chosen" in output) == bool(reason)
    assert (reason or "validation accuracy") in output


def test_list_has_every_recipe(tmp_path: Path) -> None:
    """`--list` prints a line for each named recipe."""
    output = run_in_process(tmp_path, "train", "--list").stdout
    assert all(name in output for name in NAMED)
    records = json.loads(run_in_process(tmp_path, "train", "--list", "--json").stdout)
    assert [each["recipe"] for each in records] == [*NAMED]


def test_the_settings_of_a_recipe_are_listed_as_json(tmp_path: Path) -> None:
    """`RECIPE --list --json` prints one object with dotted keys."""
    printed = json.loads(run_in_process(tmp_path, "train", "classic-cnn", "--list", "--json").stdout)
    assert (printed["optimizer.lr"], printed["data.image_size"]) == (0.01, 28)


def test_settings_are_listed_with_their_changes(tmp_path: Path) -> None:
    """Options change the listed values; without a recipe they are an error."""
    arguments = ("--list", "--epochs=3", "--set=model.width=7")
    printed = json.loads(run_in_process(tmp_path, "train", "sprint", "--json", *arguments).stdout)
    assert (printed["schedule.epochs"], printed["model.width"]) == (3, 7)
    assert "Name one" in run_in_process(tmp_path, "train", *arguments, code=2).stderr


NOT_SMOOTHED = ("--set=optimizer.label_smoothing=0",)
ERRORS: dict[str, tuple[list[str], str]] = {
    "no recipe": ([], "No recipe is named"),
    "unknown recipe": (["clasic-cnn"], "Did you mean 'classic-cnn'"),
    "unknown key": (["sprint", "--set=optimizer.rate=1"], "There is no setting"),
    "bad value": (["sprint", "--set=optimizer.lr=fast"], "must be a number"),
    "bad network": (["sprint", "--set=model=rensnet18"], "There is no network"),
    "no folder": (["sprint", "--data=nowhere"], "nowhere"),
    "a section as a setting": (
        ["sprint", "--set=data=photos"],
        "Name a folder with --data, or set one of data.source, ",
    ),
    "former name": (["sprint", "--set=data.limit=300"], "data.limit was renamed to data.max_train_images"),
    "no device": (["sprint", "--device=cuda:99"], "There is no device"),
    "another kind of device": (["sprint", "--device=meta"], "There is no device"),
    "a name too long": (["sprint", f"--data={'x' * 300}"], "x" * 300),
    "no run": (["--resume=nowhere"], "does not exist"),
    "resume with settings": (["--resume=nowhere", "--seed=3"], "Leave out --seed: only --data"),
    "train on with settings": (["--resume=nowhere", "--epochs=3", "--set=optimizer.lr=1"], "Leave out --set: only"),
    "train on what is no run": (["--resume=nowhere", "--epochs=3"], "does not exist"),
    "loss that fails": (["sprint", "--set=loss=helpers.factories:fails", *NOT_SMOOTHED], "factories.py, line "),
    "schedule that fails": (["sprint", "--set=schedule=helpers.factories:fails"], "factories.py, line "),
    "optimizer that fails": (["sprint", "--set=optimizer=helpers.factories:fails"], "factories.py, line "),
    "network that fails": (["sprint", "--set=model=helpers.factories:fails"], "factories.py, line "),
    "no such network of timm": (["sprint", "--set=model=timm:resnet19"], "Did you mean 'resnet18'"),
    "resume with a recipe": (["sprint", "--resume=nowhere", "--mlflow"], "Leave out RECIPE, --mlflow: only"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_bad_argument_is_one_line_and_exit_2(case: str, tmp_path: Path) -> None:
    """Nothing is written."""
    arguments, message = ERRORS[case]
    finished = run_in_process(tmp_path, "train", *arguments, code=2)
    assert message in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_own_code_that_fails_in_training_is_one_line_and_exit_2(idx: Path, tmp_path: Path) -> None:
    """With its file and line; the run can be resumed when it is corrected."""
    arguments = [f"--data={idx}", "--name=a", "--epochs=1", *TINY, *OWN]
    optimizer = "--set=optimizer.name=helpers.factories:FailsLate"
    finished = run_in_process(tmp_path, "train", "sprint", *arguments, optimizer, code=2)
    message = finished.stderr.splitlines()[-1]
    assert "RuntimeError: no third step (" in message
    assert "factories.py, line " in message
    assert message.endswith("resume with: modiste train --resume runs/a")


@pytest.mark.slow
@pytest.mark.parametrize("network", ["timm:resnet18", "torchvision:mobilenet_v3_small"])
def test_a_network_of_a_library_trains_with_adamw_and_cosine(network: str, idx: Path, tmp_path: Path) -> None:
    """With class weights; its model is exported and verified as any other."""
    settings = ("optimizer.name=adamw", "optimizer.lr=0.001", "schedule.name=cosine", "loss.class_weights=balanced")
    arguments = [f"--data={idx}", "--name=a", "--epochs=1", *TINY, f"--set=model={network}"]
    run_in_process(tmp_path, "train", "sprint", *arguments, *(f"--set={setting}" for setting in settings))
    assert files(tmp_path / "runs" / "a") == RUN_FILES


def _remove_class(folder: Path) -> None:
    shutil.rmtree(folder / "bright")


def _remove_images(folder: Path) -> None:
    for photo in (folder / "bright").iterdir():
        photo.unlink()


def _truncate_image(folder: Path) -> None:
    (folder / "bright" / "0.png").write_bytes((folder / "bright" / "1.png").read_bytes()[:40])


@pytest.mark.parametrize(
    ("damage", "message"),
    [(_remove_class, "one"), (_remove_images, "bright"), (_truncate_image, "0.png")],
)
def test_unusable_class_folders_are_refused_before_training(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    """A single class, a class without images and a truncated image; no run is created."""
    for label in ("dark", "bright"):
        fill(tmp_path / "photos" / label, 5)
    damage(tmp_path / "photos")
    finished = run_in_process(tmp_path, "train", "classic-cnn", "--data=photos", *TINY, code=2)
    assert message in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_a_run_that_exists_is_not_overwritten(trained: Path, idx: Path) -> None:
    """A second run of the same name is refused, and a finished run is not resumed."""
    before = (trained / "runs" / "tiny" / "model.onnx").read_bytes()
    assert "exists already" in run_in_process(trained, "train", "sprint", f"--data={idx}", "--name=tiny", code=2).stderr
    assert "is finished" in run_in_process(trained, "train", "--resume=runs/tiny", code=2).stderr
    assert (trained / "runs" / "tiny" / "model.onnx").read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_file_names_that_are_not_text_work(idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes in paths that are not UTF-8 are unchanged in file names, and escaped in the output (fault 24)."""
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    data, run = (os.fsdecode(name) for name in (b"data-\xe9", b"run-\xff"))
    (tmp_path / data).symlink_to(idx)
    run_in_process(tmp_path, "train", "sprint", f"--data={data}", f"--name={run}", *TINY, "--epochs=1")
    run_in_process(tmp_path, "evaluate", f"runs/{run}")
    run_in_process(tmp_path, "compare", f"runs/{run}", "--out=figures")
    assert (tmp_path / "figures" / "confusion-run.png").is_file()
    exported = modiste(tmp_path, "export", f"runs/{run}")
    assert exported.stdout.startswith(r"run-\udcff.onnx: ")


@pytest.mark.slow
def test_fault_31_two_processes_do_not_train_one_run(idx: Path, tmp_path: Path) -> None:
    """The second one gets an error while the first one trains (fault 31)."""
    arguments = [
        "train",
        "classic-cnn",
        f"--data={idx}",
        "--name=a",
        "--epochs=500",
        *TINY,
        "--set=early_stopping.patience=0",
    ]
    first = start(tmp_path, *arguments)
    while not (tmp_path / "runs" / "a" / "metrics.csv").exists():
        assert first.poll() is None
        time.sleep(0.01)
    assert "runs/a is in use by another" in run_in_process(tmp_path, "train", "--resume=runs/a", code=2).stderr
    first.terminate()
    first.communicate()
    assert first.returncode == 143


def test_fault_29_a_loss_that_is_not_a_number_ends_with_3(idx: Path, tmp_path: Path) -> None:
    """broken-step.json has the images of the step; after NaN in the first epoch there is no model (fault 29)."""
    arguments = [f"--data={idx}", "--name=a", "--epochs=5", *TINY, "--set=optimizer.lr=1e30"]
    finished = run_in_process(tmp_path, "train", "classic-cnn", *arguments, code=3)
    assert "not a number. Lower optimizer.lr" in finished.stderr.splitlines()[-1]
    broken = json.loads((tmp_path / "runs" / "a" / "broken-step.json").read_text())
    assert len(broken["images"]) == 20
    assert not (tmp_path / "runs" / "a" / "model.onnx").exists()


@pytest.mark.slow
def test_fault_28_a_full_disk_ends_with_4_and_keeps_the_last_checkpoint(idx: Path, tmp_path: Path) -> None:
    """The error names the path, and the run can be resumed when there is space again (fault 28)."""
    run_in_process(tmp_path, "train", "classic-cnn", f"--data={idx}", "--name=a", "--epochs=3", *TINY)
    run = tmp_path / "runs" / "a"
    (run / "finished").unlink()  # as after a stop just before the end
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
    run_in_process(tmp_path, "train", "--resume=runs/a")


FULL_DISK = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from modiste.cli.main import main; main()"


def test_fault_28_a_read_only_disk_is_an_output_error(
    idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when temporary files cannot be removed; the error names the path (fault 28)."""

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    for name in ("write_text", "write_bytes", "unlink"):
        monkeypatch.setattr(Path, name, refuse)
    finished = run_in_process(tmp_path, "train", "classic-cnn", f"--data={idx}", "--name=a", *TINY, code=4)
    assert "recipe.json cannot be written (Read-only file system)" in finished.stderr


def test_a_kill_between_checkpoint_and_log_loses_no_row(
    idx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed before metrics.csv is written has all rows after it is resumed (fault 26)."""
    arguments = ["train", "classic-cnn", f"--data={idx}", "--epochs=2", *TINY]
    with monkeypatch.context() as patch:
        write = metrics_file.write
        patch.setattr(metrics_file, "write", lambda path, rows: write(path, rows) if len(rows) < 2 else sys.exit(9))
        run_in_process(tmp_path, *arguments, "--name=a", code=9)
    assert len(metrics_file.read(tmp_path / "runs" / "a" / "metrics.csv")) == 1
    run_in_process(tmp_path, "train", "--resume=runs/a")
    assert len(metrics_file.read(tmp_path / "runs" / "a" / "metrics.csv")) == 2


def test_a_run_is_not_resumed_on_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The images were replaced after the start of the run."""
    folder = write_idx_folder(tmp_path / "idx", train=100)
    with monkeypatch.context() as patch:
        patch.setattr(metrics_file, "write", lambda path, rows: sys.exit(9))
        run_in_process(tmp_path, "train", "classic-cnn", "--data=idx", "--name=a", "--epochs=2", *TINY, code=9)
    write_idx_folder(folder, train=110)
    assert "has changed" in run_in_process(tmp_path, "train", "--resume=runs/a", code=2).stderr


def test_fault_43_a_run_is_resumed_on_moved_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--resume RUN --data NEW` accepts the same files in another folder, and updates the recipe."""
    folder = write_idx_folder(tmp_path / "idx", train=100)
    with monkeypatch.context() as patch:
        patch.setattr(metrics_file, "write", lambda path, rows: sys.exit(9))
        run_in_process(tmp_path, "train", "classic-cnn", "--data=idx", "--name=a", "--epochs=2", *TINY, code=9)
    folder.rename(tmp_path / "moved")
    run_in_process(tmp_path, "train", "--resume=runs/a", "--data=moved")
    assert json.loads((tmp_path / "runs" / "a" / "recipe.json").read_text())["data"]["source"].endswith("moved")


def test_a_network_that_cannot_be_exported_is_refused_before_training(idx: Path, tmp_path: Path) -> None:
    """No run is created."""
    network = "--set=model=helpers.network:not_exportable"
    finished = run_in_process(tmp_path, "train", "classic-cnn", f"--data={idx}", network, code=2)
    assert "cannot be written as ONNX" in finished.stderr
    assert list(tmp_path.iterdir()) == []


def test_settings_are_listed_with_explanations(tmp_path: Path) -> None:
    """`RECIPE --list` prints each setting as key=value, with an explanation."""
    output = run_in_process(tmp_path, "train", "classic-cnn", "--list").stdout
    assert "optimizer.lr=0.01\n    Learning rate" in output
    assert "optimizer.nesterov=true\n" in output
    assert all(line.strip() for line in output.splitlines())


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_folder_that_cannot_be_written_exits_with_4(idx: Path, tmp_path: Path) -> None:
    """The error names its path (fault 28)."""
    finished = run_in_process(tmp_path, "train", "classic-cnn", f"--data={idx}", "--name=/proc/modiste", *TINY, code=4)
    assert "/proc/modiste cannot be written" in finished.stderr
