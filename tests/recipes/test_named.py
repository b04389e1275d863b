"""The named recipes."""

from pathlib import Path

import pytest

from modiste.errors import InputError, SettingError
from modiste.recipes import settings
from modiste.recipes.named import NAMED, resolve


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
