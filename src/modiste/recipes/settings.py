"""Recipes as text: dotted keys on the command line, JSON in a file. Unknown keys and wrong types are errors."""

import ast
import dataclasses
import inspect
import json
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from modiste.errors import InputError, SettingError
from modiste.recipes.former_names import VALUES, rename_key
from modiste.recipes.ranges import FactoryOptions, NameOrFactory
from modiste.recipes.recipe import Recipe, Settings

SECTIONS: dict[str, type] = {
    f.name: f.type for f in dataclasses.fields(Recipe) if isinstance(f.type, type) and dataclasses.is_dataclass(f.type)
}


MAX_LISTED = 25
"""Choices that a message lists; of more, it has those that are most similar to what was typed."""

MAX_FILE_BYTES = 2**20
"""Bytes of a recipe file: a complete one has a few thousand, and one with long options of factories a few more."""


def describe(recipe: Recipe) -> list[tuple[str, Any, str]]:
    """Return each setting of a recipe: dotted key, value, and the docstring of its field on one line."""
    docstrings = _field_docstrings()
    return [(key, value, docstrings[key]) for key, value in to_settings(recipe).items()]


def reference() -> str:
    """Return every setting with type, default and explanation as Markdown: a table for each section."""
    lines = ["| setting | type | default | meaning |", "|---|---|---|---|"]
    section = ""
    for key, value, explanation in describe(Recipe()):
        if section != (section := key.rpartition(".")[0]):
            lines += ["", f"## `{section}`", "", inspect.cleandoc(SECTIONS[section].__doc__ or ""), "", *lines[:2]]
        default = f"`{json.dumps(value)}`" if value not in ("", {}) else "empty"
        lines.append(f"| `{key}` | {_describe_values(key)} | {default} | {explanation} |")
    return "\n".join(lines) + "\n"


def to_settings(recipe: Recipe) -> Settings:
    """Flatten a recipe into dotted keys, in the order of its fields."""
    return flatten(dataclasses.asdict(recipe))


def get_value(settings: Mapping[str, Any], key: str) -> Any:
    """Return the value of a dotted key of `to_settings`; None for an argument `model.options.KEY` that is not set."""
    if option := _option_name(key):
        return settings[key.removesuffix(f".{option}")].get(option)
    return settings[key]


def with_settings(recipe: Recipe, settings: Settings) -> Recipe:
    """Return a copy of the recipe with the values of some dotted keys replaced. `model` alone is `model.name`.

    `model.options.KEY` adds an argument to those of the recipe, or replaces it; `model.options` replaces all.

    Raises:
        SettingError: a key does not exist or was renamed, or a value has the wrong type or breaks a rule.
    """
    changes: dict[str, dict[str, Any]] = {}
    for typed_key, value in settings.items():
        key = _full_key(typed_key)
        section, _, name = key.rpartition(".")
        if option := _option_name(key):
            section = section.removesuffix(".options")
            options = changes.setdefault(section, {}).get("options", getattr(recipe, section).options)
            changes[section]["options"] = {**options, option: _checked_option(key, value)}
        else:
            changes.setdefault(section, {})[name] = _checked(key, value, _field_type(key))
    top = changes.pop("", {})
    sections = {name: dataclasses.replace(getattr(recipe, name), **inner) for name, inner in changes.items()}
    return dataclasses.replace(recipe, **sections, **top)


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """Return the recipe with absolute paths of its files; teachers stay relative, as in the named recipes."""
    data, weights = recipe.data, recipe.model.weights
    paths = {"data.source": data.source, "data.corrections": data.corrections, "model.weights": weights}
    absolute = {key: str(Path(path).resolve()) for key, path in paths.items() if path and path != "imagenet"}
    return with_settings(recipe, absolute)


def parse_setting(text: str) -> tuple[str, Any]:
    """Split `optimizer.lr=0.02` into key and value: JSON, or text if it is not JSON or the setting takes text.

    Raises:
        SettingError: there is no equals sign, or there is no such setting.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SettingError(f"{text!r} is not a setting. Write key=value, as in optimizer.lr=0.02.")
    full_key = _full_key(key)
    is_text = not _option_name(full_key) and _field_type(full_key) in (str, tuple[str, ...])
    as_typed: Any = {"parse_int": str, "parse_float": str, "parse_constant": str} if is_text else {}
    try:
        parsed = json.loads(value, **as_typed)
    except (ValueError, RecursionError):
        return key, value
    return key, value if is_text and not isinstance(parsed, str | list) else parsed


def format_value(value: Any) -> str:
    """Return a value as `parse_setting` takes it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def to_json(recipe: Recipe) -> str:
    """Write a complete recipe as JSON; `from_json` reads it back to an equal one."""
    return json.dumps(dataclasses.asdict(recipe), indent=2) + "\n"


def from_json(text: str, origin: str) -> Recipe:
    """Read a complete or partial recipe; what is left out has its default.

    Raises:
        InputError: the text is not a JSON object; the message names its `origin`, a file.
        SettingError: as `with_settings`.
    """
    return with_settings(Recipe(), flatten(_parse(text, origin)))


def read(path: Path) -> Recipe:
    """Read a recipe from a JSON file; raises as `from_json`, or InputError when the file cannot be read."""
    return with_settings(Recipe(), flatten(read_content(path)))


def read_content(path: Path) -> dict[str, Any]:
    """Read the sections of a recipe from a JSON file; raises InputError when it cannot be read or is no JSON object."""
    try:
        text = _read_text(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read ({reason}). Give a recipe.json or the name of a recipe.") from None
    return _parse(text, str(path))


def _read_text(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise ValueError("not a regular file")  # a FIFO could wait, and a device go on, forever
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES // 2**20} MiB")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ValueError("not text") from None


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{origin} is not JSON ({error}). Give a recipe.json that a run wrote, or a name.") from None
    if not isinstance(content, dict):
        raise InputError(f"{origin} does not hold a recipe. Give a recipe.json that a run wrote, or a name.")
    return content


def suggest(word: str, choices: Sequence[str]) -> str:
    """Return a sentence with the choice most similar to a misspelled word, or with all; of many, with the nearest."""
    ordered = sorted(choices, key=lambda choice: -_similarity(word, choice))
    if _similarity(word, ordered[0]) > 0.6:
        return f"Did you mean {ordered[0]!r}?"
    is_long, separator = len(choices) > MAX_LISTED, "; " if any("," in choice for choice in choices) else ", "
    return f"The nearest are: {separator.join(ordered[:5])}." if is_long else f"There are: {separator.join(choices)}."


def _similarity(word: str, choice: str) -> float:
    """Compare two dotted names from 0 to 1.1, by the last part of each or a word of it, as in `augmentation.flip`."""
    section, _, name = word.rpartition(".")
    choice_section, _, choice_name = choice.rpartition(".")
    by_name = SequenceMatcher(None, name, choice_name).ratio()
    by_word = max(SequenceMatcher(None, name, part).ratio() for part in choice_name.replace("-", "_").split("_"))
    same_section = SequenceMatcher(None, section, choice_section).ratio()
    return max(by_name, 0.9 * by_word) + 0.1 * same_section * bool(section)


def _full_key(key: str) -> str:
    """Return the dotted key of a setting, where a section stands for its name; raise a SettingError for other keys."""
    settings = to_settings(Recipe())
    for full_key in (key, f"{key}.name"):
        if full_key in settings or _option_name(full_key):
            return full_key
    if key in SECTIONS:
        names = ", ".join(name for name in settings if name.startswith(f"{key}."))
        advice = "Name a folder with --data, or set" if key == "data" else "Set"
        raise SettingError(f"{key} is a section, not a setting. {advice} one of {names}.")
    new = rename_key(key)
    if new != key and new in {*settings, *SECTIONS}:
        raise SettingError(f"{key} was renamed to {new}. Use the new name.")
    if f"{key.partition('.options.')[0]}.options" in settings:
        raise SettingError(f"There is no setting {key!r}: its last part must be the name of an argument, as depth.")
    advice, section = suggest(key, [*SECTIONS, *settings]), key.partition(".")[0]
    in_section = [name for name in settings if name.startswith(f"{section}.")]
    if in_section and not advice.startswith("Did"):
        advice = suggest(key, in_section)
    raise SettingError(f"There is no setting {key!r}. {advice}")


def _option_name(key: str) -> str:
    """Return KEY of `model.options.KEY`, and of the same in other sections; empty for all other keys."""
    section, _, name = key.partition(".options.")
    return name if name.isidentifier() and f"{section}.options" in to_settings(Recipe()) else ""


def _field_type(key: str, include_extras: bool = False) -> Any:
    section, _, name = key.rpartition(".")
    return typing.get_type_hints(SECTIONS.get(section, Recipe), include_extras=include_extras)[name]


def _describe_values(key: str) -> str:
    """Describe in words which values a setting takes."""
    names = [each for each in getattr(_field_type(key, True), "__metadata__", ()) if isinstance(each, NameOrFactory)]
    return str(names[0]) if names else _type_name(_field_type(key))


def _type_name(annotation: Any) -> str:
    """Describe in words which values a field takes."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is types.UnionType:
        return " or ".join(map(_type_name, arguments))
    if origin is tuple and Ellipsis in arguments:
        return f"a list of {'numbers' if float in arguments else 'texts'}"
    if origin is tuple:
        return f"{len(arguments)} numbers, as in [0.1, 0.5]"
    if annotation == FactoryOptions:
        return "a JSON object"
    return {float: "a number", int: "a whole number", bool: "true or false", str: "text"}[annotation]


def _field_docstrings() -> dict[str, str]:
    """Read the docstrings below the fields of a recipe, which Python keeps in the source alone."""
    sections = {owner.__name__: f"{section}." for section, owner in SECTIONS.items()} | {"Recipe": ""}
    modules = {owner.__module__ for owner in (Recipe, *SECTIONS.values())}
    classes = [node for name in modules for node in ast.parse(inspect.getsource(sys.modules[name])).body]
    return {
        f"{sections[node.name]}{ast.unparse(field.target)}": " ".join(str(ast.literal_eval(docstring.value)).split())
        for node in classes
        if isinstance(node, ast.ClassDef)
        for field, docstring in zip(node.body, node.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(docstring, ast.Expr)
    }


def flatten(content: Mapping[str, Any]) -> Settings:
    """Return the dotted keys of the sections of a recipe, as they are in a file: `{"optimizer": {"lr": 0.02}}`."""
    flat: Settings = {}
    for key, value in content.items():
        is_section = key in SECTIONS and isinstance(value, dict)
        flat |= {f"{key}.{name}": inner for name, inner in value.items()} if is_section else {key: value}
    return flat


def _checked(key: str, value: Any, annotation: Any) -> Any:
    """Return the value in the type of its field, or raise a SettingError that describes the type."""
    if new := VALUES.get(f"{key}={value}"):
        raise SettingError(f"{key}={value} was renamed to {key}={new}. Use the new name.")
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple and Ellipsis in arguments:  # a list of any length; a single item needs no brackets
        items = value if isinstance(value, list | tuple) else [value] if value != "" else []
        return tuple(_checked(key, item, arguments[0]) for item in items)
    if origin is tuple and isinstance(value, list | tuple) and len(value) == len(arguments):
        return tuple(_checked(key, item, kind) for item, kind in zip(value, arguments, strict=True))
    if origin is types.UnionType:  # text or a list
        return _checked(key, value, arguments[not isinstance(value, str)])
    if annotation == FactoryOptions and isinstance(value, Mapping) and all(map(str.isidentifier, value)):
        return {name: _checked_option(f"{key}.{name}", option) for name, option in value.items()}
    if annotation is float and type(value) in (int, float) and abs(value) < 1e300:  # not infinity or NaN
        return float(value)
    choices = arguments if origin is typing.Literal else ()
    is_choice = any(type(value) is type(choice) and value == choice for choice in choices)
    if is_choice or (type(value) is annotation and annotation is not float):  # exactly: true is not an integer
        return value
    raise SettingError(f"{key} is {value!r}, but it must be {_type_name(annotation)}.")


def _checked_option(key: str, value: Any) -> Any:
    """Return the value of an argument as a file gives it back; raise a SettingError if JSON has no such value."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise SettingError(
            f"{key} is {value!r}, but it must be a JSON value: a number, text, true, false, null or a list."
        ) from None
