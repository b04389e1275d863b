"""From a recipe to the values that the training loop calls."""

from dataclasses import dataclass

import torch
from torch import Tensor

from modiste.data import sources
from modiste.data.folds import balanced_weights
from modiste.data.split import Split, TrainingData
from modiste.errors import SettingError
from modiste.models import networks, weights
from modiste.models.normalized import NormalizedModel, normalization
from modiste.recipes.ranges import is_factory
from modiste.recipes.recipe import Recipe
from modiste.runs.run_info import NEW_RUN, RunInfo
from modiste.training import compute, linear_probe, own_optimizer, targets
from modiste.training.batches import Batches
from modiste.training.distillation import load_teachers
from modiste.training.ema import ModelEma
from modiste.training.loop import State
from modiste.training.losses import create_loss
from modiste.training.optimizer import Optimizer, create_optimizer
from modiste.training.randomness import derive_seed
from modiste.training.ranks import SINGLE, Ranks
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
    ranks: Ranks


def build_training(
    recipe: Recipe, initialize: bool = True, original: RunInfo = NEW_RUN, ranks: Ranks = SINGLE
) -> Training:
    """Open the data of a recipe and build what is trained; raises a ModisteError for anything wrong with them.

    Args:
        recipe: what to train.
        initialize: load the weights of `model.weights`; a training that is resumed has its own.
        original: with which precision, threads and device a training that is resumed was started, as these decide the
            last bits of sums; and how many epochs another run had that it continues.
        ranks: the processes that train together.
    """
    schedule = create_schedule(recipe, original.continued_epochs)
    compute.configure(recipe.compute, original.threads)
    device = compute.resolve_device(recipe.compute, ranks.local_rank if ranks.world_size > 1 else None, original.device)
    data = sources.open_training(recipe.data, recipe.seed)
    ranks.require_equal_slices(recipe.optimizer.batch_size, len(data.train))
    images, labels = _to_tensors(data.train, device)
    num_classes = len(data.class_names)
    batch_targets = targets.to_distributions(labels, num_classes) if recipe.augmentation.mixup_prob else labels
    network = _build_network(recipe, num_classes, images, initialize).to(device)
    dtype = compute.resolve_precision(original.precision or recipe.compute.precision, device)
    dtype = torch.bfloat16 if ranks.broadcast(dtype == torch.bfloat16) else torch.float32  # each has measured it
    optimizer = _build_optimizer(recipe, network, dtype, ranks)
    ema_decay, initial_weight = recipe.optimizer.ema_decay, recipe.optimizer.initial_weight
    ema = ModelEma(network, ema_decay, initial_weight) if ema_decay else None
    teachers = load_teachers(recipe, data, device, dtype)
    losses, totals = torch.full((len(labels),), torch.inf), torch.zeros(3, dtype=torch.float64)
    return Training(
        recipe,
        data,
        _build_batches(recipe, data, images, batch_targets, ranks),
        Step(
            ranks.parallel(network),
            optimizer,
            create_loss(recipe, batch_targets, num_classes),
            dtype,
            recipe.seed,
            ema,
            teachers,
            ranks,
        ),
        schedule,
        Validator(*_to_tensors(data.validation, device), ranks),
        State(network, optimizer, losses.to(device), totals.to(device), ema),
        ranks,
    )


def _build_optimizer(recipe: Recipe, network: NormalizedModel, dtype: torch.dtype, ranks: Ranks) -> Optimizer:
    """Build the optimizer; with L-BFGS, all but the last layer is frozen before."""
    if recipe.optimizer.name == "lbfgs":
        if ranks.world_size > 1:
            raise SettingError("optimizer.name=lbfgs fits one layer, in one process. Leave out torchrun.")
        linear_probe.freeze_features(network)
    create = own_optimizer.create_optimizer if is_factory(recipe.optimizer.name) else create_optimizer
    return create(recipe.optimizer, network, dtype)


def _build_batches(recipe: Recipe, data: TrainingData, images: Tensor, batch_targets: Tensor, ranks: Ranks) -> Batches:
    """Build the batches of the training images; with balanced sampling, each image has a weight."""
    is_balanced = recipe.data.sampling == "balanced"
    weights_of_images = balanced_weights(data.train, data.class_names) if is_balanced else None
    return Batches(
        images,
        batch_targets,
        recipe.optimizer.batch_size,
        recipe.augmentation,
        recipe.seed,
        recipe.schedule.skip_easy_fraction,
        None if weights_of_images is None else torch.from_numpy(weights_of_images).to(images.device),
        data.train.groups,
        ranks,
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
