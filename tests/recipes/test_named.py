"""The named recipes."""

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


@pytest.mark.parametrize(("key", "value"), [("augmentation.mixup_prob", 0.5), ("schedule.epochs", 3)])
def test_settings_of_a_training_by_steps_are_refused_with_lbfgs(key: str, value: float) -> None:
    """A head is fitted once, to images that are not changed."""
    with pytest.raises(SettingError, match=rf"{key} is {value}, but it must be .* with lbfgs"):
        settings.with_settings(resolve("photo-quick"), {key: value})


def test_lbfgs_refuses_every_augmentation() -> None:
    """Only the shape of the erased rectangle, of which there is none, may have any value."""
    augmentation = {key for key in settings.to_settings(resolve("photo-quick")) if key.startswith("augmentation.")}
    assert {key.rpartition("_")[2] for key in augmentation - LBFGS_VALUES.keys()} == {"scale", "ratio"}
