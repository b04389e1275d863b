"""The named recipes."""

from pathlib import Path

import pytest

from modiste.errors import InputError, SettingError
from modiste.recipes import settings
from modiste.recipes.named import NAMED, resolve


@pytest.mark.parametrize("name", NAMED)
def test_a_recipe_reads_back_to_itself(name: str, tmp_path: Path) -> None:
    """The JSON file of a named recipe can be trained in its place."""
    file = tmp_path / "recipe.json"
    file.write_text(settings.to_json(resolve(name)))
    assert resolve(str(file)) == resolve(name)


@pytest.mark.parametrize("name", NAMED)
def test_a_recipe_has_its_name_and_says_where_its_values_are_from(name: str) -> None:
    """The name in the recipe is the one it is called by; its description says what was chosen on validation."""
    recipe = resolve(name)
    assert recipe.name == name
    assert "chosen on validation" in recipe.description


def test_a_missing_recipe_is_an_error() -> None:
    """An unknown name gets the most similar one, a missing file its path."""
    with pytest.raises(SettingError, match="Did you mean 'classic-cnn'"):
        resolve("clasic-cnn")
    with pytest.raises(InputError, match=r"nowhere\.json cannot be read"):
        resolve("nowhere.json")
