"""Commands and links in all pages, code and tables in the READMEs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from modiste.cli.main import COMMANDS
from modiste.cli.main import modiste as group

ROOT = Path(__file__).parents[2]
READMES = ["README.md", "README.zh-CN.md"]
LINE = re.compile(r"^ {4,}(?:\.venv/bin/)?modiste (.+)$", re.MULTILINE)


PAGES = [*(ROOT / name for name in (*READMES, "CONTRIBUTING.md", "SECURITY.md")), *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_is_valid(page: Path) -> None:
    """Each `modiste ...` line has an existing command and existing options."""
    for line in LINE.findall(page.read_text(encoding="utf-8")):
        name, *arguments = shlex.split(line.partition("#")[0])
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), arguments.pop(0))
        assert command, line
        options = {option for parameter in command.params for option in parameter.opts}
        assert {argument.partition("=")[0] for argument in arguments if argument.startswith("--")} <= options, line


@pytest.mark.parametrize("name", READMES)
def test_every_command_is_described(name: str) -> None:
    """The table of commands is complete."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [command for command in COMMANDS if f"`modiste {command}" not in text] == []


@pytest.mark.parametrize("name", READMES)
def test_the_python_example_runs(name: str, tmp_path: Path) -> None:
    """It works unchanged with the bundled model and a bundled sample."""
    (code,) = re.findall(r"```python\n(.+?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    sample = ROOT / "src" / "modiste" / "assets" / "samples" / "ankle-boot.png"
    (tmp_path / "boot.png").write_bytes(sample.read_bytes())
    finished = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert finished.stdout.startswith("Ankle boot ")


def test_the_results_tables_are_up_to_date() -> None:
    """`python tools/results_tables.py` writes them from `results/`."""
    command = [sys.executable, str(ROOT / "tools" / "results_tables.py"), "--check"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_exist(page: Path) -> None:
    """Every relative link and image has its file, and every link to a heading its heading."""
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        if "://" not in path:
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in headings(target), link


def headings(page: Path) -> set[str]:
    """The names by which links find the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
