"""Factories of the user's own: import, and errors with the user's file and line."""

from pathlib import Path

import pytest

from modiste.errors import InputError, SettingError
from modiste.recipes import factories


def test_a_factory_is_imported_by_its_name() -> None:
    """Also one that is an attribute of a class."""
    assert factories.find("loss.name", "pathlib:Path.cwd")() == Path.cwd()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no.such:thing", "loss.name is 'no.such:thing', which cannot be imported: .*on PYTHONPATH"),
        ("pathlib:Pfad", "has no attribute 'Pfad'"),
        ("pathlib:__name__", "a str. Name a function or a class"),
    ],
)
def test_a_factory_that_is_missing_is_a_setting_error(name: str, message: str) -> None:
    """The message has the setting and its value."""
    with pytest.raises(SettingError, match=message):
        factories.find("loss.name", name)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\nx +\n", r"SyntaxError: .* \(.*broken_0\.py, line 2\)"),
        ("import json\n\njson.loads('{')\n", r"JSONDecodeError: .* \(.*broken_1\.py, line 3\)"),
        ("import nowhere_at_all\n", r"ModuleNotFoundError: .* \(.*broken_2\.py, line 1\)"),
    ],
    ids=["0", "1", "2"],
)
def test_a_module_that_fails_is_an_error_with_its_line(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The line is the user's, not that of the library that it calls."""
    module = f"broken_{request.node.callspec.id}"
    (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingError, match=message):
        factories.find("loss.name", f"{module}:make")


def _make(width: int) -> None:
    raise ValueError("of no use,\nwhatever the width")


def test_an_error_has_the_users_file_and_line_on_one_line() -> None:
    """With the contract after it, and the exception itself as the cause."""
    line = _make.__code__.co_firstlineno + 1
    with (
        pytest.raises(SettingError) as raised,
        factories.explained("loss.name", "a:b", "The contract.", _make),
    ):
        _make(3)
    message = f"ValueError: of no use, whatever the width ({__file__}, line {line}). The contract."
    assert str(raised.value) == f"loss.name is 'a:b', which fails: {message}"
    assert isinstance(raised.value.__cause__, ValueError)


def test_wrong_arguments_have_the_line_of_the_factory() -> None:
    """The call itself is not in the user's code."""
    error = TypeError("missing argument")
    assert factories.describe(error, _make).endswith(f"({__file__}, line {_make.__code__.co_firstlineno})")
    assert factories.describe(error, Path) == "TypeError: missing argument"


def test_other_errors_are_unchanged() -> None:
    """An error of modiste has its message already; a missing package is named by the command."""
    with pytest.raises(InputError, match=r"^mine$"), factories.explained("loss.name", "a:b", "", _make):
        raise InputError("mine")
    with pytest.raises(ModuleNotFoundError), factories.explained("model.name", "timm:a", ""):
        raise ModuleNotFoundError("no timm")
