"""`modiste predict`, as a user types it."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from helpers.command import environment, modiste
from helpers.idx import write_idx_folder
from helpers.models import tiny_model
from helpers.pictures import saved
from helpers.service import SAMPLES
from modiste.cli.predict import predict
from modiste.errors import InputError, SettingError
from modiste.inference import bundled_files
from modiste.inference.predictions_file import PredictionsFile


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A tiny model file that tells dark from bright."""
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_model())
    return str(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a bright picture and, deeper, a dark one, and something else."""
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    for name, value in (("bright.png", 240), ("deeper/dark.png", 10)):
        (folder / name).write_bytes(saved(Image.fromarray(np.full((28, 28), value, np.uint8))))
    (folder / "notes.txt").write_text("no picture")
    return folder


def run(*arguments: object, stdin: bytes = b"") -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(predict, [str(argument) for argument in arguments], input=stdin)


def test_one_picture_is_one_line(model: str, pictures: Path) -> None:
    """A label and its probability in percent, and nothing else."""
    result = run(pictures / "bright.png", "--model", model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "bright 90.5 %\n"


def test_top_tells_more_labels(model: str, pictures: Path) -> None:
    """With --top 2 the two labels are on the line, best first."""
    result = run(pictures / "bright.png", "--model", model, "--top", 2)
    assert result.stdout == "bright 90.5 %, dark 9.5 %\n"


def test_folders_are_walked(model: str, pictures: Path) -> None:
    """Every picture below a folder has its line with its path, in order."""
    lines = run(pictures, "--model", model).stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        str(pictures / "bright.png"),
        str(pictures / "deeper/dark.png"),
    ]
    assert lines[1].endswith(": dark 91.3 %")


def test_what_is_passed_over_in_a_folder_is_said(model: str, pictures: Path) -> None:
    """Pictures in formats that are not read are named in one line, and the others have their labels."""
    for name in ("a.avif", "b.GIF"):
        (pictures / name).write_bytes(b"")
    result = run(pictures, "--model", model)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    (line,) = result.stderr.splitlines()
    assert f"{pictures / 'a.avif'} and 1 more are passed over" in line


def test_standard_input_is_a_picture(model: str, pictures: Path) -> None:
    """`-` reads one picture, and the record calls it that."""
    result = run("-", "--model", model, "--json", stdin=(pictures / "bright.png").read_bytes())
    (record,) = json.loads(result.stdout)
    assert list(record) == ["file", "label", "probability", "top", "model", "error"]
    assert (record["file"], record["label"], record["model"]) == ("-", "bright", "tiny")


@pytest.mark.parametrize(("good", "code"), [(True, 1), (False, 2)])
def test_broken_pictures_have_their_exit_code(good: bool, code: int, model: str, pictures: Path) -> None:
    """Some bad is 1 and the others are told; all bad is 2; each fault is a line on standard error."""
    broken = pictures / "broken.jpg"
    broken.write_bytes(b"not a picture")
    files = [broken, pictures / "missing.png"] + [pictures / "bright.png"] * good
    result = run(*files, "--model", model)
    assert result.exit_code == code
    assert result.stdout == f"{pictures / 'bright.png'}: bright 90.5 %\n" * good
    first, second = result.stderr.splitlines()
    assert "broken.jpg is of no known format" in first
    assert "missing.png does not exist" in second


def test_files_of_predictions(model: str, pictures: Path, tmp_path: Path) -> None:
    """--out writes the same records as CSV and as JSON lines."""
    for name in ("out.csv", "out.jsonl"):
        result = run(pictures, "--model", model, "--out", tmp_path / name)
        assert result.stdout == f"{tmp_path / name}: 2 pictures\n"
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == [record["label"] for record in records] == ["bright", "dark"]
    assert json.loads(rows[0]["top"]) == records[0]["top"]
    assert float(rows[0]["probability"]) == records[0]["probability"]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_a_file_of_predictions_is_gone_on_with(name: str, model: str, pictures: Path, tmp_path: Path) -> None:
    """What it holds is not predicted again, whatever a killed process left behind is, and new pictures are added."""
    out = tmp_path / name
    run(pictures, "--model", model, "--out", out)
    complete = out.read_bytes()
    first = complete.index(b"\n")
    cuts = (
        len(complete) - 5,
        first + 4,
        first,
        first - 5,
        complete.index(b"label"),
        complete.index(b"file") + 12,
        3,
        0,
    )
    for cut in cuts:
        out.write_bytes(complete[:cut])
        assert run(pictures, "--model", model, "--out", out).stdout.startswith(f"{out}: 2 pictures")
        assert out.read_bytes() == complete
    (pictures / "new.png").write_bytes((pictures / "bright.png").read_bytes())
    assert run(pictures, "--model", model, "--out", out).stdout == f"{out}: 3 pictures, 2 of them from before\n"
    assert out.read_bytes().startswith(complete)
    assert b"new.png" in out.read_bytes()[len(complete) :]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_what_could_not_be_used_is_tried_again(name: str, model: str, pictures: Path, tmp_path: Path) -> None:
    """Its row makes room for the new one, whether that is better or not; the others stay."""
    out, broken = tmp_path / name, pictures / "a.png"
    broken.write_bytes((pictures / "bright.png").read_bytes()[:60])
    for _ in range(2):
        result = run(pictures, "--model", model, "--out", out)
        assert (result.exit_code, out.read_text().count("a.png is truncated")) == (1, 1)
        assert "a.png is truncated" in result.stderr
    broken.write_bytes((pictures / "bright.png").read_bytes())
    result = run(pictures, "--model", model, "--out", out)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 3 pictures, 2 of them from before\n")
    assert "truncated" not in out.read_text()
    assert not list(tmp_path.glob("*.partial"))


def test_a_stop_keeps_what_is_told(model: str, pictures: Path, tmp_path: Path) -> None:
    """Ctrl-C ends it soon, with the rows so far, and the same command tells the rest."""
    with Image.open(pictures / "bright.png") as picture:
        content = saved(picture.resize((800, 800)))  # large, so that the signal comes before the end
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(500):
        (folder / f"{number}.png").write_bytes(content)
    out = tmp_path / "out.csv"
    command = [sys.executable, "-m", "modiste", "predict", str(folder), "--model", model, "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not out.exists() or out.stat().st_size < 1000:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    kept = len(out.read_text().splitlines()) - 1
    assert told == f"modiste: Stopped. {out} keeps {kept} pictures; the same command goes on.\n"
    assert 0 < kept < 500
    resumed = run(folder, "--model", model, "--out", out)
    assert resumed.stdout == f"{out}: 500 pictures, {kept} of them from before\n"


def test_two_commands_do_not_write_one_file(model: str, pictures: Path, tmp_path: Path) -> None:
    """The second one is told so, and the first one's rows stay single."""
    out = tmp_path / "out.csv"
    with PredictionsFile(out, ["run"]):
        refused = run(pictures, "--model", model, "--out", out)
    assert "is being written by another command" in str(refused.exception)
    assert len(out.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("out.csv", "a,b\n1,2\n", "no file of predictions"),
        ("out.csv", "file,label,probability,top,model,error\nx,bag,1,[],other,\n", "of the model other"),
        ("out.jsonl", "[1]\n", "no file of predictions"),
        ("out.jsonl", "not JSON\n", "no file of predictions"),
        ("out.csv", "one line of notes", "no file of predictions"),
        ("out.jsonl", "one line of notes", "no file of predictions"),
        ("out.jsonl", '{"file": "mine", "payload": 1}', "no file of predictions"),
        ("out.jsonl", '{"file": "mine", "label": 1}', "no file of predictions"),
        ("out.jsonl", '{"file": "mine", "pay', "no file of predictions"),
        ("out.jsonl", f'{{"file": "{"x" * 2**20}"}}\n', "no file of predictions"),
        ("out.csv", "file,label\nmine,", "no file of predictions"),
        ("out.jsonl", "[" * 100_000, "no file of predictions"),
    ],
    ids=lambda value: value[:40],
)
def test_a_file_of_something_else_is_left_alone(
    name: str, content: str, words: str, model: str, pictures: Path, tmp_path: Path
) -> None:
    """It is not appended to, and not replaced."""
    (tmp_path / name).write_text(content)
    refused = run(pictures, "--model", model, "--out", tmp_path / name)
    assert words in str(refused.exception)
    assert (tmp_path / name).read_text() == content


def test_a_place_that_cannot_be_written_is_told_first(model: str, pictures: Path, tmp_path: Path) -> None:
    """Before any picture is predicted."""
    refused = run(pictures, "--model", model, "--out", tmp_path / "none" / "out.csv")
    assert "does not exist" in str(refused.exception)
    assert refused.stderr == ""


def test_many_pictures_are_told_in_their_order(model: str, pictures: Path) -> None:
    """However many threads look at them; the same twice is told twice."""
    files = [pictures / "bright.png", pictures / "deeper" / "dark.png", pictures / "missing.png"] * 70
    told = json.loads(run(*files, "--model", model, "--json").stdout)
    assert [record["file"] for record in told] == list(map(str, files))
    assert [record["label"] for record in told] == ["bright", "dark", None] * 70


def test_a_name_that_is_no_text_is_written_anyway(model: str, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 in a file's name stop neither the label, the error nor the file (fault 24)."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (b"good\xff.png", b"bad\xff.png"):
        content = saved(Image.fromarray(np.zeros((28, 28), np.uint8)))
        (folder / os.fsdecode(name)).write_bytes(content[: 60 if b"bad" in name else None])
    out = tmp_path / os.fsdecode(b"out\xff.csv")
    done = run(folder, "--model", model, "--out", out)
    assert (done.exit_code, "out\ufffd.csv: 2 pictures; 1 could not be used" in done.stdout) == (1, True)
    bad, good = csv.DictReader(out.read_text(encoding="utf-8").splitlines())
    assert good["file"].endswith("good\ufffd.png")
    assert "bad\ufffd.png is truncated" in bad["error"]


def test_a_run_folder_is_a_model(pictures: Path, tmp_path: Path) -> None:
    """--model takes a run folder and calls the model by the run's name."""
    folder = tmp_path / "my-run"
    folder.mkdir()
    (folder / "recipe.json").write_text("{}")
    (folder / "model.onnx").write_bytes(tiny_model())
    (record,) = json.loads(run(pictures / "bright.png", "--model", folder, "--json").stdout)
    assert record["model"] == "my-run"


def test_what_cannot_be_done_is_said_first(model: str, pictures: Path, tmp_path: Path) -> None:
    """A folder that is no run, a folder without pictures and an unknown kind of output are errors."""
    assert isinstance(run(pictures, "--model", pictures).exception, InputError)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.avif").write_bytes(b"")
    refused = run(tmp_path / "empty", "--model", model)
    assert "holds no picture that is read: JPEG, PNG and WebP are read, and HEIC with" in str(refused.exception)
    assert refused.stderr == ""
    (tmp_path / "none").mkdir()
    assert "Give a folder" in str(run(tmp_path / "none", "--model", model).exception)
    assert isinstance(run(pictures, "--model", model, "--out", "labels.xlsx").exception, SettingError)
    assert isinstance(run(pictures, "--model", model, "--out", "labels.csv", "--json").exception, SettingError)


def test_nothing_below_a_folder_is_left_out_without_a_word(model: str, pictures: Path) -> None:
    """A link that leads nowhere, and a folder that cannot be opened, are pictures that could not be used."""
    (pictures / "gone.jpg").symlink_to(pictures / "nowhere.jpg")
    (pictures / "deeper").chmod(0)
    command = [sys.executable, "-m", "modiste", "predict", "--model", model, str(pictures)]
    if os.geteuid() == 0:  # root opens everything, unless it gives that up
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    (pictures / "deeper").chmod(0o755)
    assert (done.returncode, done.stdout) == (1, f"{pictures / 'bright.png'}: bright 90.5 %\n")
    assert done.stderr == (
        f"modiste: {pictures / 'deeper'} cannot be read (Permission denied). Check its permissions.\n"
        f"modiste: {pictures / 'gone.jpg'} does not exist. Give the path of a picture.\n"
    )


def test_links_and_long_names_stop_none_of_the_others(model: str, pictures: Path) -> None:
    """A link to itself, one to the folder above, one to another folder, and a name that no file can have."""
    aside = pictures.rename(pictures.with_name("aside"))
    pictures.mkdir()
    (pictures / "all").symlink_to(aside)
    (pictures / "up").symlink_to(pictures)
    (pictures / "self.jpg").symlink_to("self.jpg")
    done = run(pictures, "x" * 300, "--model", model)
    assert done.exit_code == 1
    assert [line.partition(": ")[2] for line in done.stdout.splitlines()] == ["bright 90.5 %", "dark 91.3 %"]
    assert [("self.jpg" in line, "too long" in line) for line in done.stderr.splitlines()[-2:]] == [
        (True, False),
        (False, True),
    ]


def test_a_folder_without_pictures_stops_none_of_the_others(model: str, pictures: Path, tmp_path: Path) -> None:
    """It is an error of its own beside them."""
    (tmp_path / "empty").mkdir()
    done = run(tmp_path / "empty", pictures / "bright.png", "--model", model)
    assert (done.exit_code, done.stdout) == (1, f"{pictures / 'bright.png'}: bright 90.5 %\n")
    assert "empty is no file" in done.stderr


def test_an_idx_file_is_all_its_images(tmp_path: Path) -> None:
    """Each has the name of the file and its number, and gets the model of Fashion-MNIST; one image can be drawn."""
    folder = write_idx_folder(tmp_path / "idx", train=5)
    file = folder / "train-images-idx3-ubyte.gz"
    told = json.loads(run(file, "--json").stdout)
    assert [each["file"] for each in told] == [f"{file}#{number}" for number in range(5)]
    assert {each["model"] for each in told} == {"fashion-mnist"}
    refused = run(file, "--show", tmp_path / "stages.png")
    assert "--show draws one picture" in str(refused.exception)
    file.write_bytes(file.read_bytes()[:-20])
    assert isinstance(run(file).exception, InputError)


def test_each_picture_gets_the_model_that_fits(model: str, pictures: Path, tmp_path: Path) -> None:
    """One that is named answers for all; a file of predictions goes on only with the same."""
    shutil.copy(SAMPLES / "dress.png", pictures / "dress.png")
    shutil.copy(SAMPLES / "coat.jpg", pictures / "coat.jpg")
    told = {Path(each["file"]).name: each["model"] for each in json.loads(run(pictures, "--json").stdout)}
    assert told["dress.png"] == bundled_files.NAMES[0]
    assert told["coat.jpg"] == bundled_files.NAMES[-1] != bundled_files.NAMES[0]
    named = json.loads(run(pictures, "--model=fashion-mnist", "--json").stdout)
    assert {each["model"] for each in named} == {"fashion-mnist"}
    out = tmp_path / "out.csv"
    run(pictures, "--out", out)
    assert run(pictures, "--out", out).exit_code == 0
    assert isinstance(run(pictures, "--model", model, "--out", out).exception, InputError)


def test_the_command_as_a_process(model: str, pictures: Path) -> None:
    """The real command prints a line, and a missing model is one line with exit code 2 and no traceback."""
    command = [sys.executable, "-m", "modiste", "predict", str(pictures / "bright.png"), "--model"]
    done = subprocess.run([*command, model], capture_output=True, text=True, check=True)
    assert done.stdout == "bright 90.5 %\n"
    failed = subprocess.run([*command, model + "x"], capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1
    assert "does not exist" in failed.stderr


def test_closed_standard_input_is_one_line(model: str) -> None:
    """`predict - <&-` says that there is no input."""
    command = f"exec {sys.executable} -m modiste predict --model {model} - <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("modiste: Standard input is closed.")


def test_prediction_leaves_nothing_in_the_home_of_its_user(model: str, pictures: Path, tmp_path: Path) -> None:
    """No telemetry, no device id, no cache: the runtime would leave them."""
    home = tmp_path / "home"
    home.mkdir()
    variables = {key: value for key, value in environment().items() if not key.startswith(("ORT_", "XDG_"))}
    command = [sys.executable, "-m", "modiste", "predict", str(pictures / "bright.png"), "--model", model]
    subprocess.run(command, env=variables | {"HOME": str(home)}, capture_output=True, check=True)
    assert list(home.iterdir()) == []


def test_a_partial_failure_keeps_its_exit_code(model: str, pictures: Path) -> None:
    """The exit code 1 gets through the command line's own handling of errors."""
    modiste(pictures, "predict", "bright.png", "nowhere.png", "--model", model, code=1)
