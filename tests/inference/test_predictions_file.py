"""The file of `predict --out`: valid rows, and photos that are predicted again."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from helpers.idx import write_idx_folder
from helpers.models import tiny_model
from modiste.cli.predict import predict
from modiste.errors import InputError, SettingError
from modiste.inference.prediction import Prediction
from modiste.inference.predictions_file import PhotoId, identify_photo, open_predictions

OUT = "labels.csv"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with two photos in `d`, and two models of one name."""
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    save("d/bright.png", 240)
    save("d/dark.png", 10)
    for name, labels in (("a", ("dark", "bright")), ("b", ("night", "day"))):
        Path(name).mkdir()
        Path(name, "model.onnx").write_bytes(tiny_model(labels))
    return tmp_path


def save(path: str, value: int) -> None:
    """Write a gray photo."""
    Image.fromarray(np.full((28, 28), value, np.uint8)).save(path)


def run(*files: object, model: str = "a", out: str = OUT, top: int = 1) -> Result:
    """Predict into the file."""
    options = ["--model", f"{model}/model.onnx", "--out", out, "--top", str(top)]
    return CliRunner().invoke(predict, [*map(str, files), *options])


def labels() -> dict[str, str]:
    """File and label of each row; every file has one row."""
    rows = [line.split(",")[:2] for line in Path(OUT).read_text().splitlines()[1:]]
    assert len(dict(rows)) == len(rows)
    return dict(rows)


@pytest.mark.parametrize("spelling", ["./d/", "../{name}/d", "{path}/d", "link", "d/dark.png"])
def test_a_photo_has_one_row_however_its_path_is_spelled(spelling: str, folder: Path) -> None:
    """The first spelling stays."""
    Path("link").symlink_to("d")
    run("d")
    content = Path(OUT).read_bytes()
    result = run(spelling.format(name=folder.name, path=folder))
    assert result.stdout == f"{OUT}: 2 photos, 2 of them from before\n"
    assert Path(OUT).read_bytes() == content


def test_a_photo_under_two_names_in_one_command_has_one_row() -> None:
    """The first name counts."""
    run("d", "./d", "d/dark.png")
    assert labels() == {"d/bright.png": "bright", "d/dark.png": "dark"}


def test_a_file_of_an_idx_file_is_resumed(folder: Path) -> None:
    """Its images are distinguished by their index."""
    file = write_idx_folder(folder / "idx", train=5) / "train-images-idx3-ubyte.gz"
    assert run(file).stdout == f"{OUT}: 5 photos\n"
    assert run(os.path.relpath(file)).stdout == f"{OUT}: 5 photos, 5 of them from before\n"


def test_rows_of_another_model_of_the_same_name_are_replaced() -> None:
    """Models are compared by the content of their files."""
    run("d")
    Path("a/model.onnx").write_bytes(Path("b/model.onnx").read_bytes())
    assert run("d").stdout == f"{OUT}: 2 photos, 2 predicted again\n"
    assert labels() == {"d/bright.png": "day", "d/dark.png": "night"}
    shutil.copytree("a", "c")
    assert run("d", model="c").stdout == f"{OUT}: 2 photos, 2 of them from before\n"


def test_rows_of_another_top_are_replaced() -> None:
    """All rows have as many classes."""
    run("d", top=1)
    run("d", top=2)
    assert [line.count(",") for line in Path(OUT).read_text().splitlines()] == [8, 8, 8]


@pytest.mark.parametrize("is_same_size", [False, True])
def test_rows_of_replaced_photos_are_replaced(is_same_size: bool) -> None:
    """A photo is another one when its size or its modification time changed."""
    run("d")
    size = Path("d/dark.png").stat().st_size
    save("d/dark.png", 250)
    if is_same_size:
        Path("d/dark.png").write_bytes(Path("d/dark.png").read_bytes().ljust(size, b"\0"))
    assert run("d").stdout == f"{OUT}: 2 photos, 1 of them from before, 1 predicted again\n"
    assert labels() == {"d/bright.png": "bright", "d/dark.png": "bright"}


@pytest.mark.parametrize(("model", "top"), [("a", 1), ("b", 1), ("a", 2)])
@pytest.mark.parametrize("change", ["delete", "rename", "delete in a folder below", "state lost"])
def test_rows_of_photos_that_a_given_folder_lost_are_removed(change: str, model: str, top: int, folder: Path) -> None:
    """Whether the model and --top are the same or not, and from which working directory the command runs."""
    Path("d/e").mkdir()
    save("d/e/gray.png", 200)
    run("d")
    gone = Path("d/e/gray.png" if change == "delete in a folder below" else "d/dark.png")
    gone.rename("d/dark.txt") if change == "rename" else gone.unlink()
    if change == "state lost":
        Path(f"{OUT}.state").unlink()
    else:
        os.chdir("d")
    result = run(folder / "d", model=f"{folder}/{model}", top=top, out=f"{folder}/{OUT}")
    os.chdir(folder)
    assert result.stdout.endswith("1 removed because their photos are gone\n")
    assert {Path(name).name for name in labels()} == {"bright.png", "gray.png", "dark.png"} - {gone.name}


def test_rows_of_an_idx_file_that_became_shorter_are_removed(folder: Path) -> None:
    """The images that are left are predicted again."""
    for images in (5, 3):
        file = write_idx_folder(folder / "idx", train=images) / "train-images-idx3-ubyte.gz"
        result = run(file)
    assert result.stdout == f"{OUT}: 3 photos, 3 predicted again, 2 removed because their photos are gone\n"


def test_the_row_of_a_link_that_names_another_photo_is_replaced() -> None:
    """A file name never has two rows."""
    Path("d/link.png").symlink_to("bright.png")
    run("d")
    Path("d/link.png").unlink()
    Path("d/link.png").symlink_to("dark.png")
    run("d")
    assert labels()["d/link.png"] == "dark"


@pytest.mark.parametrize("argument", ["new.png", "e"])
def test_rows_of_photos_elsewhere_stay(argument: str) -> None:
    """Even if the photo was deleted, or its whole folder: it may be on a disk that is not there now."""
    run("d")
    Path("d/dark.png").unlink()
    Path("e").mkdir()
    save("new.png", 240)
    save("e/new.png", 240)
    run(argument)
    assert {"d/bright.png": "bright", "d/dark.png": "dark"}.items() <= labels().items()
    assert len(labels()) == 3


def test_rows_of_a_given_folder_that_does_not_exist_stay() -> None:
    """It may be on a disk that is not there now; it gets a row with the error."""
    run("d")
    Path("d").rename("f")
    assert run("d").exit_code == 1
    assert {"d/bright.png": "bright", "d/dark.png": "dark"}.items() <= labels().items()


def test_rows_of_a_given_folder_without_photos_stay() -> None:
    """It may be a mount point without its disk."""
    run("d")
    Path("d").rename("f")
    Path("d").mkdir()
    run("d", "f/dark.png")
    assert {"d/bright.png": "bright", "d/dark.png": "dark", "f/dark.png": "dark"}.items() <= labels().items()


@pytest.mark.parametrize("name", ["missing.png", "missing.gz#7"])
def test_a_missing_photo_has_no_size_or_time(name: str) -> None:
    """In particular not those of the working directory."""
    assert identify_photo(name) == PhotoId(os.path.realpath(name), -1, -1)


@pytest.mark.parametrize("change", ["model", "top", "no state"])
def test_two_models_are_never_mixed_in_one_file(change: str) -> None:
    """Rows that cannot be predicted again are an error with the next step, and the file does not change."""
    run("d")
    if change == "no state":
        Path(f"{OUT}.state").unlink()
    content = Path(OUT).read_bytes()
    result = run("d/dark.png", model="b" if change == "model" else "a", top=2 if change == "top" else 1)
    assert isinstance(result.exception, InputError)
    assert "has a row for d/bright.png, which is not given now" in str(result.exception)
    assert "Give all its photos again, or choose another --out" in str(result.exception)
    assert Path(OUT).read_bytes() == content
    assert run("d", model="b").exit_code == 0
    assert labels() == {"d/bright.png": "day", "d/dark.png": "night"}


def test_a_kill_between_state_and_row_loses_nothing() -> None:
    """State without a row is ignored, and so is a line of it that was cut off."""
    run("d")
    content, state = Path(OUT).read_bytes(), Path(f"{OUT}.state").read_bytes()
    first_row = content[: content.index(b"d/dark")]
    for rest in (state, state[:-9]):
        Path(OUT).write_bytes(first_row)
        Path(f"{OUT}.state").write_bytes(rest)
        run("d")
        assert (Path(OUT).read_bytes(), Path(f"{OUT}.state").read_bytes()) == (content, state)


@pytest.mark.parametrize(
    "line", ["null", '["d/dark.png", "d", "a", 1]', '["d/dark.png", "d", 1e999, 1]', "[" * 100_000]
)
def test_with_a_damaged_state_photos_are_predicted_again(line: str) -> None:
    """What the rows are from is not certain then."""
    run("d/dark.png")
    state = Path(f"{OUT}.state")
    state.write_text(state.read_text().splitlines()[0] + f"\n{line}\n")
    assert run("d/dark.png").exit_code == 0
    assert labels()["d/dark.png"] == "dark"


def test_a_resumed_file_keeps_its_permissions() -> None:
    """Although it is written anew."""
    run("d/dark.png")
    Path(OUT).chmod(0o640)
    run("d")
    assert Path(OUT).stat().st_mode & 0o777 == 0o640


def test_rows_may_be_deleted_and_sorted() -> None:
    """Only a photo without a row is predicted again."""
    save("d/gray.png", 200)
    run("d")
    header, first, second, third = Path(OUT).read_bytes().splitlines(keepends=True)
    Path(OUT).write_bytes(header + third + first)
    run("d")
    assert Path(OUT).read_bytes() == header + third + first + second


def test_a_link_is_followed_and_a_pipe_or_folder_is_refused() -> None:
    """None of them is replaced by a file (fault 35)."""
    Path("target.csv").touch()
    Path("link.csv").symlink_to("target.csv")
    for _ in range(2):
        run("d", "missing.png", out="link.csv")
    assert Path("link.csv").is_symlink()
    assert len(Path("target.csv").read_text().splitlines()) == 4
    os.mkfifo("pipe.csv")
    Path("folder.csv").mkdir()
    for out in ("pipe.csv", "folder.csv"):
        assert isinstance(run("d", out=out).exception, SettingError)


def test_standard_input_is_predicted_every_time() -> None:
    """It has no identity, so each command appends a row."""
    for rows in (1, 2):
        with open_predictions(Path(OUT), "0" * 64, 1, ["-"]) as file:
            assert file.missing == ["-"]
            file.append([Prediction("-", "bright", 0.9, (("bright", 0.9),), "tiny")])
            assert file.rows == file.count_rows() == rows
