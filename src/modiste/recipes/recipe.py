"""The recipe: every setting of a training, and the rules between settings of different sections."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any

from modiste.errors import SettingError
from modiste.recipes.config import (
    AugmentationConfig,
    ComputeConfig,
    DataConfig,
    DistillationConfig,
    EarlyStoppingConfig,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
)
from modiste.recipes.ranges import Range, Rule, is_factory, range_rules


@dataclass(frozen=True, slots=True)
class Recipe:
    """A complete training.

    The same images and teachers give bit-identical weights on one CPU thread, unless compute.precision is auto.
    """

    name: str = "custom"
    """The named recipe that this one was made from."""
    description: str = ""
    """One sentence: what the recipe is for, and where its values are from."""
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0
    """Seed of all randomness: folds, initial weights, order, augmentation, dropout."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    early_stopping: EarlyStoppingConfig = field(default_factory=EarlyStoppingConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)

    def __post_init__(self) -> None:
        for key, holds, rule in chain(range_rules(self), _relation_rules(self)):
            if not holds:
                value = attrgetter(key)(self)
                text = repr(list(value) if isinstance(value, tuple) else value)
                raise SettingError(f"{key} is {text}, but it must be {rule}.")


def _relation_rules(recipe: Recipe) -> Iterator[Rule]:
    """Yield the rules of settings that depend on other settings."""
    data, model, augmentation, optimizer = recipe.data, recipe.model, recipe.augmentation, recipe.optimizer
    held_out, without = data.val_fraction > 0, "when data.val_fraction is 0: there is no validation"
    yield from _data_rules(data)
    yield "model.tta_crop", model.tta_threshold > 0 or model.tta_crop == 1, "1 where model.tta_threshold is 0"
    yield from _architecture_rules(model)
    yield from _fine_tuning_rules(model, optimizer)
    yield from _factory_rules(recipe)
    yield from _loss_rules(recipe)
    yield from _lbfgs_rules(recipe)
    size, scale, ratio = augmentation.train_size, augmentation.random_erasing_scale, augmentation.random_erasing_ratio
    fits = size == 0 or 8 <= size <= data.image_size
    yield "augmentation.train_size", fits, f"0, or 8 to data.image_size, {data.image_size}"
    pair = "two positive numbers, smaller first"
    yield "augmentation.random_erasing_scale", 0 < scale[0] <= scale[1] <= 1, f"{pair}, at most 1"
    yield "augmentation.random_erasing_ratio", 0 < ratio[0] <= ratio[1], pair
    fits_momentum = optimizer.momentum > 0 if optimizer.nesterov else optimizer.name != "muon"
    yield "optimizer.nesterov", fits_momentum, "false when optimizer.momentum is 0, true with muon"
    is_last_epoch = recipe.early_stopping.patience == 0
    yield "early_stopping.patience", held_out or is_last_epoch, f"0 {without} metric to monitor"
    is_uniform = data.sampling == "uniform"
    has_all_images = is_uniform or recipe.schedule.skip_easy_fraction == 0
    yield "schedule.skip_easy_fraction", has_all_images, "0 where data.sampling is balanced"
    is_fixed = recipe.schedule.name != "reduce_on_plateau"
    yield "schedule.name", held_out or is_fixed, f"one_cycle, cosine or constant {without} loss"


def _data_rules(data: DataConfig) -> Iterator[Rule]:
    """Yield the rules of the data section."""
    held_out = data.val_fraction > 0
    is_fold = not held_out or abs(1 / data.val_fraction - data.folds) < 1e-3
    yield "data.val_fraction", is_fold, "0, 0.5, 0.25, 0.2, 0.1 or another 1 / n"
    folds = f"below {data.folds}" if held_out else "0, as nothing is held out (data.val_fraction is 0)"
    yield "data.fold", data.fold < max(1, data.folds), folds
    can_add = (data.channels == 3 and data.source != "") or data.synthetic_per_class == 0
    yield "data.synthetic_per_class", can_add, "0, except for class folders of RGB photos"
    is_pattern = data.group_pattern == "" or _count_groups(data.group_pattern) > 0
    yield "data.group_pattern", is_pattern, "a regular expression with a group in parentheses"


def _architecture_rules(model: ModelConfig) -> Iterator[Rule]:
    """Yield the rules of settings that change the layers of some networks only."""
    is_pretrained = model.weights == "imagenet"
    fits = model.norm_layer == "batch_norm" or (model.name in ("cnn", "resnet18") and not is_pretrained)
    yield "model.norm_layer", fits, "batch_norm, except for cnn and resnet18 without ImageNet weights"
    fits = model.stem_type == "imagenet" or (model.name == "resnet18" and not is_pretrained)
    yield "model.stem_type", fits, "imagenet, except for resnet18 without ImageNet weights"


def _count_groups(pattern: str) -> int:
    """Return the number of groups of a regular expression; 0 for a text that is none."""
    try:
        return re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError):
        return 0


def _fine_tuning_rules(model: ModelConfig, optimizer: OptimizerConfig) -> Iterator[Rule]:
    """Yield the rules of settings that are for pretrained networks."""
    is_pretrained_lite = model.weights != "" and model.name.startswith("efficientnet_lite")
    only_lite = "except for an efficientnet_lite with model.weights"
    yield "model.freeze_stages", is_pretrained_lite or model.freeze_stages == 0, f"0, {only_lite}"
    yield "model.fold_batch_norm", is_pretrained_lite or not model.fold_batch_norm, f"false, {only_lite}"
    can_freeze = model.fold_batch_norm or not model.freeze_depthwise
    yield "model.freeze_depthwise", can_freeze, "false when model.fold_batch_norm is false"
    has_ema = optimizer.ema_decay > 0 or optimizer.initial_weight == 0
    yield "optimizer.initial_weight", has_ema, "0 where optimizer.ema_decay is 0"
    can_fit = model.weights != "" or model.head_init == "random"
    yield "model.head_init", can_fit, "random, except with model.weights"
    has_batch_norm = model.norm_layer == "batch_norm" and not model.fold_batch_norm
    can_scale = optimizer.name != "muon" or has_batch_norm
    yield "optimizer.name", can_scale, "sgd or adamw without batch norm: muon scales filters, which batch norm undoes"


def _factory_rules(recipe: Recipe) -> Iterator[Rule]:
    """Yield the rules of arguments that are passed on to a factory."""
    for section in ("model", "optimizer", "loss", "schedule"):
        config = getattr(recipe, section)
        takes_options = is_factory(config.name) or not config.options
        yield f"{section}.options", takes_options, f"empty, as {section}.name={config.name} takes none"
        reserved = sorted(RESERVED_OPTIONS[section] & set(config.options))
        yield f"{section}.options", not reserved, f"without {', '.join(reserved)}, which has a value of its own"


RESERVED_OPTIONS = {
    "model": {"num_classes", "channels", "image_size", "options"},
    "optimizer": {"params", "lr"},
    "loss": set[str](),
    "schedule": {"epochs"},
}
"""Arguments that a factory gets from elsewhere."""


def _loss_rules(recipe: Recipe) -> Iterator[Rule]:
    """Yield the rules of settings that depend on the loss."""
    loss = recipe.loss
    is_smoothed = recipe.optimizer.label_smoothing > 0
    rule = "0 with a loss of your own, which gets the labels as they are"
    yield "optimizer.label_smoothing", not (is_smoothed and is_factory(loss.name)), rule
    weights = loss.class_weights
    is_valid = weights in ("", "balanced") if isinstance(weights, str) else min(weights, default=0) > 0
    yield "loss.class_weights", is_valid, "balanced, a list with a number above 0 for each class, or empty"
    is_only = recipe.data.sampling == "uniform" or not weights
    yield "loss.class_weights", is_only, "empty where data.sampling is balanced: one of both is enough"


def _lbfgs_rules(recipe: Recipe) -> Iterator[Rule]:
    """Yield the rules of settings that do not apply to the fit of a head."""
    for key, value in LBFGS_VALUES.items():
        rule = f"{json.dumps(value)} with lbfgs, which fits a head once, to images that are not changed"
        yield key, recipe.optimizer.name != "lbfgs" or attrgetter(key)(recipe) == value, rule


LBFGS_VALUES: dict[str, Any] = {
    "schedule.name": "constant",
    "schedule.epochs": 1,
    "schedule.skip_easy_fraction": 0.0,
    "optimizer.lr": 1.0,  # of the first iteration; a line search follows
    "optimizer.momentum": 0.0,
    "optimizer.nesterov": False,
    "optimizer.head_lr_mult": 1.0,
    "optimizer.norm_bias_lr_mult": 1.0,
    "optimizer.layer_decay": 1.0,
    "optimizer.weight_decay": 0.0,  # cross-validation chooses it
    "optimizer.label_smoothing": 0.0,
    "optimizer.ema_decay": 0.0,
    "optimizer.initial_weight": 0.0,
    "model.head_init": "random",
    "loss.name": "cross_entropy",
    "loss.class_weights": "",  # data.sampling=balanced has weights
    "distillation.teachers": (),
    "early_stopping.patience": 0,
    "augmentation.horizontal_flip": False,
    "augmentation.random_crop_padding": 0,
    "augmentation.random_downscale": 1.0,
    "augmentation.random_resized_crop_scale": 1.0,
    "augmentation.rotation_degrees": 0.0,
    "augmentation.train_size": 0,
    "augmentation.color_jitter": 0.0,
    "augmentation.hue_jitter": 0.0,
    "augmentation.random_erasing_prob": 0.0,
    "augmentation.mixup_prob": 0.0,
}
"""The only values of settings that do not apply to the fit of a head."""

Settings = dict[str, Any]
"""Dotted keys, as in `optimizer.lr`, and their values."""
