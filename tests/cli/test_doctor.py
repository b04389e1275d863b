"""The command `modiste doctor`."""

import json
from pathlib import Path

import pytest

from helpers.command import run_in_process
from modiste.cli import installation
from modiste.cli.main import COMMANDS, EXTRAS
from modiste.inference import bundled_files


def test_an_installation_is_checked(tmp_path: Path) -> None:
    """Files and the prediction are right; speed, memory and space depend on the machine."""
    result = json.loads(run_in_process(tmp_path, "doctor", "--json").stdout)
    checks = {each["name"]: each for each in result["checks"]}
    assert {name for name, each in checks.items() if each["passed"]} >= {"models", "data", "prediction"}
    assert {"versions", "hardware", "missing", "passed"} <= result.keys()
    assert list(tmp_path.iterdir()) == []


def test_a_changed_model_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do, and exit code 2."""
    monkeypatch.setitem(bundled_files.SHA256, "photo", "0" * 64)
    output = run_in_process(tmp_path, "doctor", code=2).stdout
    assert "FAILED  models: The bundled model photo is damaged" in output
    assert "Install modiste again" in output


def test_another_prediction_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a runtime that computes wrong numbers."""
    monkeypatch.setattr(installation, "GOLDEN_PROBABILITY", 0.5)
    check = installation._check_prediction()
    assert (check.passed, "99.5" in check.result) == (False, True)


def test_missing_packages_are_listed_with_their_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """And how to install them."""
    find_spec = installation.find_spec
    monkeypatch.setattr(installation, "find_spec", lambda name: None if name == "fastapi" else find_spec(name))
    missing = {each.extra: each for each in installation.missing_packages()}
    assert missing["web"].packages == ("fastapi",)
    assert (missing["web"].commands, missing["web"].advice) == (("serve",), "pip install 'modiste[web]'")


def test_every_extra_has_its_commands() -> None:
    """And names none that does not exist."""
    assert EXTRAS.keys() <= installation.COMMANDS_OF_EXTRA.keys()
    commands = [each for names in installation.COMMANDS_OF_EXTRA.values() for each in names if each[0] != "-"]
    assert {each.split()[0] for each in commands} <= COMMANDS.keys()


def test_a_folder_that_cannot_be_written_to_is_found(tmp_path: Path) -> None:
    """Its error is the result."""
    check = installation._run("current folder", lambda: installation._check_folder("x", tmp_path / "missing"))
    assert (check.passed, "missing" in check.result) == (False, True)
