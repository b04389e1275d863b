"""Results files: results/NAME.json, the source of every published number."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import modiste
from modiste.errors import InputError
from modiste.runs import environment, files, metrics_file, run_info
from modiste.runs.folder import Run

REQUIRED = ("recipe", "command", "commit", "hardware", "versions", "n", "runs")

REPEAT = "Restore the file, or repeat the command that wrote it."


class BadNumber(ValueError):
    """A record of a results file lacks a number, or has one that is out of its range."""


def write(path: Path, *, recipe: str, command: str, runs: list[dict[str, Any]], **figures: Any) -> None:
    """Write a results file, with the environment of this process.

    Args:
        path: of the file; its folder is made where it is missing.
        recipe: name of the recipe, or of the comparison.
        command: what to type to repeat it.
        runs: a record for each training: `seed, accuracy, loss, images, seconds, epochs, parameters, ...`.
        figures: computed over the runs: `mean, sd, interval_seeds, interval_images, ...`.
    """
    files.make_folder(path.parent)
    head = {"recipe": recipe, "command": command, **environment.describe(), "n": len(runs)}
    files.write_json(path, {**head, **figures, "runs": runs})


def read(path: Path) -> dict[str, Any]:
    """Read a results file; raises InputError when it is missing, not JSON, or lacks a required key."""
    content = files.read_json(path)
    if missing := [key for key in REQUIRED if not isinstance(content, dict) or key not in content]:
        raise InputError(f"{path} is not a results file: it lacks {', '.join(missing)}. Give one of `modiste bench`.")
    return dict(content)


def run_record(run: Run) -> dict[str, Any]:
    """Return the record of a training for a results file, without its scores."""
    rows, info = metrics_file.read(run.metrics), run_info.read(run)
    return {
        "seed": run.recipe().seed,
        "seconds": round(metrics_file.total_seconds(rows), 1),
        "teachers": list(info.teachers),
        "epochs": len(rows),
        **{key: getattr(info, key) for key in ("parameters", "precision", "threads", "device", "hardware", "commit")},
    }


def read_number(record: dict[str, Any], key: str, lowest: float = 0, highest: float = sys.float_info.max) -> float:
    """Return a number of a record; raises BadNumber if it is missing, none, or out of its range."""
    if key not in record:
        raise BadNumber(f"has no {key}")
    value = record[key]
    if type(value) not in (int, float) or not lowest <= value <= highest:
        limits = f"from {lowest} to {highest}" if highest == 1 else f"of at least {lowest}"
        raise BadNumber(f"has {key} {value!r}, but it must be a number {limits}")
    return float(value)


def count_images(records: Sequence[dict[str, Any]], split: str) -> int:
    """Return how many different images were evaluated: seeds share the test split, each fold has its own images."""
    counts = [int(record["images"]) for record in records]
    return counts[0] if split == "test" else sum(counts)


def has_groups(records: Sequence[dict[str, Any]]) -> bool:
    """Return whether the images that were evaluated come in groups, over which accuracies alone give no interval."""
    return any("groups" in record for record in records)


def total_seconds(record: dict[str, Any]) -> float:
    """Return the seconds of a training and of its teachers."""
    return float(record["seconds"]) + sum(float(teacher["seconds"]) for teacher in record.get("teachers", []))


def read_published() -> dict[str, dict[str, Any]]:
    """Read the results files of this version of the package, by name, from the wheel or the checkout."""
    package = Path(modiste.__file__).parent
    folders = (package / "assets" / "results", package.parents[1] / "results")
    return {path.stem: read(path) for folder in folders if folder.is_dir() for path in sorted(folder.glob("*.json"))}
