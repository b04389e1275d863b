"""The environment of a measurement: versions, processor, commit."""

import os
import platform
import re
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import modiste

PACKAGES = (
    "numpy", "pillow", "onnxruntime", "torch", "torchvision", "onnx", "safetensors", "scikit-learn", "scipy",
    "statsmodels", "timm", "pi-heif", "optuna",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """Return `commit`, `hardware` and `versions` of this process, as runs and results files record them."""
    return {"commit": commit(), "hardware": hardware(), "versions": versions()}


def hardware() -> str:
    """Return the name of the processor and the number of cores that this process may use."""
    return f"{_processor()}, {usable_cores()} core{'s' * (usable_cores() != 1)}"


def usable_cores() -> int:
    """Return how many cores the system lets this process use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Return the versions of Python, this package and the installed libraries that affect results."""
    installed = {"python": platform.python_version(), "modiste": modiste.__version__}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            installed[package] = metadata.version(package)
    return installed


def commit() -> str:
    """Return the hash of the commit of this code, with `-dirty` if files differ from it; empty outside a checkout.

    Results files are no code: a command that writes one does not make the trainings after it dirty.
    """
    try:
        if not _git("ls-files", "__init__.py"):  # installed in a folder of another repository
            return ""
        revision = _git("rev-parse", "HEAD")
        changes = _git("status", "--porcelain", "--untracked-files=no", "--", ":(top)", ":(top,exclude)results")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return revision + ("-dirty" if changes else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(modiste.__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - fixed arguments


def _processor() -> str:
    """Return the name of the processor, with family and model on Linux, as virtual machines shorten the name."""
    fields: dict[str, str] = {}
    with suppress(OSError):
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
        fields = dict(re.findall(r"^(.*?)\s*: (.*)$", first, re.MULTILINE))
    name = fields.get("model name") or platform.processor() or platform.machine()
    if not {"cpu family", "model"} <= fields.keys():
        return name
    return f"{name} (family {fields['cpu family']}, model {fields['model']})"
