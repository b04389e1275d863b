"""Recipes as text: dotted keys on the command line, JSON in a file.

A recipe is read strictly. An unknown key is an error that names the nearest one; a value of the wrong type is an error
that names the type. So a `recipe.json` that is accepted means exactly what it says.
"""

import ast
import dataclasses
import difflib
import inspect
import json
import typing
from pathlib import Path
from typing import Any

from modiste.errors import InputError, SettingError
from modiste.recipes.recipe import Recipe, Settings

SECTIONS: dict[str, type] = {
    f.name: f.type for f in dataclasses.fields(Recipe) if isinstance(f.type, type) and dataclasses.is_dataclass(f.type)
}

MOST = 1e300
"""No number of a recipe is larger; what is not a number is not smaller either."""


def describe(recipe: Recipe) -> list[tuple[str, Any, str]]:
    """Return each setting of a recipe: dotted key, value, and the line that explains it."""
    lines = _explanations()
    return [(key, value, lines[key]) for key, value in to_settings(recipe).items()]


def _explanations() -> dict[str, str]:
    """Read the lines below the fields; Python keeps them in the source alone."""
    owners = {owner.__name__: section for section, owner in SECTIONS.items()} | {"Recipe": ""}
    found = {}
    for part in ast.parse(inspect.getsource(inspect.getmodule(Recipe) or Recipe)).body:
        if isinstance(part, ast.ClassDef):
            for field, line in zip(part.body, part.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(line, ast.Expr):
                    key = f"{owners[part.name]}.{ast.unparse(field.target)}".removeprefix(".")
                    found[key] = " ".join(str(ast.literal_eval(line.value)).split())
    return found


def to_settings(recipe: Recipe) -> Settings:
    """Flatten a recipe into dotted keys, in the order of the record."""
    flat: Settings = {}
    for key, value in dataclasses.asdict(recipe).items():
        if key in SECTIONS:
            flat.update({f"{key}.{inner}": inner_value for inner, inner_value in value.items()})
        else:
            flat[key] = value
    return flat


def with_settings(recipe: Recipe, settings: Settings) -> Recipe:
    """Return the recipe with some dotted keys replaced.

    Args:
        recipe: where to start from.
        settings: dotted keys and values. A section alone stands for its name: `network` is `model.name`.

    Raises:
        SettingError: an unknown key, a value of the wrong type, or one that its rule forbids.
    """
    known = to_settings(recipe)
    changes: dict[str, Any] = {}
    for given, value in settings.items():
        key = f"{given}.name" if f"{given}.name" in known else given
        if key not in known:
            raise SettingError(f"There is no setting {given!r}. {nearest(given, list(known))}")
        section, _, name = key.rpartition(".")
        owner = SECTIONS.get(section, Recipe)
        checked = _checked(key, value, typing.get_type_hints(owner)[name])
        if section:
            changes.setdefault(section, {})[name] = checked
        else:
            changes[name] = checked
    for section, inner in list(changes.items()):
        if section in SECTIONS:
            changes[section] = dataclasses.replace(getattr(recipe, section), **inner)
    return dataclasses.replace(recipe, **changes)


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """Return the recipe with the files it names found from any folder.

    Not so its teachers, which named recipes have too: their results would tell a path of one machine.
    """
    paths = {"data.source": recipe.data.source, "model.weights": recipe.model.weights}
    found = {key: str(Path(path).resolve()) for key, path in paths.items() if path and path != "imagenet"}
    return with_settings(recipe, found)


def parse_setting(text: str) -> tuple[str, Any]:
    """Split `optimizer.lr=0.02` into key and value; a value that is not JSON is taken as text.

    Raises:
        SettingError: there is no equals sign.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SettingError(f"{text!r} is no setting. Write key=value, as in optimizer.lr=0.02.")
    try:
        return key, json.loads(value)
    except (ValueError, RecursionError):
        return key, value


def to_json(recipe: Recipe) -> str:
    """Write a recipe out in full; `from_json` reads it back to an equal one."""
    return json.dumps(dataclasses.asdict(recipe), indent=2) + "\n"


def from_json(text: str, origin: str) -> Recipe:
    """Read a recipe; keys that are left out keep their defaults.

    Args:
        text: a JSON object of sections, as `to_json` writes it.
        origin: where the text is from, for messages.

    Raises:
        InputError: the text is not JSON, or not an object.
        SettingError: a key or value that no recipe has.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{origin} is not JSON ({error}). Give a recipe.json that a run wrote, or a name.") from None
    if not isinstance(content, dict):
        raise InputError(f"{origin} holds no recipe. Give a recipe.json that a run wrote, or a name.")
    flat: Settings = {}
    for key, value in content.items():
        if key in SECTIONS and isinstance(value, dict):
            flat.update({f"{key}.{inner}": inner_value for inner, inner_value in value.items()})
        else:
            flat[key] = value
    return with_settings(Recipe(), flat)


def read(path: Path) -> Recipe:
    """Read a recipe from a JSON file; raises as `from_json`, or InputError when the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise InputError(f"{path} cannot be read ({reason}). Give a recipe.json or the name of a recipe.") from None
    return from_json(text, str(path))


def nearest(given: str, known: list[str]) -> str:
    """Say which known word was probably meant, or list them all."""
    close = difflib.get_close_matches(given, known, n=1, cutoff=0.4)
    if not close:  # somebody who writes `lr` means `optimizer.lr`
        close = [key for key in known if key.rpartition(".")[2] == given]
    return f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(known)}."


def _checked(key: str, value: Any, annotation: Any) -> Any:
    """Return the value as its field wants it, or raise a SettingError that says what the field wants."""
    origin, choices = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            raise SettingError(f"{key} is {value!r}, but it must be one of {', '.join(map(str, choices))}.")
        return value
    if origin is tuple and choices[-1] is Ellipsis:  # as many as one likes; one alone needs no brackets
        items = value if isinstance(value, list | tuple) else [value] if value != "" else []
        return tuple(_checked(key, item, choices[0]) for item in items)
    if origin is tuple:
        if not isinstance(value, list | tuple) or len(value) != len(choices):
            raise SettingError(f"{key} is {value!r}, but it must be {len(choices)} numbers, as in [0.1, 0.5].")
        return tuple(_checked(key, item, kind) for item, kind in zip(value, choices, strict=True))
    if annotation is float and type(value) in (int, float) and abs(value) < MOST:
        return float(value)
    if type(value) is annotation and annotation is not float:  # exactly: true is no whole number
        return value
    wanted = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}[annotation]
    raise SettingError(f"{key} is {value!r}, but it must be {wanted}.")
