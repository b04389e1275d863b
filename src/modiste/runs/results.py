"""results/NAME.json: the only place that published numbers come from."""

from pathlib import Path
from typing import Any

import modiste
from modiste.errors import InputError
from modiste.runs import environment, files

REQUIRED = ("recipe", "command", "commit", "hardware", "versions", "n", "runs")


def write(path: Path, *, recipe: str, command: str, runs: list[dict[str, Any]], **figures: Any) -> None:
    """Write a results file in the one form for all that train.

    Args:
        path: where; by convention results/NAME.json.
        recipe: name of the recipe, or of what was compared.
        command: what a reader would type to make it again.
        runs: a record a seed: `seed, test_accuracy, test_loss, validation_accuracy, seconds, epochs, parameters, ...`.
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


def seconds(record: dict[str, Any]) -> float:
    """What the training of a record took, with those of its teachers."""
    return float(record["seconds"]) + sum(float(teacher["seconds"]) for teacher in record.get("teachers", []))


def published() -> dict[str, dict[str, Any]]:
    """All results that this version of the package publishes, by name: a wheel carries them, a checkout has them."""
    package = Path(modiste.__file__).parent
    folders = (package / "assets" / "results", package.parents[1] / "results")
    return {path.stem: read(path) for folder in folders if folder.is_dir() for path in sorted(folder.glob("*.json"))}
