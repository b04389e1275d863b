"""Rules that every command keeps."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from helpers.command import environment, modiste
from helpers.photos import fill
from modiste.cli.main import COMMANDS
from modiste.cli.main import modiste as group

LEAVES = [[name] for name in COMMANDS if name != "data"] + [["data", "verify"], ["data", "show"]]


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_every_command_has_help_and_an_example(command: list[str]) -> None:
    """`--help` works and shows a line that can be typed."""
    shown = CliRunner().invoke(group, [*command, "--help"])
    assert shown.exit_code == 0
    assert "Examples:" in shown.output
    assert f"  modiste {' '.join(command)}" in shown.output


@pytest.mark.parametrize("command", [leaf for leaf in LEAVES if leaf not in (["report"], ["serve"])], ids=" ".join)
def test_every_command_can_answer_in_json(command: list[str]) -> None:
    """Each command that prints a result has `--json`; `report` writes a page, `serve` serves one."""
    assert "--json" in CliRunner().invoke(group, [*command, "--help"]).output


@pytest.mark.parametrize("arguments", [["--help"], *([*leaf, "--help"] for leaf in LEAVES)], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """No help page waits for numpy, torch, onnxruntime or matplotlib."""
    heavy = ("torch", "numpy", "onnxruntime", "matplotlib", "scipy", "sklearn", "PIL")
    script = (
        "import sys; from modiste.cli.main import modiste\n"
        f"try: modiste({arguments!r})\n"
        f"except SystemExit: print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_is_quick() -> None:
    """`modiste --help` answers in at most 0.4 s (the best of five, so that a busy machine does not count)."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "modiste", "--help"], capture_output=True, check=True)
        times.append(time.perf_counter() - began)
    assert min(times) <= 0.4


@pytest.mark.parametrize("arguments", [["frobnicate"], ["train", "--frobnicate"], ["predict"]])
def test_a_usage_error_is_exit_2(arguments: list[str], tmp_path: Path) -> None:
    """An unknown command or option, or a missing argument, is one line that names the help page, and ends with 2."""
    (line,) = modiste(tmp_path, *arguments, code=2).stderr.splitlines()
    assert line.startswith("modiste: ")
    assert line.endswith(" --help.")


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("torch", ["train", "sprint"], "train"),
        ("timm", ["train", "photo", "--data=photos"], "photo"),
        ("fastapi", ["serve", "--port=0"], "web"),
    ],
)
def test_a_missing_extra_names_what_to_install(tmp_path: Path, module: str, arguments: list[str], extra: str) -> None:
    """Without torch, timm or FastAPI, a command says which extra to install, and leaves no run."""
    for label in ("coat", "dress"):
        fill(tmp_path / "photos" / label, 10)
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError('No module named {module}', name='{module}')")
    command = [sys.executable, "-m", "modiste", *arguments]
    variables = environment(PYTHONPATH=f"{tmp_path}:{environment()['PYTHONPATH']}")
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"pip install 'modiste[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full")
def test_a_full_disk_behind_standard_output_is_exit_4() -> None:
    """What is printed into a file on a full disk is an output that cannot be written."""
    command = [sys.executable, "-m", "modiste", "train", "--list"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr == (
        "modiste: Standard output cannot be written (No space left on device). Free space, or write to another place.\n"
    )
