"""The recipe: every setting of a training, as frozen dataclasses.

The docstring below a field gives its unit, its special values and, where it is not obvious, its reason. It is printed
by `modiste train RECIPE --list` and stands in docs/settings.md.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any, Literal

from modiste.errors import SettingError
from modiste.recipes.ranges import Count, Fraction, FractionAbove0, FractionBelow1, Positive, Range, Rule, range_rules


@dataclass(frozen=True, slots=True)
class DataConfig:
    """The images of a training, and which of them are held out for validation."""

    source: str = ""
    """Folder of the dataset: IDX files or class folders. Empty: the bundled Fashion-MNIST."""
    image_size: Annotated[int, Range(8, 512)] = 28
    """Height and width of the images in pixels."""
    channels: Literal[1, 3] = 1
    """1: grayscale; 3: RGB."""
    resize_mode: Literal["squash", "letterbox", "center_crop"] = "squash"
    """How photos become square. squash: scale each side, which changes the aspect ratio; letterbox: scale the longer
    side, and pad the shorter one with the median color of the edges; center_crop: scale the shorter side, and crop the
    longer one. Ignored for gray photos that are prepared as Fashion-MNIST was."""
    val_fraction: Annotated[float, Range(0, 0.5)] = 0.2
    """Fraction of training images held out: 1 / number of folds. 0: none. Ignored if data has a validation split."""
    fold: Count = 0
    """Index of the fold that is held out, from 0."""
    sampling: Literal["uniform", "balanced"] = "uniform"
    """uniform: an epoch has every training image once; balanced: as many images, but each class equally often ("none of
    these" three times as often), and within a class each of its folders in proportion to the square root of its size.
    With lbfgs, which has no epochs, these are weights of the losses."""
    max_train_images: Count = 0
    """Maximum number of images for training, and for validation, balanced over the classes. 0: all."""
    synthetic_per_class: Annotated[int, Range(0, 6000)] = 0
    """Photos only: add n photo-like images, made from Fashion-MNIST, for each class that has no photo of its own. Where
    "none of these" is a class, 2 n drawings of other things are added to it. 0: none."""

    @property
    def folds(self) -> int:
        """Number of folds of the training images; 0 when nothing is held out."""
        return round(1 / max(self.val_fraction, 1e-6)) if self.val_fraction else 0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The network and its initial weights."""

    name: str = "cnn"
    """cnn, resnet18, residual, efficientnet_lite1, or package.module:factory for your own network."""
    weights: str = ""
    """Initial weights. Empty: random; imagenet: pretrained on ImageNet (resnet18: 45 MB are downloaded once;
    efficientnet_lite1: comes with the extra `photo`); otherwise a .safetensors file."""
    init: Literal["xavier", "default"] = "xavier"
    """Random initial weights. xavier: Glorot uniform for convolutions and linear layers, Normal(1, 0.01) for batch
    norm; default: PyTorch's. Your own network keeps the weights that its factory gives it."""
    dropout: FractionBelow1 = 0.5
    """Dropout probability before the last layer, for networks with a hidden linear layer."""
    drop_path_rate: FractionBelow1 = 0.0
    """efficientnet_lite: probability of skipping the last block in training; it falls linearly to 0 at the first block
    (stochastic depth, Huang et al. 2016)."""
    width: Annotated[int, Range(1, 512)] = 16
    """residual: channels of the first stage. Multiples of 16 are fastest."""
    stem_width: Annotated[int, Range(0, 512)] = 0
    """residual: channels of an additional stage at full resolution before the first. 0: none."""
    width_multiplier: Annotated[float, Range(1, 4)] = 2.0
    """residual: factor of the channels from one stage to the next."""
    blocks_per_stage: Annotated[int, Range(1, 16)] = 1
    """residual: blocks of two convolutions in each stage."""
    flip_tta: bool = False
    """After training, average the predictions of image and mirror image (flip TTA), which takes twice the time."""
    tta_threshold: Fraction = 0.0
    """After training, an image whose highest probability is below this is predicted again as its mirror image, and the
    probabilities are averaged. 0: off."""
    tta_crop: FractionAbove0 = 1.0
    """With tta_threshold: such an image is also predicted as its center crop, whose side is this fraction of the
    image's, and as the mirror image of that. 1: off."""
    eval_blur: Fraction = 0.0
    """After training, weight of a 3 x 3 mean filter that is blended into each image, so that photos of high and of low
    resolution look alike. 0: off."""
    freeze_stages: Annotated[int, Range(0, 7)] = 0
    """efficientnet_lite: stages that keep their pretrained weights; the stem then does too. 0: all are trained."""
    head_init: Literal["random", "linear_probe"] = "random"
    """Initial weights of the last linear layer. linear_probe: fitted to features of the pretrained network, as with
    optimizer.name=lbfgs, so that fine-tuning changes them less (Kumar et al. 2022)."""
    fold_batch_norm: bool = False
    """efficientnet_lite: fold batch norm, with the statistics of the pretrained weights, into the convolutions, which
    are then trained with a bias. Batches may be small, and a step takes less time."""
    freeze_depthwise: bool = False
    """efficientnet_lite with fold_batch_norm: depthwise convolutions keep their pretrained weights. On a CPU in bf16
    their gradients take most of a step."""


@dataclass(frozen=True, slots=True)
class AugmentationConfig:
    """Random changes of the training images. Validation and test images are never changed."""

    horizontal_flip: bool = True
    """Mirror left to right with probability 0.5."""
    random_crop_padding: Annotated[int, Range(0, 16)] = 0
    """Pad with this many black pixels on each side, then crop to the original size at a random position. 0: off."""
    random_downscale: FractionAbove0 = 1.0
    """Scale a third of the images down, to at least this fraction of the size, and up again. 1: off."""
    random_resized_crop_scale: FractionAbove0 = 1.0
    """Crop a random rectangle of at least this fraction of the area and resize it. 1: off."""
    rotation_degrees: Annotated[float, Range(0, 180)] = 0.0
    """Rotate by up to this many degrees in either direction. 0: off."""
    train_size: Count = 0
    """Height and width of the training images in pixels. Random crops enlarge what they show; fewer pixels than
    data.image_size compensate for that and take less time (FixRes, Touvron et al. 2019). 0: data.image_size."""
    color_jitter: FractionBelow1 = 0.0
    """Multiply brightness, contrast and saturation by factors from 1 - x to 1 + x. 0: off."""
    hue_jitter: Annotated[float, Range(0, 0.5)] = 0.0
    """Rotate the hue by up to this fraction of the color circle in either direction. 0: off."""
    random_erasing_prob: Fraction = 0.0
    """Probability of replacing a random rectangle with noise (random erasing, Zhong et al. 2017). 0: off."""
    random_erasing_scale: tuple[float, float] = (0.02, 0.33)
    """Smallest and largest area of the erased rectangle, as a fraction of the image."""
    random_erasing_ratio: tuple[float, float] = (0.3, 3.3)
    """Smallest and largest height / width of the erased rectangle."""
    mixup_prob: Fraction = 0.0
    """Probability of blending an image and its label with another of the batch, which gets a random weight up to 0.5
    (mixup, Zhang et al. 2018). 0: off."""


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """The loss and the update of the weights."""

    name: Literal["sgd", "muon", "adamw", "lbfgs"] = "sgd"
    """sgd: stochastic gradient descent as in PyTorch; muon: orthogonalized updates for the filters of convolutions,
    sgd for all other weights; adamw: as in PyTorch, with betas (momentum, 0.999) (Loshchilov and Hutter 2019); lbfgs:
    only the linear head is fitted, to features that are computed once, with an L2 penalty that is chosen by
    cross-validation (linear probe)."""
    lr: Positive = 0.01
    """Learning rate; the maximum where the schedule changes it. With muon: update of a filter relative to its norm."""
    head_lr_mult: Positive = 1.0
    """Learning rate of linear layers, as a multiple of lr."""
    norm_bias_lr_mult: Positive = 1.0
    """Learning rate of batch norm and biases, as a multiple of lr."""
    layer_decay: FractionAbove0 = 1.0
    """Learning rate of each layer or stage as a fraction of that of the next, as in timm; the last one and the head
    have lr. 1: the same for all."""
    momentum: FractionBelow1 = 0.9
    """Momentum. 0: plain gradient descent, which needs nesterov=false."""
    nesterov: bool = True
    """Use Nesterov momentum; adamw has none."""
    weight_decay: Annotated[float, Range(0)] = 0.0
    """L2 penalty on all weights; with muon on all but the filters, whose norm is fixed. With adamw: decoupled from the
    gradients, and not on batch norm and biases, as in timm."""
    batch_size: Annotated[int, Range(2)] = 256
    """Images per step."""
    label_smoothing: FractionBelow1 = 0.0
    """Label smoothing of the training loss. Validation and test loss are never smoothed."""
    ema_decay: FractionBelow1 = 0.0
    """Evaluate and save an exponential moving average of the weights with this decay per step. 0: off."""
    initial_weight: FractionBelow1 = 0.0
    """Weight of the initial weights in the moving average that is evaluated and saved: fine-tuning then forgets less of
    what pretrained weights know about other images (WiSE-FT, Wortsman et al. 2022). 0: off."""


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """Knowledge distillation: train on the predictions of other models as well (Hinton et al. 2015)."""

    teachers: tuple[str, ...] = ()
    """Finished runs whose mean prediction is the target beside the label; paths are relative to the working folder.
    Where images are held out, only teachers that held out the same ones are used. []: no distillation."""
    temperature: Annotated[float, Range(0.1, 100)] = 2.0
    """Divides the logits of teacher and student in the loss. Higher values give improbable classes more weight."""
    weight: FractionAbove0 = 0.9
    """Weight of the distillation loss; the loss of the labels has 1 - weight."""


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """The number of epochs and the learning rate over them."""

    name: Literal["reduce_on_plateau", "one_cycle", "constant"] = "reduce_on_plateau"
    """reduce_on_plateau: multiply the learning rate by `factor` when the validation loss stops falling; one_cycle: rise
    linearly to the maximum, then fall linearly to 0; constant: keep it."""
    epochs: Annotated[int, Range(1)] = 40
    """Maximum number of passes over the training images."""
    factor: Annotated[float, Range(0, 1, open_low=True, open_high=True)] = 0.1
    """reduce_on_plateau: factor of the learning rate."""
    patience: Count = 1
    """reduce_on_plateau: epochs without a lower validation loss before the learning rate is reduced."""
    warmup_fraction: FractionBelow1 = 0.2
    """one_cycle: fraction of all steps until the maximum learning rate."""
    skip_easy_fraction: FractionBelow1 = 0.0
    """Fraction of the training images that each epoch after the first skips: those whose loss was lowest when they were
    last trained on. 0: off."""


@dataclass(frozen=True, slots=True)
class EarlyStoppingConfig:
    """When to stop before the last epoch, and which epoch's weights to keep."""

    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    """The metric that must improve. The weights of its best epoch are kept."""
    patience: Count = 0
    """Stop after this many epochs without improvement. 0: never stop early, and keep the weights of the last epoch."""


@dataclass(frozen=True, slots=True)
class ComputeConfig:
    """Hardware and number format. Another device, precision or number of threads gives other weights."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format of training. auto: bf16 where a measurement shows that it is faster, otherwise fp32. Evaluation
    always uses fp32."""
    device: str = "auto"
    """cpu, cuda or cuda:1. auto: CUDA where there is a GPU."""
    threads: Count = 0
    """CPU threads. 0: one per core."""


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
    is_fold = not held_out or abs(1 / data.val_fraction - data.folds) < 1e-3
    yield "data.val_fraction", is_fold, "0, 0.5, 0.25, 0.2, 0.1 or another 1 / n"
    folds = f"below {data.folds}" if held_out else "0, as nothing is held out (data.val_fraction is 0)"
    yield "data.fold", data.fold < max(1, data.folds), folds
    can_add = (data.channels == 3 and data.source != "") or data.synthetic_per_class == 0
    yield "data.synthetic_per_class", can_add, "0, except for class folders of RGB photos"
    yield "model.tta_crop", model.tta_threshold > 0 or model.tta_crop == 1, "1 where model.tta_threshold is 0"
    yield from _fine_tuning_rules(model, optimizer)
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
    yield "schedule.name", held_out or is_fixed, f"one_cycle or constant {without} loss"


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
    can_scale = optimizer.name != "muon" or not model.fold_batch_norm
    yield "optimizer.name", can_scale, "sgd or adamw with model.fold_batch_norm: muon scales filters before batch norm"


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
