"""Recipes as text, read strictly."""

import json
from pathlib import Path
from typing import Any

import pytest

from modiste.errors import InputError, SettingError
from modiste.recipes import settings
from modiste.recipes.named import NAMED, resolve
from modiste.recipes.recipe import Recipe


@pytest.mark.parametrize("name", NAMED)
def test_a_recipe_reads_back_to_itself(name: str, tmp_path: Path) -> None:
    """Every named recipe survives the way through JSON, and its file is a valid argument."""
    file = tmp_path / "recipe.json"
    file.write_text(settings.to_json(resolve(name)))
    assert resolve(str(file)) == resolve(name)


@pytest.mark.parametrize("name", NAMED)
def test_a_recipe_knows_its_name_and_says_what_is_ours(name: str) -> None:
    """The name in the record is the one it is called by; a sentence says whose numbers it has."""
    recipe = resolve(name)
    assert recipe.name == name
    assert "ours" in recipe.description


def test_dotted_keys_change_their_section() -> None:
    """Numbers, switches, words and pairs arrive in the record with their types."""
    changes = {
        "optimizer.lr": 1,
        "augmentation.horizontal_flip": False,
        "model": "resnet18",
        "augmentation.random_erasing_ratio": [1, 2],
    }
    recipe = settings.with_settings(Recipe(), changes)
    assert recipe.optimizer.lr == 1.0
    assert isinstance(recipe.optimizer.lr, float)
    assert recipe.augmentation.horizontal_flip is False
    assert recipe.model.name == "resnet18"
    assert recipe.augmentation.random_erasing_ratio == (1.0, 2.0)


@pytest.mark.parametrize(
    ("text", "value"),
    [("a.b=1", 1), ("a.b=1e-3", 1e-3), ("a.b=true", True), ("a.b=x:y", "x:y"), ("a.b=", ""), ("a.b=[1,2]", [1, 2])],
)
def test_values_are_json_or_text(text: str, value: Any) -> None:
    """What is not JSON is taken as the text it is."""
    assert settings.parse_setting(text) == ("a.b", value)


@pytest.mark.parametrize("text", ["optimizer.lr", "=1", ""])
def test_a_setting_needs_key_and_value(text: str) -> None:
    """Anything without `key=` is refused with an example."""
    with pytest.raises(SettingError, match=r"as in optimizer\.lr=0\.02"):
        settings.parse_setting(text)


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("optimizer.lr", "optimizer.lr"), ("lr", "optimizer.lr"), ("augmentation.flipp", "augmentation.horizontal_flip")],
)
def test_an_unknown_key_names_the_nearest(key: str, nearest: str) -> None:
    """A slip of the pen is answered with the key that was meant."""
    with pytest.raises(SettingError, match=f"Did you mean '{nearest}'"):
        settings.with_settings(Recipe(), {key: 1})


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("optimizer.lr", "fast", "a number"),
        ("optimizer.lr", True, "a number"),
        ("optimizer.lr", float("nan"), "a number"),
        ("optimizer.lr", -1, "above 0"),
        ("optimizer.batch_size", 1.5, "a whole number"),
        ("optimizer.batch_size", True, "a whole number"),
        ("optimizer.batch_size", 0, "at least 2"),
        ("augmentation.horizontal_flip", 1, "true or false"),
        ("augmentation.random_erasing_scale", [0.5], "2 numbers"),
        ("augmentation.random_erasing_scale", [0.5, 0.1], "smaller first"),
        ("distillation.teachers", 3, "text"),
        ("distillation.teachers", ["runs/a", 3], "text"),
        ("distillation.weight", 0, "above 0, at most 1"),
        ("distillation.temperature", 0, "0.1 to 100"),
        ("augmentation.mixup_prob", 2, "0 to 1"),
        ("model.width_multiplier", 0, "1"),
        ("model.blocks_per_stage", 0, "1"),
        ("early_stopping.monitor", "test/loss", "one of val_loss, val_accuracy"),
        ("data.channels", True, "one of 1, 3"),
        ("data.channels", 2, "one of 1, 3"),
        ("data.fold", 5, "0 to 4"),
        ("data.val_fraction", 0.9, "one fold of several"),
        ("data.val_fraction", 0.3, "one fold of several"),
        ("data.val_fraction", 0, "nothing is held out"),
        ("model", 3, "text"),
        ("seed", -1, "from 0"),
    ],
)
def test_a_value_that_does_not_fit_is_told_its_rule(key: str, value: object, rule: str) -> None:
    """The message holds the key and the rule."""
    start = resolve("classic-cnn")
    with pytest.raises(SettingError, match=rule):
        settings.with_settings(start, {key: value})


@pytest.mark.parametrize(
    ("text", "teachers"),
    [("", ()), ("[]", ()), ("runs/a", ("runs/a",)), ('["runs/a"]', ("runs/a",)), ('["a", "b"]', ("a", "b"))],
)
def test_of_what_there_may_be_several_one_needs_no_brackets(text: str, teachers: tuple[str, ...]) -> None:
    """As it is typed behind --set; nothing is none."""
    key, value = settings.parse_setting(f"distillation.teachers={text}")
    assert settings.with_settings(Recipe(), {key: value}).distillation.teachers == teachers


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '"x"'])
def test_a_file_that_is_no_recipe_is_refused(text: str, tmp_path: Path) -> None:
    """Anything but a JSON object is refused with the file's name."""
    file = tmp_path / "recipe.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"recipe\.json"):
        resolve(str(file))


def test_a_recipe_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    """Nothing in a file is passed over in silence, be it a section or a key."""
    for content in ({"optimizer": {"rate": 1}}, {"optimizer": {"lr": 1}}, {"optimizer": 3}):
        file = tmp_path / "recipe.json"
        file.write_text(json.dumps(content))
        with pytest.raises(SettingError):
            resolve(str(file))


def test_a_missing_recipe_is_named() -> None:
    """An unknown name comes with the nearest known one, a missing file with its path."""
    with pytest.raises(SettingError, match="Did you mean 'classic-cnn'"):
        resolve("clasic-cnn")
    with pytest.raises(InputError, match=r"nowhere\.json cannot be read"):
        resolve("nowhere.json")
