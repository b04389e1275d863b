"""The command `modiste predict`."""

import contextlib
import csv
import json
import os
import re
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
from helpers.photos import saved
from helpers.service import SAMPLES
from modiste.cli.predict import _format_line, predict
from modiste.errors import InputError, SettingError
from modiste.inference import bundled_files, prediction_csv
from modiste.inference.prediction import Prediction
from modiste.inference.predictions_file import open_predictions


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A tiny model file that distinguishes dark from bright."""
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_model())
    return str(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a bright photo, a dark one in a subfolder, and a file that is not a photo."""
    folder = tmp_path / "photos"
    (folder / "deeper").mkdir(parents=True)
    for name, value in (("bright.png", 240), ("deeper/dark.png", 10)):
        (folder / name).write_bytes(saved(Image.fromarray(np.full((28, 28), value, np.uint8))))
    (folder / "notes.txt").write_text("not a photo")
    return folder


def run(*arguments: object, stdin: bytes = b"") -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(predict, [str(argument) for argument in arguments], input=stdin)


@pytest.mark.parametrize(
    ("close_labels", "top", "expected"),
    [
        ((("Sneaker", 0.5), ("Sandal", 0.3)), 3, "shoe: sneaker or sandal 80.0 %, Bag 20.0 %"),
        ((("Sneaker", 0.5), ("Sandal", 0.3)), 1, "shoe: sneaker or sandal 80.0 %"),
        ((("Sneaker", 0.5), ("mule", 0.1), ("Sandal", 0.3)), 1, "Sneaker, mule or Sandal 90.0 %"),
        ((), 3, "Sneaker 50.0 %, Sandal 30.0 %, Bag 20.0 %"),
    ],
)
def test_close_kinds_of_shoe_are_one_entry(
    close_labels: tuple[tuple[str, float], ...], top: int, expected: str
) -> None:
    """In the order of their probabilities, with the sum of them; a group with another class has no name."""
    classes = (("Sneaker", 0.5), ("Sandal", 0.3), ("Bag", 0.2))[:top]
    assert _format_line(Prediction("", "Sneaker", 0.5, classes, "photo", close_labels=close_labels)) == expected


def test_one_photo_is_one_line(model: str, photos: Path) -> None:
    """The class and its probability in percent, and nothing else."""
    result = run(photos / "bright.png", "--model", model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "bright 90.5 %\n"


def test_top_prints_more_classes(model: str, photos: Path) -> None:
    """With --top 2 two classes are on the line, best first."""
    result = run(photos / "bright.png", "--model", model, "--top", 2)
    assert result.stdout == "bright 90.5 %, dark 9.5 %\n"


def test_folders_are_searched_recursively(model: str, photos: Path) -> None:
    """Every photo below a folder has a line with its path, in order of the paths."""
    lines = run(photos, "--model", model).stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        str(photos / "bright.png"),
        str(photos / "deeper/dark.png"),
    ]
    assert lines[1].endswith(": dark 91.3 %")


def test_skipped_files_of_a_folder_are_reported(model: str, photos: Path) -> None:
    """Photos in formats that are not read, in one line on standard error."""
    for name in ("a.avif", "b.GIF"):
        (photos / name).write_bytes(b"")
    result = run(photos, "--model", model)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    (line,) = result.stderr.splitlines()
    assert f"{photos / 'a.avif'} and 1 more are skipped" in line


def test_standard_input_is_a_photo(model: str, photos: Path) -> None:
    """`-` reads one photo; its `file` is `-`."""
    result = run("-", "--model", model, "--json", stdin=(photos / "bright.png").read_bytes())
    (record,) = json.loads(result.stdout)
    assert list(record) == ["file", "label", "probability", "top", "model", "error"]
    assert (record["file"], record["label"], record["model"]) == ("-", "bright", "tiny")


@pytest.mark.parametrize(("has_valid", "code"), [(True, 1), (False, 2)])
def test_the_exit_code_counts_broken_photos(has_valid: bool, code: int, model: str, photos: Path) -> None:
    """1 if some are broken, 2 if all are; each error is a line on standard error."""
    broken = photos / "broken.jpg"
    broken.write_bytes(b"not a photo")
    files = [broken, photos / "missing.png"] + [photos / "bright.png"] * has_valid
    result = run(*files, "--model", model)
    assert result.exit_code == code
    assert result.stdout == f"{photos / 'bright.png'}: bright 90.5 %\n" * has_valid
    first, second = result.stderr.splitlines()
    assert "broken.jpg is of no known photo format" in first
    assert "missing.png does not exist" in second


def test_files_of_predictions(model: str, photos: Path, tmp_path: Path) -> None:
    """--out writes the same records as CSV, with a column for each class and probability, and as JSON lines."""
    for name in ("out.csv", "out.jsonl"):
        result = run(photos, "--model", model, "--out", tmp_path / name)
        assert result.stdout == f"{tmp_path / name}: 2 photos\n"
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "label", "probability", "label_1", "probability_1", "model", "error"]
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == [record["label"] for record in records] == ["bright", "dark"]
    assert rows[0]["label_1"] == records[0]["top"][0]["label"]
    assert float(rows[0]["probability"]) == pytest.approx(records[0]["probability"], abs=1e-6)


def test_csv_is_printed_and_written_for_spreadsheets(model: str, photos: Path, tmp_path: Path) -> None:
    """Names that look like formulas are text, the byte order mark is there on request, and a file is still resumed."""
    names = ["=1+1.png", "+1.png", "-1.png", "@SUM(A1).png", "'=x.png", 'käse, "blau".png']
    for name in names:
        (photos / name).write_bytes((photos / "bright.png").read_bytes())
    with contextlib.chdir(photos):
        options = ("--model", model, "--top", 2)
        printed = run("--csv", "--bom", *options, "--", *names)
        written = run("--out", tmp_path / "out.csv", "--bom", *options, "--", *names)
        again = run("--out", tmp_path / "out.csv", *options, "--", *names)
    assert (printed.exit_code, written.stdout) == (0, f"{tmp_path / 'out.csv'}: 6 photos\n")
    assert again.stdout == f"{tmp_path / 'out.csv'}: 6 photos, 6 of them from before\n"
    assert printed.stdout_bytes == b"\xef\xbb\xbf" + (tmp_path / "out.csv").read_bytes()
    rows = list(csv.reader(printed.stdout.removeprefix("\ufeff").splitlines()))
    assert rows[0][3:] == ["label_1", "probability_1", "label_2", "probability_2", "model", "error"]
    assert [row[0] for row in rows[1:]] == ["'=1+1.png", "'+1.png", "'-1.png", "'@SUM(A1).png", "''=x.png", names[5]]
    assert [row[3] for row in rows[1:]] == ["bright"] * 6


@pytest.mark.parametrize("options", [("--csv", "--json"), ("--out", "a.csv", "--csv"), ("--bom",), ("--bom", "--json")])
def test_output_options_that_do_not_fit_are_refused(options: tuple[str, ...], model: str, photos: Path) -> None:
    """The message says which to leave out."""
    assert isinstance(run(photos / "bright.png", "--model", model, *options).exception, SettingError)


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_a_file_of_predictions_is_resumed(name: str, model: str, photos: Path, tmp_path: Path) -> None:
    """Complete rows are not changed, an incomplete last row is replaced, and new photos are added."""
    out = tmp_path / name
    run(photos, "--model", model, "--out", out)
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
        assert run(photos, "--model", model, "--out", out).stdout.startswith(f"{out}: 2 photos")
        assert out.read_bytes() == complete
    (photos / "new.png").write_bytes((photos / "bright.png").read_bytes())
    assert run(photos, "--model", model, "--out", out).stdout == f"{out}: 3 photos, 2 of them from before\n"
    assert out.read_bytes().startswith(complete)
    assert b"new.png" in out.read_bytes()[len(complete) :]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_a_failed_photo_is_tried_again(name: str, model: str, photos: Path, tmp_path: Path) -> None:
    """Its row is replaced; other rows do not change."""
    out, broken = tmp_path / name, photos / "a.png"
    broken.write_bytes((photos / "bright.png").read_bytes()[:60])
    for _ in range(2):
        result = run(photos, "--model", model, "--out", out)
        assert (result.exit_code, out.read_text().count("a.png is truncated")) == (1, 1)
        assert "a.png is truncated" in result.stderr
    broken.write_bytes((photos / "bright.png").read_bytes())
    result = run(photos, "--model", model, "--out", out)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 3 photos, 2 of them from before\n")
    assert "truncated" not in out.read_text()
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_command_is_resumed(
    stop: signal.Signals, code: int, model: str, photos: Path, tmp_path: Path
) -> None:
    """After Ctrl-C or SIGTERM the file has the rows so far, and the same command predicts the rest."""
    with Image.open(photos / "bright.png") as photo:
        content = saved(photo.resize((500, 500)))  # large, so that the signal comes before the end
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number}.png").write_bytes(content)
    out = tmp_path / "out.csv"
    command = [sys.executable, "-m", "modiste", "predict", str(folder), "--model", model, "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not out.exists() or out.stat().st_size < 1000:
            time.sleep(0.01)
        process.send_signal(stop)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    rows = len(out.read_text().splitlines()) - 1
    assert errors == f"modiste: Stopped. {out} has {rows} photos; the same command resumes.\n"
    assert 0 < rows < 200
    resumed = run(folder, "--model", model, "--out", out)
    assert resumed.stdout == f"{out}: 200 photos, {rows} of them from before\n"


def test_two_commands_do_not_write_one_file(model: str, photos: Path, tmp_path: Path) -> None:
    """The second one is refused."""
    out = tmp_path / "out.csv"
    with open_predictions(out, "0" * 64, 1, []):
        refused = run(photos, "--model", model, "--out", out)
    assert "is in use by another modiste process" in str(refused.exception)
    assert len(out.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("out.csv", "a,b\n1,2\n", "not a file of predictions"),
        ("out.csv", "file,label,probability,top,model,error\nx,bag,1,[],other,\n", "not a file of predictions"),
        (
            "out.csv",
            "file,label,probability,label_1,probability_1,model,error\nx,bag,1,bag,1,other,\n",
            "has a row for x, which is not given now",
        ),
        ("out.jsonl", "[1]\n", "not a file of predictions"),
        ("out.jsonl", "not JSON\n", "not a file of predictions"),
        ("out.csv", "one line of notes", "not a file of predictions"),
        ("out.jsonl", "one line of notes", "not a file of predictions"),
        ("out.jsonl", '{"file": "a", "payload": 1}', "not a file of predictions"),
        ("out.jsonl", '{"file": "a", "label": 1}', "not a file of predictions"),
        ("out.jsonl", '{"file": "a", "pay', "not a file of predictions"),
        ("out.jsonl", f'{{"file": "{"x" * 2**20}"}}\n', "not a file of predictions"),
        ("out.csv", "file,label\na,", "not a file of predictions"),
        ("out.jsonl", "[" * 100_000, "not a file of predictions"),
    ],
    ids=lambda value: value[:40],
)
def test_a_file_with_other_content_is_not_changed(
    name: str, content: str, words: str, model: str, photos: Path, tmp_path: Path
) -> None:
    """Nothing is appended, and no state file is created."""
    (tmp_path / name).write_text(content)
    refused = run(photos, "--model", model, "--out", tmp_path / name)
    assert words in str(refused.exception)
    assert (tmp_path / name).read_text() == content
    assert not (tmp_path / f"{name}.state").exists()


def test_an_output_that_cannot_be_written_is_refused_first(model: str, photos: Path, tmp_path: Path) -> None:
    """No photo is predicted: the error of a damaged one would be printed."""
    (photos / "damaged.png").write_bytes(b"x")
    refused = run(photos, "--model", model, "--out", tmp_path / "none" / "out.csv")
    assert "does not exist" in str(refused.exception)
    assert refused.stderr == ""


def test_many_photos_are_printed_in_their_order(model: str, photos: Path) -> None:
    """They are predicted on several threads; a photo that is given twice is printed twice."""
    files = [photos / "bright.png", photos / "deeper" / "dark.png", photos / "missing.png"] * 70
    records = json.loads(run(*files, "--model", model, "--json").stdout)
    assert [record["file"] for record in records] == list(map(str, files))
    assert [record["label"] for record in records] == ["bright", "dark", None] * 70


def test_bytes_of_a_name_that_are_not_utf_8_are_replaced(model: str, tmp_path: Path) -> None:
    """U+FFFD is written to the output, the errors and the file of predictions (fault 24)."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (b"good\xff.png", b"bad\xff.png"):
        content = saved(Image.fromarray(np.zeros((28, 28), np.uint8)))
        (folder / os.fsdecode(name)).write_bytes(content[: 60 if b"bad" in name else None])
    out = tmp_path / os.fsdecode(b"out\xff.csv")
    finished = run(folder, "--model", model, "--out", out)
    assert (finished.exit_code, "out\ufffd.csv: 2 photos; 1 could not be used" in finished.stdout) == (1, True)
    bad, good = csv.DictReader(out.read_text(encoding="utf-8").splitlines())
    assert good["file"].endswith("good\ufffd.png")
    assert "bad\ufffd.png is truncated" in bad["error"]


def test_names_with_control_characters_stay_different(model: str, photos: Path, tmp_path: Path) -> None:
    """In JSON, JSON Lines and CSV, each row on a line; the terminal gets U+FFFD. Rows are found again by the name."""
    folder = tmp_path / "odd"
    folder.mkdir()
    names = ["a\x1b.png", "a\nb.png", "a\rb.png", "a\x9bb.png", "a\u202eb.png", '"a.png', '"a\\nb.png"', "a,b.png"]
    for name in names:
        shutil.copy(photos / "bright.png", folder / name)
    expected = sorted(str(folder / name) for name in names)
    printed = run(folder, "--model", model, "--json").stdout
    assert sorted(record["file"] for record in json.loads(printed)) == expected
    assert not re.search("[\x1b\x9b\u202e\r]", printed)
    assert run(folder, "--model", model).stdout.count("\n") == len(names)
    for out in (tmp_path / "out.jsonl", tmp_path / "out.csv"):
        run(folder, "--model", model, "--out", out)
        lines = out.read_text(encoding="utf-8").split("\n")[:-1]
        assert len(lines) == len(names) + (out.suffix == ".csv")
        assert not re.search("[\x1b\x9b\u202e\r]", "".join(lines))
        if out.suffix == ".csv":
            columns = prediction_csv.parse_header(lines.pop(0))
            records = [prediction_csv.parse_row(line, columns) for line in lines]
        else:
            records = [json.loads(line) for line in lines]
        assert sorted(record["file"] for record in records) == expected
        Path(f"{out}.state").unlink()
        (folder / names[1]).touch()
        again = run(folder, "--model", model, "--out", out)
        assert again.stdout == f"{out}: 8 photos, 8 predicted again\n"
        (folder / names[1]).unlink()
        removed = run(folder, "--model", model, "--out", out)
        assert "7 of them from before, 1 removed" in removed.stdout
        shutil.copy(photos / "bright.png", folder / names[1])


def test_hidden_folders_are_not_searched(model: str, photos: Path) -> None:
    """Nor those that systems make; one that is given itself is."""
    for name in (".hidden", "@eaDir", "__MACOSX", "deeper/.thumbnails"):
        (photos / name).mkdir()
        shutil.copy(photos / "bright.png", photos / name / "bright.png")
    assert len(run(photos, "--model", model).stdout.splitlines()) == 2
    assert run(photos / ".hidden", "--model", model).exit_code == 0


def test_cpus_without_a_cluster_are_refused(photos: Path) -> None:
    """As by `bench`."""
    assert "--cpus is for models on a cluster" in str(run(photos, "--cpus", 4).exception)


def test_a_run_folder_is_a_model(photos: Path, tmp_path: Path) -> None:
    """`--model` accepts a run folder; the model has the name of the run."""
    folder = tmp_path / "my-run"
    folder.mkdir()
    (folder / "recipe.json").write_text("{}")
    (folder / "model.onnx").write_bytes(tiny_model())
    (record,) = json.loads(run(photos / "bright.png", "--model", folder, "--json").stdout)
    assert record["model"] == "my-run"


def test_invalid_options_are_refused(model: str, photos: Path, tmp_path: Path) -> None:
    """A folder that is not a run, a folder without photos, an unknown suffix, and two output formats."""
    assert isinstance(run(photos, "--model", photos).exception, InputError)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.avif").write_bytes(b"")
    refused = run(tmp_path / "empty", "--model", model)
    assert "has no photo that can be read. Give a folder with photos: JPEG, PNG and WebP" in str(refused.exception)
    assert refused.stderr == ""
    (tmp_path / "none").mkdir()
    assert "Give a folder" in str(run(tmp_path / "none", "--model", model).exception)
    assert isinstance(run(photos, "--model", model, "--out", "labels.xlsx").exception, SettingError)
    assert isinstance(run(photos, "--model", model, "--out", "labels.csv", "--json").exception, SettingError)


def test_unreadable_files_and_folders_are_reported(model: str, photos: Path) -> None:
    """A dangling link and a folder without permission count as failed photos."""
    (photos / "gone.jpg").symlink_to(photos / "nowhere.jpg")
    (photos / "deeper").chmod(0)
    command = [sys.executable, "-m", "modiste", "predict", "--model", model, str(photos)]
    if os.geteuid() == 0:  # root may read everything without this
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    finished = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    (photos / "deeper").chmod(0o755)
    assert (finished.returncode, finished.stdout) == (1, f"{photos / 'bright.png'}: bright 90.5 %\n")
    assert finished.stderr == (
        f"modiste: {photos / 'deeper'} cannot be read (Permission denied). Check its permissions.\n"
        f"modiste: {photos / 'gone.jpg'} does not exist. Give the path of a photo.\n"
    )


def test_links_and_long_names_do_not_affect_the_others(model: str, photos: Path) -> None:
    """A link to itself, to the parent folder, to another folder, and a name that is too long."""
    aside = photos.rename(photos.with_name("aside"))
    photos.mkdir()
    (photos / "all").symlink_to(aside)
    (photos / "up").symlink_to(photos)
    (photos / "self.jpg").symlink_to("self.jpg")
    finished = run(photos, "x" * 300, "--model", model)
    assert finished.exit_code == 1
    assert [line.partition(": ")[2] for line in finished.stdout.splitlines()] == ["bright 90.5 %", "dark 91.3 %"]
    assert [("self.jpg" in line, "too long" in line) for line in finished.stderr.splitlines()[-2:]] == [
        (True, False),
        (False, True),
    ]


def test_a_folder_without_photos_does_not_affect_the_others(model: str, photos: Path, tmp_path: Path) -> None:
    """It has its own error."""
    (tmp_path / "empty").mkdir()
    finished = run(tmp_path / "empty", photos / "bright.png", "--model", model)
    assert (finished.exit_code, finished.stdout) == (1, f"{photos / 'bright.png'}: bright 90.5 %\n")
    assert "empty is not a file" in finished.stderr


def test_all_images_of_an_idx_file_are_predicted(tmp_path: Path) -> None:
    """Each has the name of the file and its index, and is predicted by the Fashion-MNIST model."""
    folder = write_idx_folder(tmp_path / "idx", train=5)
    file = folder / "train-images-idx3-ubyte.gz"
    records = json.loads(run(file, "--json").stdout)
    assert [each["file"] for each in records] == [f"{file}#{number}" for number in range(5)]
    assert {each["model"] for each in records} == {"fashion-mnist"}
    refused = run(file, "--show", tmp_path / "stages.png")
    assert "--show draws one photo" in str(refused.exception)
    file.write_bytes(file.read_bytes()[:-20])
    assert isinstance(run(file).exception, InputError)


def test_the_stages_of_preprocessing_are_drawn(photos: Path, tmp_path: Path) -> None:
    """The photo and the image that the model takes, one row each."""
    assert run(photos / "bright.png", "--show", tmp_path / "stages.png").exit_code == 0
    with Image.open(tmp_path / "stages.png") as drawn:
        assert drawn.size == (110 + 228 + 4, 2 * 228 + 4)


def test_each_photo_gets_the_model_that_fits(photos: Path) -> None:
    """`--model` sets one model for all photos."""
    shutil.copy(SAMPLES / "dress.png", photos / "dress.png")
    shutil.copy(SAMPLES / "coat.jpg", photos / "coat.jpg")
    models = {Path(each["file"]).name: each["model"] for each in json.loads(run(photos, "--json").stdout)}
    assert models["dress.png"] == bundled_files.NAMES[0]
    assert models["coat.jpg"] == bundled_files.NAMES[-1] != bundled_files.NAMES[0]
    named = json.loads(run(photos, "--model=fashion-mnist", "--json").stdout)
    assert {each["model"] for each in named} == {"fashion-mnist"}


def test_the_command_as_a_process(model: str, photos: Path) -> None:
    """It prints one line; a missing model is one line on standard error with exit code 2."""
    command = [sys.executable, "-m", "modiste", "predict", str(photos / "bright.png"), "--model"]
    finished = subprocess.run([*command, model], capture_output=True, text=True, check=True)
    assert finished.stdout == "bright 90.5 %\n"
    failed = subprocess.run([*command, model + "x"], capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1
    assert "does not exist" in failed.stderr


def test_closed_standard_input_is_one_line(model: str) -> None:
    """`predict - <&-` is an error."""
    command = f"exec {sys.executable} -m modiste predict --model {model} - <&-"
    finished = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert finished.stderr.startswith("modiste: Standard input is closed.")


def test_predicting_writes_nothing_to_the_home_folder(model: str, photos: Path, tmp_path: Path) -> None:
    """No telemetry, device id or cache of ONNX Runtime."""
    home = tmp_path / "home"
    home.mkdir()
    variables = {key: value for key, value in environment().items() if not key.startswith(("ORT_", "XDG_"))}
    command = [sys.executable, "-m", "modiste", "predict", str(photos / "bright.png"), "--model", model]
    subprocess.run(command, env=variables | {"HOME": str(home)}, capture_output=True, check=True)
    assert list(home.iterdir()) == []


def test_a_partial_failure_keeps_its_exit_code(model: str, photos: Path) -> None:
    """Exit code 1 passes the command line's error handling."""
    modiste(photos, "predict", "bright.png", "nowhere.png", "--model", model, code=1)


def test_a_folder_of_idx_files_is_refused_with_the_command_that_takes_it(tmp_path: Path, model: str) -> None:
    """Its images have labels: `evaluate` compares them."""
    folder = write_idx_folder(tmp_path / "my data", train=5)
    refused = run(folder, "--model", model)
    assert isinstance(refused.exception, InputError)
    assert f"modiste evaluate MODEL --data '{folder}'. To predict the images of one" in str(refused.exception)
