"""The tricks of the named recipes."""

import pytest

from modiste.errors import SettingError
from modiste.experiments import tricks
from modiste.experiments.tricks import Row
from modiste.recipes import settings
from modiste.recipes.named import NAMED, resolve


@pytest.mark.parametrize("name", NAMED)
def test_every_row_is_a_recipe_that_differs(name: str) -> None:
    """No two rows have the same name or train the same recipe."""
    recipe = resolve(name)
    rows = tricks.find_rows(recipe)
    changed = [settings.to_json(settings.with_settings(recipe, row.settings)) for row in rows]
    assert settings.to_json(recipe) not in changed
    assert len(set(changed)) == len({row.name for row in rows}) == len(rows)


def test_the_rows_of_the_course_reports_cnn() -> None:
    """Each trick of the report is taken out, those that it does not use in the end are taken in."""
    assert [row.name for row in tricks.find_rows(resolve("classic-cnn"))] == [
        "a third of the learning rate",
        "three times the learning rate",
        "without momentum, learning rate 0.1",
        "without momentum",
        "without Nesterov momentum",
        "constant learning rate",
        "without early stopping",
        "without Xavier initialization",
        "without batch norm",
        "without dropout",
        "without horizontal flips",
        "with random crops (padding 1)",
        "with random crops (padding 4)",
        "with random erasing (probability 0.5)",
    ]


def test_the_rows_of_the_resnet_have_its_architecture() -> None:
    """It has no dropout; its stem, batch norm and weight decay are rows."""
    names = {row.name for row in tricks.find_rows(resolve("classic-resnet18"))}
    assert {"3 x 3 stem without pooling", "without batch norm", "without weight decay"} <= names
    assert "without dropout" not in names


def test_rows_of_the_command_line() -> None:
    """A setting is a row of that name; with a name before it, several settings can be one row."""
    assert tricks.parse_rows(
        ["optimizer.lr=0.1", "slow=optimizer.lr=0.001", "slow=schedule.epochs=80", "model=a.b:c", "a b=model.dropout=0"]
    ) == (
        Row("optimizer.lr=0.1", {"optimizer.lr": 0.1}),
        Row("slow", {"optimizer.lr": 0.001, "schedule.epochs": 80}),
        Row("model=a.b:c", {"model": "a.b:c"}),
        Row("a b", {"model.dropout": 0}),
    )


@pytest.mark.parametrize("text", ["fast", "fast=learning_rate=1", "optimizer.momentm=0.5"])
def test_a_row_of_no_setting_is_refused(text: str) -> None:
    """With the usual sentence about settings."""
    with pytest.raises(SettingError, match=r"not a setting|There is no setting"):
        tricks.parse_rows([text])
