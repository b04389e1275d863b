"""The checks of `modiste doctor`."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from modiste.cli.main import EXTRAS
from modiste.errors import ModisteError

GOLDEN = {
    "fashion-mnist": ("ankle-boot.png", "Ankle boot", 0.9954),
    "photo": ("t-shirt-top.jpg", "T-shirt/top", 0.9958),
}
"""For each bundled model an image, and what the model predicts for it."""

TOLERANCE = 0.005
"""Of the probability: 8-bit products differ a little between processors."""

MIN_MEMORY, MIN_DISK = 1_000, 1_000
"""Megabytes, for a training of Fashion-MNIST and its run."""

MIN_IMAGES_PER_SECOND = 50
"""A processor of the last ten years does many times as much on one thread."""

SPEED_IMAGES = 200

COMMANDS_OF_EXTRA = {
    "train": ("train", "evaluate", "demo", "bench", "ablate", "tune", "audit", "export --int8"),
    "photo": ("train photo",),
    "audit": ("audit",),
    "parquet": ("--data X.parquet",),
    "tensorboard": ("train --tensorboard",),
    "mlflow": ("train --mlflow",),
    "tune": ("tune",),
    "web": ("serve",),
    "report": ("report", "compare", "evaluate"),
    "pdf": ("report --format pdf",),
    "cluster": ("bench --cluster", "ablate --cluster", "tune --cluster", "predict --cluster"),
    "heic": ("predict X.heic",),
}
"""The commands that need an extra."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its result in a few words, and what to do if it failed."""

    name: str
    passed: bool
    result: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class MissingExtra:
    """Packages that are not installed, the commands that need them, and how to install them."""

    extra: str
    packages: tuple[str, ...]
    commands: tuple[str, ...]
    advice: str


def check() -> list[Check]:
    """Run all checks; one that cannot be run has failed."""
    checks: dict[str, Callable[[], Check]] = {
        "models": _check_models,
        "data": _check_data,
        **{f"prediction of {name}": partial(_check_prediction, name) for name in GOLDEN},
        "speed": _check_speed,
        "memory": _check_memory,
        "temporary files": lambda: _check_folder("temporary files", Path(tempfile.gettempdir())),
        "current folder": lambda: _check_folder("current folder", Path.cwd()),
    }
    return [_run(name, each) for name, each in checks.items()]


def missing_packages() -> list[MissingExtra]:
    """Return the extras of which packages are not installed."""
    extras = {**EXTRAS, "heic": ("pi_heif",)}
    missing = {extra: tuple(name for name in names if find_spec(name) is None) for extra, names in extras.items()}
    return [
        MissingExtra(extra, names, COMMANDS_OF_EXTRA[extra], f"pip install 'modiste[{extra}]'")
        for extra, names in missing.items()
        if names
    ]


def _run(name: str, function: Callable[[], Check]) -> Check:
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - a broken package may raise anything when it is imported
        text = str(error) if isinstance(error, ModisteError | OSError) else f"{type(error).__name__}: {error}"
        return Check(name, False, text.partition("\n")[0], "Install modiste and its packages again, or free space.")


def _check_models() -> Check:
    """Compare the bundled models with their SHA-256."""
    from modiste.inference import bundled_files

    for name in bundled_files.NAMES:
        bundled_files.verify_sha256(name, bundled_files.bundled_file(name).read_bytes())
    return Check("models", True, f"{' and '.join(bundled_files.NAMES)} are the published files")


def _check_data() -> Check:
    from modiste.data import fashion_mnist

    altered = [str(record["file"]) for record in fashion_mnist.verify() if not record["published"]]
    result = f"{', '.join(altered)} differ from the published files" if altered else "Fashion-MNIST is as published"
    return Check("data", not altered, result, "Install modiste again.")


def _check_prediction(model: str) -> Check:
    """Predict a bundled image: another label or probability means that the runtime computes something else here."""
    from modiste.inference import model_file

    file, label, expected = GOLDEN[model]
    sample = resources.files("modiste") / "assets" / "samples" / file
    (prediction,) = model_file.load(model, 1).predict([sample.read_bytes()])
    probability = prediction.probability or 0.0
    passed = prediction.label == label and abs(probability - expected) <= TOLERANCE
    result = f"{file} is {prediction.label}, {probability:.2%} (elsewhere {expected:.2%})"
    advice = "Install another version of onnxruntime, and please report this."
    return Check(f"prediction of {model}", passed, result, advice)


def _check_speed() -> Check:
    import numpy as np

    from modiste.inference import model_file

    model = model_file.load("fashion-mnist", 1)
    images = np.zeros((SPEED_IMAGES, *model.image_shape), np.uint8)
    model.probabilities(images[:1])
    started = time.perf_counter()
    model.probabilities(images)
    speed = SPEED_IMAGES / (time.perf_counter() - started)
    advice = "End other programs, or use a machine with a newer processor."
    return Check("speed", speed >= MIN_IMAGES_PER_SECOND, f"{speed:,.0f} images per second on one thread", advice)


def _check_memory() -> Check:
    megabytes = _available_memory()
    if megabytes is None:
        return Check("memory", True, "not known on this system")
    advice = f"End other programs: a training needs about {MIN_MEMORY:,} MB, or lower optimizer.batch_size."
    return Check("memory", megabytes >= MIN_MEMORY, f"{megabytes:,} MB available", advice)


def _available_memory() -> int | None:
    """Return the available memory in megabytes, of the machine or of the container; None where it is not known."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    machine = [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    available = [*machine, *_cgroup_memory(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))]
    return min(available) // 10**6 if available else None


def _cgroup_memory(own: Path, root: Path) -> Iterator[int]:
    """Yield what each limit on the memory of this process leaves, in bytes, by version 1 or 2 of control groups.

    Args:
        own: lists the groups of the process, as `/proc/self/cgroup`.
        root: has a folder for each group.
    """
    lines = own.read_text(encoding="utf-8").splitlines() if own.is_file() else []
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers not in ("", "memory"):
            continue
        files = ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else ("memory.max", "memory.current")
        group = Path(path)
        for each in (group, *group.parents):
            folder = root / controllers / each.relative_to("/")
            with suppress(OSError, ValueError):  # "max" is no limit
                limit, used = (int((folder / file).read_text(encoding="ascii")) for file in files)
                statistics = dict(line.split() for line in (folder / "memory.stat").read_text("ascii").splitlines())
                cached = statistics.get("total_inactive_file") or statistics.get("inactive_file") or 0
                yield max(0, limit - used + int(cached))


def _check_folder(name: str, path: Path) -> Check:
    """Write to a folder, and look how much space it has."""
    with tempfile.TemporaryFile(dir=path) as file:
        file.write(bytes(2**20))
        file.flush()
    megabytes = shutil.disk_usage(path).free // 10**6
    advice = f"Free space: a run takes up to {MIN_DISK:,} MB while it is trained."
    return Check(name, megabytes >= MIN_DISK, f"{path} can be written to, {megabytes:,} MB free", advice)
