"""What a run's environment.json says, as far as it is judged and told of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modiste.runs import files, parsing
from modiste.runs.folder import Run


@dataclass(frozen=True, slots=True)
class RunInfo:
    """RunInfo of a training.

    Args:
        hardware: that it ran on.
        parameters: numbers that it changed.
        images: how many it had, by split: train and validation.
        sha256: fingerprints of these, likewise; older runs have none.
        commit: of the code that trained it.
        precision: that it computed in: bf16 or fp32.
        teachers: a record of each: its run, recipe, weights' SHA-256, the seconds that its training took.
    """

    hardware: str = ""
    parameters: int = 0
    images: Mapping[str, int] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""
    precision: str = ""
    teachers: tuple[Mapping[str, Any], ...] = ()

    @property
    def seconds_teachers(self) -> float:
        """What its teachers took to train, all label_groups."""
        return sum(float(each["seconds"]) for each in self.teachers)


def read(run: Run) -> RunInfo:
    """Read the facts of a run; empty ones when it has no environment.json.

    Raises:
        InputError: the file is damaged.
    """
    if not run.environment.exists():
        return RunInfo()
    content = files.read_json(run.environment)
    with parsing.as_input_error(
        f"{run.environment} is no record of a training. Restore it, or remove it to go without."
    ):
        splits = {name: split for name, split in content.get("data", {}).items() if name in ("train", "validation")}
        return RunInfo(
            str(content.get("hardware", "")),
            int(content.get("parameters", 0)),
            {name: int(split["n"]) for name, split in splits.items()},
            {name: str(split["sha256"]) for name, split in splits.items() if "sha256" in split},
            str(content.get("commit", "")),
            str(content.get("precision", "")),
            tuple({**each, "seconds": float(each["seconds"])} for each in content.get("data", {}).get("teachers", [])),
        )
