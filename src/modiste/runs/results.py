"""results/NAME.json: the only place that published numbers come from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import modiste
from modiste.errors import InputError
from modiste.runs import environment, files, metrics_file, run_info
from modiste.runs.folder import Run

REQUIRED = ("recipe", "command", "commit", "hardware", "versions", "n", "runs")


def write(path: Path, *, recipe: str, command: str, runs: list[dict[str, Any]], **figures: Any) -> None:
    """Write a results file in the one form for all that train.

    Args:
        path: where; by convention results/NAME.json.
        recipe: name of the recipe, or of what was compared.
        command: what a reader would type to make it again.
        runs: a record a seed: `seed, accuracy, loss, images, val_accuracy, seconds, epochs, parameters, ...`.
        figures: what is computed over the runs: `mean, sd, interval_seeds, interval_images, ...`.
    """
    files.make_folder(path.parent)
    head = {"recipe": recipe, "command": command, **environment.describe(), "n": len(runs)}
    files.write_json(path, {**head, **figures, "runs": runs})


def read(path: Path) -> dict[str, Any]:
    """Read a results file.

    Raises:
        InputError: it is missing, not JSON, or lacks what a results file has.
    """
    content = files.read_json(path)
    lacking = [key for key in REQUIRED if not isinstance(content, dict) or key not in content]
    if lacking:
        raise InputError(f"{path} is no results file: it lacks {', '.join(lacking)}.")
    return dict(content)


def record(run: Run) -> dict[str, Any]:
    """What a results file says of a training, but for its scores."""
    rows, known = metrics_file.read(run.metrics), files.read_json(run.environment)
    return {
        "seed": run.recipe().seed,
        "seconds": round(metrics_file.seconds(rows), 1),
        "teachers": list(run_info.read(run).teachers),
        "epochs": len(rows),
        **{key: known[key] for key in ("parameters", "precision", "threads", "device", "hardware", "commit")},
    }


def images(records: Sequence[dict[str, Any]], split: str) -> int:
    """How many images the trainings were judged on: all seeds on the same test split, each fold on others."""
    counts = [int(each["images"]) for each in records]
    return counts[0] if split == "test" else sum(counts)


def seconds(record: dict[str, Any]) -> float:
    """What the training of a record took, with those of its teachers."""
    return float(record["seconds"]) + sum(float(teacher["seconds"]) for teacher in record.get("teachers", []))


def published() -> dict[str, dict[str, Any]]:
    """All results that this version of the package publishes, by name: a wheel carries them, a checkout has them."""
    package = Path(modiste.__file__).parent
    folders = (package / "assets" / "results", package.parents[1] / "results")
    return {path.stem: read(path) for folder in folders if folder.is_dir() for path in sorted(folder.glob("*.json"))}
