"""The command `modiste doctor`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.command import environment, run_in_process
from modiste.cli import installation
from modiste.cli.main import COMMANDS, EXTRAS
from modiste.inference import bundled_files


def test_an_installation_is_checked(tmp_path: Path) -> None:
    """Files and the prediction are right; speed, memory and space depend on the machine."""
    result = json.loads(run_in_process(tmp_path, "doctor", "--json").stdout)
    checks = {each["name"]: each for each in result["checks"]}
    assert {name for name, each in checks.items() if each["passed"]} >= {
        "models",
        "data",
        "prediction of fashion-mnist",
        "prediction of photo",
    }
    assert {"versions", "hardware", "missing", "passed"} <= result.keys()
    assert list(tmp_path.iterdir()) == []


def test_a_changed_model_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do, and exit code 2."""
    monkeypatch.setitem(bundled_files.SHA256, "photo", "0" * 64)
    output = run_in_process(tmp_path, "doctor", code=2).stdout
    assert "FAILED  models: The bundled model photo is damaged" in output
    assert "Install modiste again" in output


@pytest.mark.parametrize("model", bundled_files.NAMES)
def test_another_prediction_is_found(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a runtime that computes wrong numbers."""
    file, label, _ = installation.GOLDEN[model]
    monkeypatch.setitem(installation.GOLDEN, model, (file, label, 0.5))
    check = installation._check_prediction(model)
    assert (check.passed, "99." in check.result) == (False, True)


@pytest.mark.parametrize(("package", "failed"), [("onnxruntime", "prediction of photo"), ("numpy", "speed")])
def test_a_package_that_cannot_be_imported_is_found(package: str, failed: str, tmp_path: Path) -> None:
    """Whatever it raises: the checks that need it have failed, and the others are run."""
    (tmp_path / f"{package}.py").write_text("raise ImportError('libbroken.so: cannot open\\nmore')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    command, variables = [sys.executable, "-m", "modiste", "doctor", "--json"], environment(PYTHONPATH=path)
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    assert checks[failed]["result"] == "ImportError: libbroken.so: cannot open"
    assert checks["models"]["passed"]
    assert (done.returncode, done.stderr) == (2, "")


LIMITS = {
    "0::/box/app": ("box", "memory.max", "memory.current", "inactive_file"),
    "7:memory:/box/app": ("memory/box", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    "4:memory:/not/in/this/container": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "inactive_file"),
}


@pytest.mark.parametrize("line", LIMITS)
def test_a_limit_of_a_container_is_found(line: str, tmp_path: Path) -> None:
    """On any group above that of the process; files in the cache count as free, and "max" as no limit."""
    folder, limit, used, cached = LIMITS[line]
    (tmp_path / folder / "app").mkdir(parents=True)
    for name, text in ((limit, "500"), (used, "300"), ("memory.stat", f"anon 200\n{cached} 100\n")):
        (tmp_path / folder / name).write_text(text)
    (tmp_path / folder / "app" / limit).write_text("max\n")
    (tmp_path / "own").write_text(f"3:cpu:/box\n{line}\n")
    assert list(installation._cgroup_memory(tmp_path / "own", tmp_path)) == [300]
    assert list(installation._cgroup_memory(tmp_path / "missing", tmp_path)) == []


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
