"""What is recorded of the machine and the code."""

import re
import subprocess
from pathlib import Path

import pytest

import modiste
from modiste.runs import environment


def test_the_processor_has_its_family_and_model() -> None:
    """Virtual machines give different processors one name; on Linux the numbers tell them apart."""
    cpuinfo = Path("/proc/cpuinfo")
    family = re.search(r"^cpu family\s*: (\d+)$", cpuinfo.read_text() if cpuinfo.exists() else "", re.MULTILINE)
    assert ("family" in environment.hardware()) == bool(family)
    assert not family or f"(family {family[1]}, model " in environment.hardware()


def test_a_commit_is_marked_when_the_code_differs_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty outside a checkout and in a folder of another repository; -dirty at its end after a change of the code."""
    package = tmp_path / "src" / "modiste" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text("")
    results = tmp_path / "results" / "a.json"
    results.parent.mkdir()
    results.write_text("{}")
    monkeypatch.setattr(modiste, "__file__", str(package))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert environment.commit() == ""

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=tmp_path, check=True)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "somebody else's")
    assert environment.commit() == ""
    git("add", ".")
    git("commit", "-q", "-m", "ours")
    clean = environment.commit()
    assert re.fullmatch("[0-9a-f]{40}", clean)
    results.write_text('{"n": 1}')
    assert environment.commit() == clean
    package.write_text("changed = True\n")
    assert environment.commit() == f"{clean}-dirty"
