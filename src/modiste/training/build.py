"""From a recipe to the values that the training loop calls."""

from dataclasses import dataclass

import torch
from torch import Tensor

from modiste.data import sources
from modiste.data.folds import balanced_weights
from modiste.data.split import Split, TrainingData
from modiste.models import networks, weights
from modiste.models.normalized import NormalizedModel, normalization
from modiste.recipes.ranges import is_factory
from modiste.recipes.recipe import Recipe
from modiste.training import compute, linear_probe, own_optimizer, targets
from modiste.training.batches import Batches
from modiste.training.distillation import load_teachers
from modiste.training.ema import ModelEma
from modiste.training.loop import State
from modiste.training.losses import create_loss
from modiste.training.optimizer import create_optimizer
from modiste.training.randomness import derive_seed
from modiste.training.schedule import Schedule, create_schedule
from modiste.training.step import Step
from modiste.training.validator import Validator


@dataclass(frozen=True, slots=True)
class Training:
    """A recipe with its data, the four values of the loop, and the state before the first step."""

    recipe: Recipe
    data: TrainingData
    batches: Batches
    step: Step
    schedule: Schedule
    validator: Validator
    state: State


def build_training(recipe: Recipe, initialize: bool = True, precision: str = "", continued_epochs: int = 0) -> Training:
    """Open the data of a recipe and build what is trained; raises a ModisteError for anything wrong with them.

    Args:
        recipe: what to train.
        initialize: load the weights of `model.weights`; a training that is resumed has its own.
        precision: "fp32" or "bf16", in which a training that is resumed was started; empty is the recipe's.
        continued_epochs: of the run that this training continues.
    """
    schedule = create_schedule(recipe, continued_epochs)
    compute.configure(recipe.compute)
    device = compute.resolve_device(recipe.compute)
    data = sources.open_training(recipe.data, recipe.seed)
    images, labels = _to_tensors(data.train, device)
    num_classes = len(data.class_names)
    batch_targets = targets.to_distributions(labels, num_classes) if recipe.augmentation.mixup_prob else labels
    network = _build_network(recipe, num_classes, images, initialize).to(device)
    dtype = compute.resolve_precision(precision or recipe.compute.precision, device)
    if recipe.optimizer.name == "lbfgs":
        linear_probe.freeze_features(network)
    create = own_optimizer.create_optimizer if is_factory(recipe.optimizer.name) else create_optimizer
    optimizer = create(recipe.optimizer, network, dtype)
    ema_decay, initial_weight = recipe.optimizer.ema_decay, recipe.optimizer.initial_weight
    ema = ModelEma(network, ema_decay, initial_weight) if ema_decay else None
    teachers = load_teachers(recipe, data, device, dtype)
    batch_size, skip_easy_fraction = recipe.optimizer.batch_size, recipe.schedule.skip_easy_fraction
    is_balanced = recipe.data.sampling == "balanced"
    image_weights = torch.from_numpy(balanced_weights(data.train, data.class_names)).to(device) if is_balanced else None
    losses, totals = torch.full((len(labels),), torch.inf), torch.zeros(3, dtype=torch.float64)
    return Training(
        recipe,
        data,
        Batches(
            images,
            batch_targets,
            batch_size,
            recipe.augmentation,
            recipe.seed,
            skip_easy_fraction,
            image_weights,
            data.train.groups,
        ),
        Step(network, optimizer, create_loss(recipe, batch_targets, num_classes), dtype, recipe.seed, ema, teachers),
        schedule,
        Validator(*_to_tensors(data.validation, device)),
        State(network, optimizer, losses.to(device), totals.to(device), ema),
    )


def _to_tensors(split: Split, device: torch.device) -> tuple[Tensor, Tensor]:
    labels = split.labels if split.candidate_labels is None else split.candidate_labels
    return torch.from_numpy(split.images).to(device), torch.from_numpy(labels).to(device)


def _build_network(recipe: Recipe, num_classes: int, images: Tensor, initialize: bool) -> NormalizedModel:
    """Build the network in channels-last layout, in which convolutions are fastest."""
    mean, std = normalization(recipe.model, images.cpu())
    torch.manual_seed(derive_seed(recipe.seed, "weights"))
    body = networks.build(recipe.model, num_classes, recipe.data, recipe.augmentation.train_size)
    if initialize:
        weights.initialize(body, recipe.model)
    return NormalizedModel(body, mean, std).to(memory_format=torch.channels_last)
