"""What environment.json records of a training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modiste.runs import files, parsing
from modiste.runs.folder import Run


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The environment of a training.

    Args:
        hardware: the processor.
        parameters: number of trained parameters.
        images: number of images by split: train and validation.
        sha256: checksum of the images and labels by split; empty for older runs.
        validation_images_sha256: checksum of the validation images without their labels; empty for older runs.
        data_sha256: checksum of the train and validation files; empty for older runs.
        dataset: name of the data: "fashion-mnist" for the official files, else that of the folder.
        commit: of the code.
        precision: bf16 or fp32.
        threads: number of CPU threads.
        device: cpu, or the name of the GPU.
        processes: number of processes that trained together.
        continued_from: of a run that continues another one, its name and number of epochs.
        teachers: for each teacher its run, recipe, SHA-256 of its weights, and the seconds that its training took.
    """

    hardware: str = ""
    parameters: int = 0
    images: Mapping[str, int] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    validation_images_sha256: str = ""
    data_sha256: str = ""
    dataset: str = ""
    commit: str = ""
    precision: str = ""
    threads: int = 0
    device: str = ""
    processes: int = 1
    continued_from: Mapping[str, Any] = field(default_factory=dict)
    teachers: tuple[Mapping[str, Any], ...] = ()

    @property
    def continued_epochs(self) -> int:
        """Number of epochs of the run that this one continues; 0 if it continues none."""
        return int(self.continued_from.get("epochs", 0))

    @property
    def teacher_seconds(self) -> float:
        """Seconds that the trainings of all teachers took."""
        return sum(float(teacher["seconds"]) for teacher in self.teachers)


NEW_RUN = RunInfo()
"""Of a training that has not started."""


def read(run: Run) -> RunInfo:
    """Read the environment of a run, empty without environment.json; raises InputError when the file is damaged."""
    if not run.environment.exists():
        return RunInfo()
    content = files.read_json(run.environment)
    with parsing.as_input_error(f"{run.environment} is damaged. Restore it, or remove it."):
        data = content.get("data", {})
        splits = {name: split for name, split in data.items() if name in ("train", "validation")}
        return RunInfo(
            hardware=str(content.get("hardware", "")),
            parameters=int(content.get("parameters", 0)),
            images={name: int(split["n"]) for name, split in splits.items()},
            sha256={name: str(split["sha256"]) for name, split in splits.items() if "sha256" in split},
            validation_images_sha256=str(data.get("validation_images_sha256", "")),
            data_sha256=str(data.get("sha256", "")),
            dataset=str(data.get("source", "")),
            commit=str(content.get("commit", "")),
            precision=str(content.get("precision", "")),
            threads=int(content.get("threads", 0)),
            device=str(content.get("device", "")),
            processes=int(content.get("processes", 1)),
            continued_from=dict(content.get("continued_from", {})),
            teachers=tuple({**teacher, "seconds": float(teacher["seconds"])} for teacher in data.get("teachers", [])),
        )
