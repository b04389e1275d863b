"""The settings that a tuning changes."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from modiste.errors import SettingError
from modiste.experiments import search_space
from modiste.recipes import settings
from modiste.recipes.named import NAMED, resolve


@pytest.mark.parametrize("name", [name for name in NAMED if name != "photo-quick"])
def test_every_point_of_a_default_space_is_a_recipe(name: str) -> None:
    """Its first point is the recipe's own, where that is inside of it."""
    recipe = resolve(name)
    space = search_space.default_space(recipe)
    assert search_space.current_values(recipe, space)["optimizer.lr"] == recipe.optimizer.lr
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        settings.with_settings(recipe, search_space.suggest(study.ask(), space))


def test_settings_that_a_recipe_does_not_use_are_not_tuned() -> None:
    """ResNet-18 has no dropout, AdamW no momentum of SGD; a head that is fitted has nothing to tune."""
    assert "model.dropout" in search_space.default_space(resolve("classic-cnn"))
    assert "model.dropout" not in search_space.default_space(resolve("classic-resnet18"))
    assert "optimizer.momentum" not in search_space.default_space(resolve("photo"))
    with pytest.raises(SettingError, match=r"has no setting that is usually tuned. Name one with --range"):
        search_space.default_space(resolve("photo-quick"))


def test_ranges_of_the_command_line() -> None:
    """Numbers of a setting have its type; a wide range is logarithmic; several values are a choice."""
    texts = [
        "optimizer.lr=0.001..0.1",
        "optimizer.momentum=0.8..0.95",
        "schedule.patience=1..4",
        "optimizer.batch_size=64,128",
        "augmentation.horizontal_flip=true,false",
        "model=cnn,resnet18",
    ]
    space = search_space.parse_ranges(resolve("classic-cnn"), texts)
    assert space == {
        "optimizer.lr": FloatDistribution(0.001, 0.1, log=True),
        "optimizer.momentum": FloatDistribution(0.8, 0.95),
        "schedule.patience": IntDistribution(1, 4),
        "optimizer.batch_size": CategoricalDistribution([64, 128]),
        "augmentation.horizontal_flip": CategoricalDistribution([True, False]),
        "model.name": CategoricalDistribution(["cnn", "resnet18"]),
    }
    described = [f"{key}={values}" for key, values in search_space.describe(space).items()]
    assert search_space.parse_ranges(resolve("classic-cnn"), described) == space


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.lr", "is not a setting"),
        ("optimizer.rate=1..2", "There is no setting"),
        ("optimizer.lr=1..0.1", "smaller first"),
        ("optimizer.lr=a..b", "is not a range of numbers"),
        ("schedule.patience=1..2.5", "is not a range of whole numbers"),
        ("optimizer.lr=0.1", "is not a choice of different values"),
        ("optimizer.batch_size=64,64", "is not a choice of different values"),
        ("optimizer.lr=-1..1", "above 0"),
        ("model.dropout=0..1", "at least 0 and below 1"),
        ("model=a..b", "is not a range of numbers"),
        ("augmentation.horizontal_flip=0..1", "is not a range of a number"),
    ],
)
def test_a_range_that_cannot_be_tuned_is_refused(text: str, message: str) -> None:
    """The sentence says how to write it."""
    with pytest.raises(SettingError, match=message):
        search_space.parse_ranges(resolve("classic-cnn"), [text])


def test_arguments_of_own_functions_are_tuned() -> None:
    """A range is of whole numbers if both ends are; of an argument that is not set, the first value is tried first."""
    own = {"model.name": "my:net", "model.options.depth": 2, "model.options.rate": 0, "model.init": "default"}
    recipe = settings.with_settings(
        resolve("sprint"), {**own, "loss.name": "my:loss", "optimizer.label_smoothing": 0.0}
    )
    texts = [
        "model.options.depth=1..3",
        "model.options.rate=0..0.5",
        "loss.options.gamma=1,2",
        "model.options.width=8..9",
    ]
    space = search_space.parse_ranges(recipe, texts)
    assert space == {
        "model.options.depth": IntDistribution(1, 3),
        "model.options.rate": FloatDistribution(0, 0.5),
        "loss.options.gamma": CategoricalDistribution([1, 2]),
        "model.options.width": IntDistribution(8, 9),
    }
    first = search_space.current_values(recipe, space)
    assert list(first.values()) == [2, 0, 1, 8]
    assert not search_space.are_current(recipe, first)
    assert search_space.are_current(recipe, {"model.options.depth": 2, "optimizer.lr": recipe.optimizer.lr})
    with pytest.raises(SettingError, match="is not a range of numbers"):
        search_space.parse_ranges(recipe, ["model.options.depth=a..b"])


def test_numbers_are_rounded() -> None:
    """A recipe.json is read by people."""
    assert search_space.round_values({"a": 0.0123456, "b": 3, "c": "x"}) == {"a": 0.0123, "b": 3, "c": "x"}
