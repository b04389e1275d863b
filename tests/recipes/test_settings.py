"""Recipes as text, read strictly."""

import json
from pathlib import Path
from typing import Any

import pytest

from modiste.errors import InputError, SettingError
from modiste.recipes import settings
from modiste.recipes.named import NAMED, resolve
from modiste.recipes.recipe import Recipe


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
    [
        ("seed=1", 1),
        ("optimizer.lr=1e-3", 1e-3),
        ("model.flip_tta=true", True),
        ("model=x:y", "x:y"),
        ("model.weights=", ""),
        ("augmentation.random_erasing_scale=[0.1,2]", [0.1, 2]),
        ("optimizer.lr=fast", "fast"),
        ("data.source=2024", "2024"),
        ("data.source=1e3", "1e3"),
        ("data.source=true", "true"),
        ("data.source=null", "null"),
        ('data.source="a b"', "a b"),
        ("distillation.teachers=7", "7"),
        ("distillation.teachers=[7, 1.50]", ["7", "1.50"]),
        ("model.options.depth=3", 3),
        ("model.options.kind=wide", "wide"),
        ("loss.class_weights=balanced", "balanced"),
        ("loss.class_weights=[1, 2.5]", [1, 2.5]),
    ],
)
def test_values_are_json_unless_the_setting_takes_text(text: str, value: Any) -> None:
    """A folder may be called 2024 or true; other values that are not JSON are text too."""
    assert settings.parse_setting(text) == (text.partition("=")[0], value)


def test_arguments_of_a_factory_are_added_to_those_of_the_recipe(tmp_path: Path) -> None:
    """One by one, or all as an object; they are read back as they were written."""
    first = settings.with_settings(Recipe(), {"model": "a:b", "model.options.depth": 3, "model.options.sizes": (1, 2)})
    assert first.model.options == {"depth": 3, "sizes": [1, 2]}
    assert settings.with_settings(first, {"model.options.depth": None}).model.options == {
        "depth": None,
        "sizes": [1, 2],
    }
    assert settings.with_settings(first, {"model.options": {"width": 4}}).model.options == {"width": 4}
    (tmp_path / "recipe.json").write_text(settings.to_json(first))
    assert resolve(str(tmp_path / "recipe.json")) == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.options.depth": 3}, "empty, as model.name=cnn takes none"),
        ({"model": "a:b", "model.options.channels": 3}, "without channels, which has a value of its own"),
        ({"model": "a:b", "model.options.depth": {1}}, r"depth is \{1\}, but it must be a JSON value"),
        ({"model": "a:b", "model.options.x": float("nan")}, "must be a JSON value"),
        ({"model": "a:b", "model.options": 3}, "must be a JSON object"),
        ({"model.options.no-name": 3}, "its last part must be the name of an argument"),
        ({"data.options.x": 3}, "There is no setting 'data.options.x'"),
        ({"optimizer.name": "lion"}, "one of sgd, muon, adamw, lbfgs, or package.module:factory"),
    ],
)
def test_arguments_that_no_factory_takes_are_refused(changes: dict[str, Any], message: str) -> None:
    """The message has the value and the rule."""
    with pytest.raises(SettingError, match=message):
        settings.with_settings(Recipe(), changes)


@pytest.mark.parametrize("text", ["optimizer.lr", "=1", ""])
def test_a_setting_needs_key_and_value(text: str) -> None:
    """Anything without `key=` is refused with an example."""
    with pytest.raises(SettingError, match=r"as in optimizer\.lr=0\.02"):
        settings.parse_setting(text)


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("lr", "optimizer.lr"),
        ("epoch", "schedule.epochs"),
        ("optimizer.momentm", "optimizer.momentum"),
        ("augmentation.flipp", "augmentation.horizontal_flip"),
        ("data.val_fracton", "data.val_fraction"),
        ("optimiser", "optimizer"),
        ("optimiser.lr", "optimizer.lr"),
    ],
)
def test_an_unknown_key_gets_the_most_similar_one(key: str, nearest: str) -> None:
    """A typo is answered with the key that was meant, on the command line and in a file."""
    with pytest.raises(SettingError, match=f"Did you mean '{nearest}'"):
        settings.with_settings(Recipe(), {key: 1})
    with pytest.raises(SettingError, match=f"Did you mean '{nearest}'"):
        settings.parse_setting(f"{key}=1")


def test_an_unknown_key_of_a_section_gets_those_of_the_section() -> None:
    """One that is like none gets the nearest ones, since there are too many to list."""
    for key, message in (
        ("optimizer.foo", r"There are: optimizer.name, [\w., ]*\.$"),
        ("foo.foo", r"The nearest are: [\w.]+(, [\w.]+){4}\.$"),
    ):
        with pytest.raises(SettingError, match=message) as caught:
            settings.parse_setting(f"{key}=1")
        assert "early_stopping" not in str(caught.value)


def test_choices_with_commas_are_told_apart() -> None:
    """By semicolons."""
    assert settings.suggest("zzz", ["a, 0.1", "b"]) == "There are: a, 0.1; b."


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
        ("distillation.weight", 0, "above 0 and at most 1"),
        ("distillation.temperature", 0, "at least 0.1 and at most 100"),
        ("augmentation.mixup_prob", 2, "at least 0 and at most 1"),
        ("model.width_multiplier", 0, "1"),
        ("model.blocks_per_stage", 0, "1"),
        ("early_stopping.monitor", "test/loss", "one of val_loss, val_accuracy"),
        ("data.channels", True, "one of 1, 3"),
        ("data.channels", 2, "one of 1, 3"),
        ("data.fold", 5, "below 5"),
        ("data.val_fraction", 0.9, "at most 0.5"),
        ("data.val_fraction", 0.3, "another 1 / n"),
        ("data.val_fraction", 1e-310, "another 1 / n"),
        ("optimizer.nesterov", False, "true with muon"),
        ("optimizer.momentum", 0, "false when optimizer.momentum is 0"),
        ("data.val_fraction", 0, "no validation metric"),
        ("data.sampling", "weighted", "one of uniform, balanced"),
        ("model", 3, "text"),
        ("model.fold_batch_norm", True, "false, except for an efficientnet_lite with model.weights"),
        ("model.freeze_depthwise", True, "false when model.fold_batch_norm is false"),
        ("model.stem_type", "cifar", "imagenet, except for resnet18 without ImageNet weights"),
        ("model.norm_layer", "layer_norm", "one of batch_norm, group_norm, none"),
        ("model.upscale", 9, "at least 1 and at most 8"),
        ("seed", -1, "at least 0 and at most 4294967295"),
    ],
)
def test_a_value_that_does_not_fit_gets_its_rule(key: str, value: object, rule: str) -> None:
    """The message holds the key and the rule."""
    with pytest.raises(SettingError, match=rule) as error:
        settings.with_settings(resolve("sprint" if key == "optimizer.nesterov" else "classic-cnn"), {key: value})
    assert str(error.value).startswith(("optimizer.nesterov", "early_stopping", key))


def test_muon_needs_batch_norm() -> None:
    """It scales the filters, which is only harmless before a batch norm."""
    for recipe, changes in (("photo", {"model.fold_batch_norm": True}), ("classic-cnn", {"model.norm_layer": "none"})):
        with pytest.raises(SettingError, match=r"optimizer.name is 'muon'.* sgd or adamw without batch norm"):
            settings.with_settings(resolve(recipe), {"optimizer.name": "muon", **changes})


def test_imagenet_weights_fit_one_architecture() -> None:
    """ResNet-18 with another stem or norm has other layers than they were trained in."""
    for changes in ({"model.stem_type": "cifar"}, {"model.norm_layer": "group_norm"}):
        settings.with_settings(resolve("classic-resnet18"), changes)
        with pytest.raises(SettingError, match="without ImageNet weights"):
            settings.with_settings(resolve("classic-resnet18"), {"model.weights": "imagenet", **changes})


@pytest.mark.parametrize(
    ("text", "teachers"),
    [("", ()), ("[]", ()), ("runs/a", ("runs/a",)), ('["runs/a"]', ("runs/a",)), ('["a", "b"]', ("a", "b"))],
)
def test_a_list_of_one_needs_no_brackets(text: str, teachers: tuple[str, ...]) -> None:
    """An empty value is an empty list."""
    key, value = settings.parse_setting(f"distillation.teachers={text}")
    assert settings.with_settings(Recipe(), {key: value}).distillation.teachers == teachers


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '"x"'])
def test_a_file_without_a_recipe_is_an_error(text: str, tmp_path: Path) -> None:
    """Anything but a JSON object raises an error with the file's name."""
    file = tmp_path / "recipe.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"recipe\.json"):
        resolve(str(file))


def test_an_unknown_key_in_a_file_is_an_error(tmp_path: Path) -> None:
    """No unknown section or key is ignored."""
    for content in ({"optimizer": {"rate": 1}}, {"optimiser": {"lr": 1}}, {"optimizer": 3}):
        file = tmp_path / "recipe.json"
        file.write_text(json.dumps(content))
        with pytest.raises(SettingError):
            resolve(str(file))


def test_the_reference_explains_every_setting() -> None:
    """docs/settings.md has a row with type, default and meaning for each setting, and a heading for each section."""
    text = settings.reference()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert [row[0].strip("| `") for row in rows] == list(settings.to_settings(Recipe()))
    assert all(len(row) == 4 and len(row[3]) > 10 for row in rows)
    values = "one of reduce_on_plateau, one_cycle, cosine, constant, or package.module:factory"
    assert f'| `schedule.name` | {values} | `"reduce_on_plateau"` |' in text
    assert "## `optimizer`" in text


@pytest.mark.parametrize("name", NAMED)
def test_a_formatted_value_is_parsed_to_itself(name: str) -> None:
    """So what a command prints can be given to --set."""
    values = settings.to_settings(NAMED[name]())
    parsed = dict(settings.parse_setting(f"{key}={settings.format_value(value)}") for key, value in values.items())
    assert settings.with_settings(Recipe(), parsed) == NAMED[name]()
