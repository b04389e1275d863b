"""Distillation: a network learns from the probabilities of trained runs, its teachers, beside the labels.

By Hinton et al. 2015, arXiv 1503.02531. Teachers get the same augmented images as the student (Beyer et al. 2022, arXiv
2106.05237). Every step uses the mean of all teachers: one teacher a step is faster but was no better than labels alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modiste.data.split import TrainingData
from modiste.errors import InputError, ModisteError
from modiste.inference import model_file
from modiste.inference.model import Model
from modiste.models import weights
from modiste.models.normalized import NormalizedModel
from modiste.recipes.config import DistillationConfig
from modiste.recipes.recipe import Recipe
from modiste.runs import files, metrics_file, run_info
from modiste.runs.folder import Run
from modiste.training import targets


@dataclass(frozen=True, slots=True)
class Teachers:
    """Trained networks that a student learns from, in evaluation mode: uint8 images -> logits.

    Each has a record for environment.json: run, recipe, commit, SHA-256 of its weights, training time.
    """

    networks: tuple[NormalizedModel, ...]
    options: DistillationConfig
    precision: torch.dtype
    records: tuple[dict[str, Any], ...] = ()

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """Return the mean of the teachers' probabilities at the temperature, float32 [b, k], for uint8 images."""
        with torch.autocast(images.device.type, self.precision, enabled=self.precision != torch.float32):
            logits = torch.stack([network(images) for network in self.networks])
        return torch.softmax(logits.float() / self.options.temperature, 2).mean(0)

    def losses(self, label_losses: Tensor, logits: Tensor, images: Tensor) -> Tensor:
        """Mix label losses [b] with the divergence from the teachers times temperature squared (Hinton et al. 2015)."""
        temperature = self.options.temperature
        teacher_losses = temperature**2 * targets.losses(logits / temperature, self.probabilities(images))
        return torch.lerp(label_losses, teacher_losses, self.options.weight)


def load_teachers(recipe: Recipe, data: TrainingData, device: torch.device, precision: torch.dtype) -> Teachers | None:
    """Load the teachers of a recipe; None where it has none. Raises InputError for a run that cannot be one."""
    if not recipe.distillation.teachers:
        return None
    runs = _with_same_validation([_open_finished(path) for path in recipe.distillation.teachers], data)
    networks = tuple(_load_network(run, recipe, data).to(device) for run in runs)
    return Teachers(networks, recipe.distillation, precision, tuple(map(_record, runs)))


def _open_finished(path: str) -> Run:
    run = Run(Path(path).resolve())
    if not (run.recipe_file.is_file() and run.finished):
        raise InputError(
            f"There is no finished run {run.path} to learn from (distillation.teachers, relative to the current "
            "folder). Train it first; for the marathons: modiste train marathon-teacher --fold 0 --name "
            "teachers/fold-0, and the same with fold 1. Or name other runs, or none: --set distillation.teachers="
        )
    return run


def _with_same_validation(runs: list[Run], data: TrainingData) -> list[Run]:
    """Return the runs with the same validation split; others were trained on its images and would leak their labels."""
    if not len(data.validation):
        return runs
    sha256 = data.validation.sha256()
    usable = [run for run in runs if run_info.read(run).sha256.get("validation") == sha256]
    if not usable:
        raise InputError(
            f"None of the teachers ({', '.join(str(run.path) for run in runs)}) held out the images that are held out "
            "here, so each may have been trained on them. Train one with the same data, fold and seed."
        )
    return usable


def _load_network(run: Run, recipe: Recipe, data: TrainingData) -> NormalizedModel:
    if not (run.model.is_file() and run.weights.is_file()):
        raise InputError(
            f"The teacher {run.path} has no weights. Remove it, then train it again, a bench with --keep; or name "
            "another run: --set distillation.teachers=RUN."
        )
    try:
        _require_same_input(model_file.load(run.model), recipe, data)
        network = weights.load_trained(run, run.recipe().model, len(data.class_names), recipe.augmentation.train_size)
    except ModisteError as error:
        raise InputError(f"The teacher {run.path} cannot be used: {error}") from None
    return network.to(memory_format=torch.channels_last)


def _require_same_input(model: Model, recipe: Recipe, data: TrainingData) -> None:
    size, channels, resize_mode = recipe.data.image_size, recipe.data.channels, recipe.data.resize_mode
    needed = (data.class_names, size, channels, resize_mode)
    if (model.class_names, model.image_size, model.channels, model.resize_mode) != needed:
        raise InputError(
            f"its classes are {', '.join(model.class_names)}, its images {model.image_size} pixels with "
            f"{model.channels} channels ({model.resize_mode}), but {', '.join(data.class_names)} and {size} with "
            f"{channels} ({resize_mode}) are needed. Name another with --set distillation.teachers=RUN."
        )


def _record(run: Run) -> dict[str, Any]:
    recipe, info = run.recipe(), run_info.read(run)
    return {
        "run": run.name,
        "recipe": recipe.name,
        "seed": recipe.seed,
        "commit": info.commit,
        "sha256": files.sha256(run.weights),
        "parameters": info.parameters,
        "seconds": round(metrics_file.total_seconds(metrics_file.read(run.metrics)) + info.teacher_seconds, 1),
    }
