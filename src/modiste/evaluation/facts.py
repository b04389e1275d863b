"""What a run's environment.json says, as far as it is judged and told of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from modiste.evaluation import damaged
from modiste.runs import files
from modiste.runs.folder import Run


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of a training.

    Args:
        hardware: that it ran on.
        parameters: numbers that it changed.
        images: how many it had, by split: train and validation.
        sha256: fingerprints of these, likewise; older runs have none.
        teachers: seconds that the training of each took, by the name of its run.
    """

    hardware: str = ""
    parameters: int = 0
    images: Mapping[str, int] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    teachers: Mapping[str, float] = field(default_factory=dict)

    @property
    def seconds_teachers(self) -> float:
        """What its teachers took to train, all together."""
        return sum(self.teachers.values())


def read(run: Run) -> Facts:
    """Read the facts of a run; empty ones when it has no environment.json.

    Raises:
        InputError: the file is damaged.
    """
    if not run.environment.exists():
        return Facts()
    content = files.read_json(run.environment)
    with damaged.told(f"{run.environment} is no record of a training. Restore it, or remove it to go without."):
        splits = {name: split for name, split in content.get("data", {}).items() if name in ("train", "validation")}
        return Facts(
            str(content.get("hardware", "")),
            int(content.get("parameters", 0)),
            {name: int(split["n"]) for name, split in splits.items()},
            {name: str(split["sha256"]) for name, split in splits.items() if "sha256" in split},
            {str(each["run"]): float(each["seconds"]) for each in content.get("data", {}).get("teachers", [])},
        )
