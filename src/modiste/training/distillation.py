"""Teachers: trained runs that say what each training image is, beside its label.

DistillationConfig (Hinton et al. 2015): how probable a teacher holds each label says more of an image than its label alone,
and of a wrong label it says that it is wrong. Teachers see the very image that the student sees, as it was changed and
mixed (Beyer et al. 2022). Every step asks all of them: to ask one in turn is cheaper, but was no better than labels,
probably because an image on which they disagree has a high loss for ever, and so is never one of the easy ones.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modiste.data.split import TrainingData
from modiste.errors import InputError, ModisteError
from modiste.inference import model_file
from modiste.models import weights
from modiste.models.normalized import NormalizedModel
from modiste.recipes.recipe import DistillationConfig, Recipe
from modiste.runs import metrics_file, run_info
from modiste.runs.folder import Run
from modiste.training import targets


@dataclass(frozen=True, slots=True)
class Teachers:
    """Who is asked, and what the answers count.

    Args:
        networks: uint8 images -> logits, in evaluation mode.
        options: temperature and share.
        precision: what they compute in.
        known: what a run's environment.json says of each: its run, recipe, commit, its weights' SHA-256, what it cost.
    """

    networks: tuple[NormalizedModel, ...]
    options: DistillationConfig
    precision: torch.dtype
    known: tuple[dict[str, Any], ...] = ()

    @torch.no_grad()
    def answer(self, images: Tensor) -> Tensor:
        """Return the mean of their eval_blur probabilities, float32 [b, labels]."""
        with torch.autocast(images.device.type, self.precision, enabled=self.precision != torch.float32):
            logits = torch.stack([network(images) for network in self.networks])
        return torch.softmax(logits.float() / self.options.temperature, 2).mean(0)

    def losses(self, by_labels: Tensor, logits: Tensor, images: Tensor) -> Tensor:
        """Blend the losses by the labels, [b], with how far the student is from its teachers.

        That is the Kullback-Leibler divergence of its eval_blur probabilities from theirs, multiplied by the square of
        the temperature, so that gradients are as large at any.
        """
        temperature = self.options.temperature
        by_teachers = temperature**2 * targets.losses(logits / temperature, self.answer(images))
        return torch.lerp(by_labels, by_teachers, self.options.weight)


def teachers(recipe: Recipe, data: TrainingData, device: torch.device, precision: torch.dtype) -> Teachers | None:
    """Make the teachers of a recipe; None where it has none.

    Raises:
        InputError: one of them cannot be used: it is no finished run, has no weights, other labels, other images.
    """
    if not recipe.distillation.teachers:
        return None
    runs = _fitting([_finished(path) for path in recipe.distillation.teachers], data)
    networks = tuple(_network(run, recipe, data).to(device) for run in runs)
    return Teachers(networks, recipe.distillation, precision, tuple(map(_known, runs)))


def _finished(path: str) -> Run:
    run = Run(Path(path).resolve())
    if not (run.recipe_file.is_file() and run.finished):
        raise InputError(
            f"There is no finished run {run.path} to learn from (distillation.teachers, as seen from the folder you "
            "train in). Train it first; the marathons have `modiste train marathon-teacher --fold 0 --name "
            "teachers/fold-0`, and the same with fold 1. Or name other runs, or none: --set distillation.teachers="
        )
    return run


def _fitting(runs: list[Run], data: TrainingData) -> list[Run]:
    """Where images are held out, only those that held out the same: others know them, and could give them away."""
    if not len(data.validation):
        return runs
    fold = data.validation.sha256()
    fitting = [run for run in runs if run_info.read(run).sha256.get("validation") == fold]
    if not fitting:
        raise InputError(
            f"None of the teachers ({', '.join(str(run.path) for run in runs)}) is known to have held out the images "
            "that are held out here, so each could give them away. Train one with the same data, fold and seed."
        )
    return fitting


def _network(run: Run, recipe: Recipe, data: TrainingData) -> NormalizedModel:
    if not (run.model.is_file() and run.weights.is_file()):
        raise InputError(
            f"The teacher {run.path} has no weights. Remove it, then train it again, a bench with --keep; or name "
            "another run: --set distillation.teachers=RUN."
        )
    try:
        model, mine, wanted = model_file.load(run.model), run.recipe(), recipe.data
        if (model.class_names, model.image_size, model.channels) != (
            data.class_names,
            wanted.image_size,
            wanted.channels,
        ):
            raise InputError(
                f"it knows {', '.join(model.class_names)} in images of {model.image_size} pixels and {model.channels} channels, "
                f"not {', '.join(data.class_names)} in {wanted.image_size} and {wanted.channels}."
            )
        network = weights.trained(run, mine.model, len(data.class_names), recipe.augmentation.train_size)
    except ModisteError as error:
        raise InputError(f"The teacher {run.path} cannot be used: {error}") from None
    return network.to(memory_format=torch.channels_last)


def _known(run: Run) -> dict[str, Any]:
    recipe, known = run.recipe(), run_info.read(run)
    return {
        "run": run.name,
        "recipe": recipe.name,
        "seed": recipe.seed,
        "commit": known.commit,
        "sha256": hashlib.sha256(run.weights.read_bytes()).hexdigest(),
        "parameters": known.parameters,
        "seconds": round(metrics_file.total_seconds(metrics_file.read(run.metrics)) + known.teacher_seconds, 1),
    }
