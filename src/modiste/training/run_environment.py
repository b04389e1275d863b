"""What environment.json records of a training, and what a run and a training that resumes it must have in common."""

import logging
from typing import Any

from modiste.data import sources
from modiste.errors import InputError
from modiste.models import networks
from modiste.runs import environment, files
from modiste.runs.folder import Run
from modiste.runs.run_info import RunInfo
from modiste.training import compute
from modiste.training.build import Training
from modiste.training.ranks import Ranks

log = logging.getLogger(__name__)


def describe(training: Training) -> dict[str, Any]:
    """Describe machine, versions and data for environment.json."""
    device = training.batches.images.device
    return {
        **environment.describe(),
        **compute.describe(device, training.step.precision),
        "precision_setting": training.recipe.compute.precision,
        "processes": training.ranks.world_size,
        "parameters": networks.count_parameters(training.state.network),
        "data": {
            "source": sources.dataset_name(training.recipe.data),
            **_data_hashes(training),
            "validation_images_sha256": training.data.validation.images_sha256(),
        },
    }


def require_as_many(processes: Ranks, started_with: int, run: Run) -> None:
    """Raise an InputError for another number of processes than a run was started with, which gives other bits."""
    if processes.world_size != started_with:
        command = f"torchrun --nproc-per-node {started_with} -m modiste" if started_with > 1 else "modiste"
        raise InputError(
            f"{run.path} was started with {started_with} process{'es' * (started_with != 1)}, not "
            f"{processes.world_size}. Resume it with: {command} train --resume {run.path}"
        )


def require_same_device(training: Training, run: Run, info: RunInfo) -> None:
    """Raise an InputError for another device than the run was started on; warn of another processor."""
    device = compute.describe(training.batches.images.device, training.step.precision)["device"]
    if info.device and info.device != device:
        raise InputError(
            f"{run.path} was started on {info.device}, but here is {device}, which gives other weights. Resume it "
            "there, or train under a new --name."
        )
    if info.hardware and info.hardware != environment.hardware():
        log.warning(
            "warning: %s was started on %s. On this processor the last bits of its weights may differ.",
            run.path,
            info.hardware,
        )


def require_same_data(training: Training, run: Run) -> None:
    """Raise an InputError for other images or teachers than those that the run was started with, where it has them."""
    if not run.environment.exists():
        return
    recorded, current = files.read_json(run.environment).get("data", {}), _data_hashes(training)
    if recorded.get("teachers") != current.get("teachers"):
        names = ", ".join(training.recipe.distillation.teachers)
        raise InputError(
            f"The teachers of {run.path} ({names}) are not those that it was started with. Restore them, or train "
            "under a new --name."
        )
    if any(recorded.get(key) != value for key, value in current.items()):
        raise InputError(
            f"The data of {run.path} has changed since it was started. Restore it, name the folder to which it was "
            "moved with --data, or train under a new --name."
        )


def _data_hashes(training: Training) -> dict[str, Any]:
    """Return what identifies the images and teachers of a training, wherever they are."""
    data, teachers = training.data, training.step.teachers
    return {
        "sha256": sources.sha256(training.recipe.data),
        "train": {"n": len(data.train), "sha256": data.train.sha256()},
        "validation": {"n": len(data.validation), "sha256": data.validation.sha256()},
        **({"teachers": list(teachers.records)} if teachers else {}),
    }
