"""The named recipes."""

import json
import os
from pathlib import Path

import pytest

from modiste.errors import InputError, SettingError
from modiste.recipes import settings
from modiste.recipes.named import NAMED, resolve
from modiste.recipes.recipe import LBFGS_VALUES


@pytest.mark.parametrize("name", NAMED)
def test_a_recipe_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    """The JSON file of a named recipe gives an equal recipe."""
    file = tmp_path / "recipe.json"
    file.write_text(settings.to_json(resolve(name)))
    assert resolve(str(file)) == resolve(name)


@pytest.mark.parametrize("name", NAMED)
def test_a_recipe_has_its_name_and_a_description(name: str) -> None:
    """The description states what was chosen on validation."""
    recipe = resolve(name)
    assert recipe.name == name
    assert "chosen on validation" in recipe.description


def test_a_missing_recipe_is_an_error() -> None:
    """An unknown name gets the most similar one, a missing file its path."""
    with pytest.raises(SettingError, match="Did you mean 'classic-cnn'"):
        resolve("clasic-cnn")
    with pytest.raises(InputError, match=r"nowhere\.json cannot be read"):
        resolve("nowhere.json")


def test_a_recipe_file_is_read_in_bounded_time_and_memory(tmp_path: Path) -> None:
    """A FIFO would wait forever; a file of gigabytes would fill the memory."""
    os.mkfifo(tmp_path / "fifo.json")
    with pytest.raises(InputError, match=r"fifo\.json cannot be read \(not a regular file\)"):
        resolve(str(tmp_path / "fifo.json"))
    (tmp_path / "large.json").write_text("{}" + " " * settings.MAX_FILE_BYTES)
    with pytest.raises(InputError, match=r"large\.json cannot be read \(larger than 1 MiB\)"):
        resolve(str(tmp_path / "large.json"))


def write(path: Path, **content: object) -> str:
    """Write a recipe file; return its path."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return str(path)


def test_a_file_builds_on_a_named_recipe_or_on_another_file(tmp_path: Path) -> None:
    """It has only the settings that differ; a path is relative to the file's own folder."""
    write(tmp_path / "slow.json", base="sprint", optimizer={"lr": 0.1}, schedule={"epochs": 9})
    recipe = resolve(write(tmp_path / "ideas" / "slower.json", base="../slow.json", schedule={"epochs": 20}))
    assert recipe == settings.with_settings(resolve("sprint"), {"optimizer.lr": 0.1, "schedule.epochs": 20})


def test_bases_in_a_circle_are_refused(tmp_path: Path) -> None:
    """The message has the files of the circle."""
    write(tmp_path / "a.json", base="b.json")
    write(tmp_path / "b.json", base="c.json")
    write(tmp_path / "c.json", base="b.json")
    with pytest.raises(SettingError, match=r"b\.json builds on .*c\.json builds on .*b\.json: .* in a circle"):
        resolve(str(tmp_path / "a.json"))
    with pytest.raises(SettingError, match="in a circle"):
        resolve(write(tmp_path / "self.json", base="self.json"))


@pytest.mark.parametrize(
    ("base", "message"),
    [("sprnt", "builds on 'sprnt', which is no recipe or file. Did you mean 'sprint'"), (3, "must be the name")],
)
def test_a_base_that_is_missing_is_an_error(base: object, message: str, tmp_path: Path) -> None:
    """An unknown name gets the most similar one."""
    with pytest.raises(SettingError, match=message):
        resolve(write(tmp_path / "a.json", base=base))
    with pytest.raises(InputError, match=r"nowhere\.json cannot be read"):
        resolve(write(tmp_path / "a.json", base="nowhere.json"))


@pytest.mark.parametrize(("key", "value"), [("augmentation.mixup_prob", 0.5), ("schedule.epochs", 3)])
def test_settings_of_a_training_by_steps_are_refused_with_lbfgs(key: str, value: float) -> None:
    """A head is fitted once, to images that are not changed."""
    with pytest.raises(SettingError, match=rf"{key} is {value}, but it must be .* with lbfgs"):
        settings.with_settings(resolve("photo-quick"), {key: value})


def test_lbfgs_refuses_every_augmentation() -> None:
    """Only the shape of the erased rectangle, of which there is none, may have any value."""
    augmentation = {key for key in settings.to_settings(resolve("photo-quick")) if key.startswith("augmentation.")}
    assert {key.rpartition("_")[2] for key in augmentation - LBFGS_VALUES.keys()} == {"scale", "ratio"}
