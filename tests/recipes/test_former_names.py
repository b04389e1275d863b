"""Renamed settings are errors that give the new name."""

import json

import pytest

from modiste.errors import SettingError
from modiste.recipes import settings
from modiste.recipes.former_names import SETTINGS, VALUES, rename_key
from modiste.recipes.recipe import Recipe


@pytest.mark.parametrize("key", [*SETTINGS, "network", "network.width", "network.mirrored", "stopping.patience"])
def test_a_former_name_gets_the_new_one(key: str) -> None:
    """On the command line and in a flat or nested file; the new name is a setting or a section."""
    new = rename_key(key)
    assert new in {*settings.to_settings(Recipe()), *settings.SECTIONS}
    with pytest.raises(SettingError, match=f"{key} was renamed to {new}"):
        settings.parse_setting(f"{key}=1")
    section, _, name = key.partition(".")
    with pytest.raises(SettingError, match="was renamed to"):
        settings.from_json(json.dumps({section: {name: 1} if name else 1}), "recipe.json")


@pytest.mark.parametrize(("setting", "new"), VALUES.items())
def test_a_former_value_gets_the_new_one(setting: str, new: str) -> None:
    """As `schedule.name=triangle`, which is now one_cycle."""
    key, value = setting.split("=")
    with pytest.raises(SettingError, match=f"was renamed to {key}={new}"):
        settings.with_settings(Recipe(), {key: value})
    settings.with_settings(Recipe(), {key: new})


def test_an_unknown_key_of_a_former_section_is_unknown() -> None:
    """The error about a name that never existed does not call it renamed."""
    with pytest.raises(SettingError, match=r"There is no setting 'network\.bogus'"):
        settings.parse_setting("network.bogus=1")
