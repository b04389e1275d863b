"""`modiste data verify` and `modiste data show`."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from helpers.command import modiste
from helpers.idx import write_idx_folder
from helpers.photos import clothes, fill, noise, saved
from modiste.cli.data import data
from modiste.data import fashion_mnist
from modiste.errors import InputError, SettingError
from modiste.imaging.preprocess import to_image, to_photo


@pytest.mark.slow
def test_verify_checks_the_bundled_files() -> None:
    """All four checksums are those published, and the images of both splits are counted."""
    result = CliRunner().invoke(data, ["verify"])
    lines = result.stdout.splitlines()
    assert (result.exit_code, len(lines)) == (0, 11)
    assert sum(line.endswith("as published") for line in lines) == 4
    assert lines[4] == "dataset: fashion-mnist"
    assert lines[5].startswith("train: 60000 images of 28 x 28")
    assert lines[7].startswith("test: 10000 images of 28 x 28")
    assert lines[9].startswith("warning: 109 sets of images in different splits: nearly the same, such as train#74")


def test_verify_names_an_altered_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with another checksum is an error that names it (fault 30)."""
    write_idx_folder(tmp_path)
    monkeypatch.setattr(fashion_mnist, "folder", lambda: tmp_path)
    error = CliRunner().invoke(data, ["verify"]).exception
    assert isinstance(error, InputError)
    assert "train-images-idx3-ubyte.gz" in str(error)


def test_verify_of_a_folder(tmp_path: Path) -> None:
    """The files of another folder are read completely and described, also as JSON."""
    write_idx_folder(tmp_path)
    result = CliRunner().invoke(data, ["verify", "--data", str(tmp_path), "--json"])
    content = json.loads(result.stdout)
    assert (content["files"], content["ignored"], content["dataset"]) == ([], [], tmp_path.name)
    assert [(split["split"], split["images"]) for split in content["splits"]] == [("train", 100), ("test", 20)]


def test_show_draws_each_class(tmp_path: Path) -> None:
    """Ten rows of three images are drawn into one PNG."""
    write_idx_folder(tmp_path / "idx")
    out = tmp_path / "sheet.png"
    arguments = ["show", "--data", str(tmp_path / "idx"), "--per-class", "3", "--out", str(out)]
    assert CliRunner().invoke(data, arguments).stdout == f"{out}: 30 images of 10 classes\n"
    assert to_photo(out).shape[0] == 10 * 60 + 4
    content = json.loads(CliRunner().invoke(data, [*arguments, "--json"]).stdout)
    assert content == {"file": str(out), "classes": 10, "images": 30}


def test_show_takes_photos(tmp_path: Path) -> None:
    """Class folders are shown in color and at the given size."""
    for label in ("boots", "hats"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.jpg").write_bytes(saved(Image.fromarray(noise(64)).convert("RGB"), "JPEG"))
    out = tmp_path / "sheet.png"
    arguments = ["show", "--data", str(tmp_path), "--size", "64", "--channels", "3", "--out", str(out)]
    assert CliRunner().invoke(data, arguments).exit_code == 0
    assert to_photo(out).shape == (2 * 68 + 4, 110 + 68 + 4, 3)


def test_show_makes_photos_square_as_a_training_does(tmp_path: Path) -> None:
    """With `--resize-mode`; an unknown one is an error."""
    (tmp_path / "boots").mkdir()
    clothes(100, 40).save(tmp_path / "boots" / "1.png")
    fill(tmp_path / "hats", 1)
    out = tmp_path / "sheet.png"
    arguments = ["show", f"--data={tmp_path}", "--size=64", "--channels=3", f"--out={out}", "--resize-mode"]
    assert CliRunner().invoke(data, [*arguments, "letterbox"]).exit_code == 0
    image = to_image(clothes(100, 40), 64, 3, resize_mode="letterbox")
    assert (to_photo(out)[4:68, 110:174] == image).all()
    error = CliRunner().invoke(data, [*arguments, "fit"]).exception
    assert str(error) == "--resize-mode is 'fit', but it must be one of squash, letterbox, center_crop."


@pytest.mark.parametrize("command", ["verify", "show"])
@pytest.mark.parametrize(
    ("options", "message", "change"),
    [
        (["--size=3"], "--size is 3, but it must be at least 8", ["--size=32"]),
        ([], "--size is 28, but the images of .* have 32 x 32 pixels. Set --size to 32", ["--size=32"]),
        (["--channels=3", "--size=32"], "--channels is 3, .* Set --channels to 1", ["--channels=1"]),
        (["--channels=2", "--size=32"], "--channels is 2, but it must be one of 1, 3", ["--channels=1"]),
    ],
)
def test_errors_name_the_options_of_the_command(
    command: str, options: list[str], message: str, change: list[str], tmp_path: Path
) -> None:
    """Not the settings of a recipe, and the advice works."""
    source = write_idx_folder(tmp_path / "idx", side=32)
    arguments = [command, f"--data={source}", *options]
    arguments += [f"--out={tmp_path / 'sheet.png'}"] if command == "show" else []
    error = CliRunner().invoke(data, arguments).exception
    assert isinstance(error, SettingError)
    assert re.search(message, str(error))
    assert "--set" not in str(error)
    assert CliRunner().invoke(data, [*arguments, *change]).exit_code == 0


def test_verify_lists_ignored_files(tmp_path: Path) -> None:
    """Other files beside photos, folders beside splits and folders without a class."""
    for label in ("boots", "hats", "rest"):
        fill(tmp_path / "train" / label, 2)
    (tmp_path / "labels.json").write_text('{"rest": null}')
    (tmp_path / "train" / "boots" / "notes.txt").write_text("not a photo")
    (tmp_path / "runs").mkdir()
    result = CliRunner().invoke(data, ["verify", "--data", str(tmp_path)])
    ignored = [line.removeprefix("not used: ") for line in result.stdout.splitlines() if line.startswith("not used")]
    assert ignored == [str(tmp_path / name) for name in ("runs", "train/boots/notes.txt", "train/rest")]


def test_verify_names_every_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Damaged photos, other formats and folders in class folders; then the exit code is 1."""
    for label in ("boots", "hats"):
        damaged = fill(tmp_path / label, 3) / "1.png"
        damaged.write_bytes(damaged.read_bytes()[:100])
        (tmp_path / label / "2.tiff").write_bytes(b"II*")
    fill(tmp_path / "hats" / "more", 1)
    result = CliRunner().invoke(data, ["verify", "--data", str(tmp_path), "--json"])
    content = json.loads(result.stdout)
    names = [str(Path(each["file"]).name) for each in content["unreadable"]]
    assert (result.exit_code, names) == (1, ["2.tiff", "2.tiff", "more", "1.png", "1.png"])
    assert [split["images"] for split in content["splits"]] == [4]
    lines = CliRunner().invoke(data, ["verify", "--data", str(tmp_path)]).stdout.splitlines()
    assert sum(line.startswith("unreadable: ") and str(tmp_path) in line for line in lines) == 5


def test_verify_takes_every_format(tmp_path: Path) -> None:
    """Also a file; groups are those of a pattern."""
    fill(tmp_path / "photos", 4)
    rows = [f"photos/{n}.png,{'ab'[n % 2]},{('train', 'test')[n // 2]}" for n in range(4)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,split", *rows]))
    arguments = ["verify", f"--data={tmp_path / 'list.csv'}", "--json", "--group-pattern"]
    content = json.loads(CliRunner().invoke(data, [*arguments, "(photo)s"]).stdout)
    assert [split["images"] for split in content["splits"]] == [2, 2]
    assert any("train and test have 1 group in common, such as photo" in warning for warning in content["warnings"])
    assert "--group-pattern" in str(CliRunner().invoke(data, [*arguments, "photo"]).exception)


def test_a_missing_folder_exits_with_2(tmp_path: Path) -> None:
    """The command prints one line on standard error."""
    finished = modiste(tmp_path, "data", "verify", "--data=nowhere", code=2)
    assert finished.stderr.count("\n") == 1
    assert "does not exist" in finished.stderr
