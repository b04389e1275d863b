"""Rules for all commands."""

import os
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from helpers.command import environment, modiste, run_in_process
from helpers.photos import fill
from modiste.cli import main as main_module
from modiste.cli.main import COMMANDS
from modiste.cli.main import modiste as group

LEAVES = [[name] for name in COMMANDS if name != "data"] + [["data", "verify"], ["data", "show"]]


def find_command(path: list[str]) -> click.Command:
    """Return the command of that name, or of a name and that of its subcommand."""
    command: click.Command = group
    for name in path:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name) or command
    return command


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_every_command_has_help_and_an_example(command: list[str]) -> None:
    """`--help` prints an example of a command line, and says what each option does."""
    result = CliRunner().invoke(group, [*command, "--help"])
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert f"  modiste {' '.join(command)}" in result.output
    assert all(option.help for option in find_command(command).params if isinstance(option, click.Option))


@pytest.mark.parametrize("command", [leaf for leaf in LEAVES if leaf not in (["report"], ["serve"])], ids=" ".join)
def test_every_command_with_a_result_has_json_output(command: list[str]) -> None:
    """All have `--json` but `report`, which writes a page, and `serve`."""
    assert "--json" in CliRunner().invoke(group, [*command, "--help"]).output


@pytest.mark.parametrize("arguments", [["--help"], *([*leaf, "--help"] for leaf in LEAVES)], ids=" ".join)
def test_help_imports_no_large_library(arguments: list[str]) -> None:
    """Help pages do not import NumPy, PyTorch, ONNX Runtime or Matplotlib."""
    libraries = ("torch", "numpy", "onnxruntime", "matplotlib", "scipy", "sklearn", "PIL")
    script = (
        "import sys; from modiste.cli.main import modiste\n"
        f"try: modiste({arguments!r})\n"
        f"except SystemExit: print([name for name in {libraries!r} if name in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stdout.splitlines()[-1] == "[]"


def test_help_is_quick() -> None:
    """`modiste --help` takes at most 0.4 s, as the minimum of five runs, so that other processes do not matter."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "modiste", "--help"], capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    assert min(times) <= 0.4


@pytest.mark.parametrize("arguments", [["frobnicate"], ["train", "--frobnicate"], ["predict"]])
def test_a_usage_error_exits_with_2(arguments: list[str], tmp_path: Path) -> None:
    """An unknown command or option, or a missing argument, is one line that names the help page."""
    (line,) = modiste(tmp_path, *arguments, code=2).stderr.splitlines()
    assert line.startswith("modiste: ")
    assert line.endswith(" --help.")


PATHS = [
    (leaf, option.opts[0])
    for leaf in LEAVES
    for option in find_command(leaf).params
    if isinstance(option, click.Option) and isinstance(option.type, click.Path | click.types.StringParamType)
]
"""Every command with each of its options that takes a path, a name or another text."""


@pytest.mark.parametrize(("command", "option"), PATHS, ids="".join)
@pytest.mark.parametrize("form", ["{}=", "{} "])
def test_an_empty_value_is_refused(command: list[str], option: str, form: str, tmp_path: Path) -> None:
    """An unset shell variable is not a default; nothing is written."""
    finished = run_in_process(tmp_path, *command, *form.format(option).split(" "), code=2)
    (line,) = finished.stderr.splitlines()
    assert line.startswith(f"modiste: The value after {option} is empty")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [["predict", "--json", ""], ["evaluate", ""], ["train", "--resume", " "], ["train", "sprint", "--set="]],
)
def test_an_empty_argument_is_refused(arguments: list[str], tmp_path: Path) -> None:
    """Also a blank one."""
    assert "is empty. Give one" in run_in_process(tmp_path, *arguments, code=2).stderr


@pytest.mark.parametrize("command", [["train", "sprint"], ["demo"], ["bench", "sprint"]], ids=" ".join)
@pytest.mark.parametrize("name", ["a/../..", "..", ".", "/"])
def test_a_name_that_leads_elsewhere_is_refused(command: list[str], name: str, tmp_path: Path) -> None:
    """No empty folder is left."""
    assert f"--name is '{name}'" in run_in_process(tmp_path, *command, "--name", name, code=2).stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "suffix"),
    [
        (["predict", "--heatmap", "a.jpg", "photo.jpg"], ".png"),
        (["data", "show", "--out", "a.jpg"], ".png"),
        (["report", "run", "--out", "a.docx"], ".html"),
        (["export", "run", "--out", "a.pt"], ".onnx"),
    ],
    ids="".join,
)
def test_a_file_of_another_format_is_refused(command: list[str], suffix: str, tmp_path: Path) -> None:
    """The suffix says what is written."""
    assert f"must end in {suffix}" in run_in_process(tmp_path, *command, code=2).stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modules", "arguments", "extra"),
    [
        ("torch", ["train", "sprint"], "train"),
        ("scipy torch", ["demo"], "train"),
        ("timm", ["train", "photo", "--data=photos"], "photo"),
        ("fastapi", ["serve", "--port=0"], "web"),
        ("ray", ["bench", "sprint", "--cluster=auto"], "cluster"),
        ("ray", ["tune", "sprint", "--cluster=auto"], "cluster"),
        ("ray", ["predict", "photos", "--cluster=auto", "--out=labels"], "cluster"),
    ],
)
def test_the_error_for_a_missing_extra_has_the_install_command(
    tmp_path: Path, modules: str, arguments: list[str], extra: str
) -> None:
    """Without PyTorch, timm, FastAPI or Ray a command says which extra to install, and creates no run."""
    for label in ("coat", "dress"):
        fill(tmp_path / "photos" / label, 10)
    for name in modules.split():
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name='{name}')")
    command = [sys.executable, "-m", "modiste", *arguments]
    variables = environment(PYTHONPATH=f"{tmp_path}:{environment()['PYTHONPATH']}")
    finished = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert f"pip install 'modiste[{extra}]'" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "labels").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full")
def test_standard_output_on_a_full_disk_exits_with_4() -> None:
    """It is an output that cannot be written."""
    command = [sys.executable, "-m", "modiste", "train", "--list"]
    with Path("/dev/full").open("w") as full:
        finished = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert finished.returncode == 4
    assert finished.stderr == (
        "modiste: Standard output cannot be written (No space left on device). Free space, or write to another place.\n"
    )


def test_caches_are_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of matplotlib and PyTorch, unless a variable names another; nothing is made by a command that needs none."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MPLCONFIGDIR", "elsewhere")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    main_module._set_cache_folders()
    assert os.environ["MPLCONFIGDIR"] == "elsewhere"
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "cache" / "modiste" / "torchinductor")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
