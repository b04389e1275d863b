"""Run the command line, as a process or in this process."""

import contextlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modiste.cli.main import main
from modiste.recipes import settings

TESTS = Path(__file__).parents[1]

TINY = (
    "--set=model=residual",
    "--set=model.width=2",
    "--set=optimizer.batch_size=20",
    "--set=compute.threads=1",
)
"""Settings with which any recipe trains within seconds."""

OWN = ("--set=model=helpers.network:tiny",)
"""A custom network with every kind of state."""

TRICKS = (
    "--set=augmentation.random_crop_padding=2",
    "--set=augmentation.random_erasing_prob=0.5",
    "--set=augmentation.mixup_prob=0.5",
    "--set=schedule.skip_easy_fraction=0.25",
    "--set=optimizer.ema_decay=0.9",
)
"""The tricks that the recipes leave off."""


def parse(*options: str) -> dict[str, Any]:
    """Return the settings of such options and their values."""
    return dict(settings.parse_setting(option.removeprefix("--set=")) for option in options)


def environment(**changes: str) -> dict[str, str]:
    """The environment variables of this process, with `helpers` on the Python path."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]), **changes}


def start(folder: Path, *arguments: str, code: str = "") -> subprocess.Popen[str]:
    """Start `modiste` in a folder, or Python code that calls it, and return without waiting for its end."""
    program = ["-c", code] if code else ["-m", "modiste"]
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[str]", seconds: float = 120) -> None:
    """Wait for a condition, at most until the process ends."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.0005)


def modiste(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `modiste` as a process in a folder; require the exit code and no traceback."""
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
    assert "Traceback" not in err
    return subprocess.CompletedProcess(arguments, code, out, err)


def run_in_process(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `modiste` in this process, which saves the import of PyTorch; require the exit code."""
    out, err, exit_code = io.StringIO(), io.StringIO(), 0
    original_argv = sys.argv
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        sys.argv = ["modiste", *arguments]
        try:
            main()
        except SystemExit as end:
            exit_code = int(end.code or 0)
        finally:
            sys.argv = original_argv
    assert exit_code == code, f"exit {exit_code}\n{out.getvalue()}\n{err.getvalue()}"
    return subprocess.CompletedProcess(arguments, exit_code, out.getvalue(), err.getvalue())
