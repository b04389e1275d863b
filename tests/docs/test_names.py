"""Names are the field's own words: no identifier, setting or JSON key uses a word that has to be looked up."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from modiste.recipes import former_names, settings
from modiste.recipes.recipe import Recipe

ROOT = Path(__file__).parents[2]
FOLDERS = ("src/modiste", "benchmarks", "tools")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if path.stat().st_size)

PARTICIPLES = {"told", "known", "kept", "seen", "found", "judged", "given", "made", "written", "refused"}
"""As names of things they do not say of what."""

WORDS = PARTICIPLES | {
    "allowed", "coarse", "colour", "damaged", "desk", "entries", "facts", "intake", "judge", "look", "looks",
    "mirrored", "mixing", "plateau", "sees", "softened", "strange", "sureness", "together", "triangle", "watch",
    "whole", "wrong",
}  # fmt: skip
"""Words that stood in names, and whose better ones are the terms of PyTorch, scikit-learn or FastAPI."""

NAMES = {
    "DenseConv2d", "Known", "Part", "Prepared", "Share", "Told", "drop_path", "epoch_kept", "erasing", "initialisation",
    "inside", "keeps", "lr_head", "lr_rest", "number", "room", "second_look",
}  # fmt: skip
"""Names that are not to come back, though their words may stand in others."""

OF_LIBRARIES = {"connection_made"}
"""Methods that a library calls: asyncio."""


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Each name that the code gives: of a function, class, argument, variable, attribute, or key of a dictionary."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.Dict(keys=keys):
                yield from ((k.lineno, str(k.value)) for k in keys if isinstance(k, ast.Constant))
            case ast.Subscript(slice=ast.Constant(value=str(key))):
                yield node.lineno, key


def words(name: str) -> list[str]:
    """`snake_case` and `CamelCase` as words; of a sentence none."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)] if name.isidentifier() else []


def odd(code: str) -> list[str]:
    """The names in some code that use a word of the lists."""
    return [
        f"line {line}: {name}"
        for line, name in names(ast.parse(code))
        if name not in OF_LIBRARIES and (name in NAMES or WORDS & set(words(name)))
    ]  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_are_terms_of_the_field(path: Path) -> None:
    """No name in the file uses a word of the lists above."""
    assert odd(path.read_text(encoding="utf-8")) == []


def test_settings_have_their_new_names() -> None:
    """No setting is called as it once was."""
    assert not former_names.SETTINGS.keys() & settings.to_settings(Recipe()).keys()


@pytest.mark.parametrize(
    "code", ["def told(): ...", "kept = 1", "x['looks']", "{'seen_by': 1}", "class DeskWatch: ..."]
)
def test_an_odd_name_is_noticed(code: str) -> None:
    """Wherever a name can be given."""
    assert len(odd(code)) == 1
