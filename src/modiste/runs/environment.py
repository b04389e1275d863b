"""The environment of a measurement: versions, processor, commit."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import modiste

PACKAGES = (
    "numpy", "pillow", "onnxruntime", "torch", "torchvision", "onnx", "safetensors", "scikit-learn", "scipy", "timm",
    "pi-heif",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """Return `commit`, `hardware` and `versions` of this process, as runs and results files record them."""
    return {"commit": commit(), "hardware": hardware(), "versions": versions()}


def hardware() -> str:
    """Return the name of the processor and the number of cores that this process may use."""
    cores = usable_cores()
    return f"{_processor()}, {cores} core{'s' * (cores != 1)}"


def usable_cores() -> int:
    """Return how many cores the system lets this process use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Return the versions of Python, this package and the installed libraries that affect results."""
    installed = {"python": platform.python_version(), "modiste": modiste.__version__}
    for package in PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return installed


def commit() -> str:
    """Return the hash of the commit of this code, with `-dirty` if files differ from it; empty outside a checkout."""
    package = Path(modiste.__file__).parent
    try:
        revision = _git(package, "rev-parse", "HEAD")
        if not _git(package, "ls-files", "__init__.py"):  # installed in a folder of another repository
            return ""
        changes = _git(package, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return revision + ("-dirty" if changes else "")


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - fixed arguments


def _processor() -> str:
    """Return the name of the processor, with family and model on Linux, as virtual machines shorten the name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    except OSError:
        lines = []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = fields.get("model name") or platform.processor() or platform.machine()
    if not {"cpu family", "model"} <= fields.keys():
        return name
    return f"{name} (family {fields['cpu family']}, model {fields['model']})"
