"""Where a number was made: versions, processor, commit."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import modiste

PACKAGES = (
    "numpy",
    "pillow",
    "onnxruntime",
    "torch",
    "torchvision",
    "onnx",
    "safetensors",
    "scikit-learn",
    "scipy",
    "timm",
    "pi-heif",
)


def describe() -> dict[str, Any]:
    """Return `commit`, `hardware` and `versions` of this process, as results and runs record them."""
    return {"commit": commit(), "hardware": hardware(), "versions": versions()}


def hardware() -> str:
    """Name the processor and how many cores this process may use."""
    cores = usable_cores()
    return f"{_processor()}, {cores} core{'s' * (cores != 1)}"


def usable_cores() -> int:
    """How many cores the system lets this process use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Versions of Python, this package and the libraries that decide a figure; what is not installed is left out."""
    found = {"python": platform.python_version(), "modiste": modiste.__version__}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Hash of the commit this code is from, with `-dirty` when files differ from it; empty outside a checkout."""
    here = Path(modiste.__file__).parent
    try:
        revision = _git(here, "rev-parse", "HEAD")
        if not _git(here, "ls-files", "__init__.py"):  # installed below somebody else's checkout
            return ""
        changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return revision + ("-dirty" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607 - git by its name
    return done.stdout.strip()


def _processor() -> str:
    """Its name; with its family and model where the system tells them, as virtual machines shorten the name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    except OSError:
        lines = []
    known = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = known.get("model name") or platform.processor() or platform.machine()
    if not {"cpu family", "model"} <= known.keys():
        return name
    return f"{name} (family {known['cpu family']}, model {known['model']})"
