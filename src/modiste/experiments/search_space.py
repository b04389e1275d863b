"""What a tuning may change: for each setting a range of numbers or a choice of values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from modiste.errors import SettingError
from modiste.experiments.tricks import DROPOUT_NETWORKS
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe, Settings

Distribution = FloatDistribution | IntDistribution | CategoricalDistribution
Space = dict[str, Distribution]
"""The values that each setting may have, by its dotted key."""

DIGITS = 3
"""Significant digits of the numbers that are tried."""

LOG_RATIO = 10
"""A range whose ends differ by this factor is searched on a logarithmic scale."""


def default_space(recipe: Recipe) -> Space:
    """Return the settings of a recipe that are usually tuned, without those that it does not use.

    Raises:
        SettingError: there is none, as only a head is fitted.
    """
    space = {key: distribution for key, distribution in _candidates(recipe) if _fits(recipe, key, distribution)}
    if recipe.optimizer.name == "lbfgs":
        raise SettingError(f"{recipe.name} has no setting that is usually tuned. Name one with --range KEY=LOW..HIGH.")
    return space


def _candidates(recipe: Recipe) -> Iterator[tuple[str, Distribution]]:
    optimizer, model, schedule, is_rgb = recipe.optimizer, recipe.model, recipe.schedule, recipe.data.channels == 3
    yield "optimizer.lr", FloatDistribution(optimizer.lr / 10, optimizer.lr * 10, log=True)
    if optimizer.name != "adamw":
        yield "optimizer.momentum", FloatDistribution(0.6, 0.98)
    low = 1e-3 if optimizer.name == "adamw" else 1e-5
    yield "optimizer.weight_decay", FloatDistribution(low, max(1000 * low, 10 * optimizer.weight_decay), log=True)
    sizes = (optimizer.batch_size // 2, optimizer.batch_size, 2 * optimizer.batch_size)
    yield "optimizer.batch_size", CategoricalDistribution(sizes)
    yield "optimizer.label_smoothing", FloatDistribution(0.0, 0.2)
    if model.name in DROPOUT_NETWORKS:
        yield "model.dropout", FloatDistribution(0.0, 0.7)
    if schedule.name == "one_cycle":
        yield "schedule.warmup_fraction", FloatDistribution(0.05, 0.5)
    if schedule.skip_easy_fraction:
        yield "schedule.skip_easy_fraction", FloatDistribution(0.0, 0.8)
    yield "augmentation.random_erasing_prob", FloatDistribution(0.0, 0.5)
    if is_rgb:
        yield "augmentation.random_resized_crop_scale", FloatDistribution(0.2, 1.0)
    else:
        yield "augmentation.random_crop_padding", IntDistribution(0, 4)


def parse_ranges(recipe: Recipe, texts: Sequence[str]) -> Space:
    """Parse `KEY=LOW..HIGH`, the numbers of a range, and `KEY=A,B,C`, a choice of values.

    Raises:
        SettingError: there is no such setting, or it cannot have these values.
    """
    return dict(_parse_range(recipe, text) for text in texts)


def _parse_range(recipe: Recipe, text: str) -> tuple[str, Distribution]:
    key, _, values = text.partition("=")
    key = "model.name" if key == "model" else key
    settings.parse_setting(text)  # raises for an unknown key
    low, dots, high = values.partition("..")
    current = settings.to_settings(recipe).get(key, _common_value(key, low, high))
    distribution = _parse_numbers(text, low, high, current) if dots else _parse_choices(text, key, values.split(","))
    for end in _ends(distribution):
        settings.with_settings(recipe, {key: end})
    return key, distribution


def _common_value(key: str, low: str, high: str) -> Any:
    """Return one of the ends of an argument's range; a number that is not whole if one is."""
    ends = [settings.parse_setting(f"{key}={end}")[1] for end in (low, high)]
    return next((end for end in ends if isinstance(end, float)), ends[0])


def _parse_numbers(text: str, low: str, high: str, current: Any) -> Distribution:
    is_int = type(current) is int
    try:
        ends = int(low) if is_int else float(low), int(high) if is_int else float(high)
    except ValueError:
        kind = "whole numbers" if is_int else "numbers"
        raise SettingError(f"{text!r} is not a range of {kind}. Write KEY=LOW..HIGH, or KEY=A,B,C.") from None
    if type(current) not in (int, float) or not ends[0] < ends[1]:
        raise SettingError(f"{text!r} is not a range of a number, smaller first. Write KEY=LOW..HIGH, or KEY=A,B,C.")
    is_log = ends[0] > 0 and ends[1] / ends[0] >= LOG_RATIO
    if is_int:
        return IntDistribution(int(ends[0]), int(ends[1]), log=is_log)
    return FloatDistribution(*ends, log=is_log)


def _parse_choices(text: str, key: str, values: Sequence[str]) -> Distribution:
    choices = [settings.parse_setting(f"{key}={value}")[1] for value in values]
    if len(set(map(str, choices))) < max(2, len(choices)) or any(isinstance(value, list | dict) for value in choices):
        raise SettingError(f"{text!r} is not a choice of different values. Write KEY=LOW..HIGH, or KEY=A,B,C.")
    return CategoricalDistribution(choices)


def _ends(distribution: Distribution) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return distribution.low, distribution.high


def _fits(recipe: Recipe, key: str, distribution: Distribution) -> bool:
    try:
        for end in _ends(distribution):
            settings.with_settings(recipe, {key: end})
    except SettingError:
        return False
    return True


def current_values(recipe: Recipe, space: Space) -> Settings:
    """Return the values of the recipe, moved into the space where they are outside of it, or are not set."""
    values = settings.to_settings(recipe)
    return {key: _nearest(settings.get_value(values, key), distribution) for key, distribution in space.items()}


def _nearest(value: Any, distribution: Distribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return value if value in distribution.choices else distribution.choices[0]
    return distribution.low if value is None else min(max(value, distribution.low), distribution.high)


def are_current(recipe: Recipe, values: Settings) -> bool:
    """Return whether the values of a trial are those of the recipe."""
    own = settings.to_settings(recipe)
    return values == round_values({key: settings.get_value(own, key) for key in values})


def suggest(trial: Trial, space: Space) -> Settings:
    """Let Optuna choose the values of a trial; those that it already has stay."""
    return round_values({key: _suggest(trial, key, distribution) for key, distribution in space.items()})


def _suggest(trial: Trial, key: str, distribution: Distribution) -> Any:
    match distribution:
        case FloatDistribution(low=low, high=high, log=log):
            return trial.suggest_float(key, low, high, log=log)
        case IntDistribution(low=low, high=high, log=log):
            return trial.suggest_int(key, low, high, log=log)
    return trial.suggest_categorical(key, distribution.choices)


def round_values(values: Mapping[str, Any]) -> Settings:
    """Round the numbers that Optuna chose, as they are used."""
    return {key: float(f"{v:.{DIGITS}g}") if isinstance(v, float) else v for key, v in values.items()}


def describe(space: Mapping[str, Distribution]) -> dict[str, str]:
    """Return each range or choice as text, as `--range` takes it."""
    return {
        key: ",".join(map(settings.format_value, distribution.choices))
        if isinstance(distribution, CategoricalDistribution)
        else f"{distribution.low:g}..{distribution.high:g}"
        for key, distribution in space.items()
    }
