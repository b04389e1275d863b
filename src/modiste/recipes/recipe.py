"""The recipe: every setting of a training, as frozen dataclasses.

The docstring below a field gives its unit, its special values and, where it is not obvious, its reason. It is printed
by `modiste train RECIPE --list` and stands in docs/settings.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

from modiste.errors import SettingError


def require(config: object, section: str, rules: Mapping[str, tuple[bool, str]]) -> None:
    """Raise a SettingError for the first rule that does not hold.

    Args:
        config: a recipe or one of its sections.
        section: its name and a dot, empty for the recipe.
        rules: for each key of it whether the rule holds, and the rule in words.
    """
    for key, (holds, rule) in rules.items():
        if not holds:
            value = attrgetter(key)(config)
            shown = list(value) if isinstance(value, tuple) else value
            raise SettingError(f"{section}{key} is {shown!r}, but it must be {rule}.")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """The images of a training, and which of them are held out for validation."""

    source: str = ""
    """Folder of the dataset: IDX files or class folders. Empty: the bundled Fashion-MNIST."""
    image_size: int = 28
    """Height and width of the images in pixels."""
    channels: Literal[1, 3] = 1
    """1: grayscale; 3: RGB."""
    val_fraction: float = 0.2
    """Fraction of the training images held out for validation: 1 / number of folds. 0: none. Not used for a dataset
    that has a validation split of its own."""
    fold: int = 0
    """Index of the fold that is held out, from 0."""
    max_train_images: int = 0
    """Use only the first n training images, for quick trials. 0: all."""
    synthetic_per_class: int = 0
    """Photos only: add n photo-like images, made from Fashion-MNIST, for each class that has no photo of its own. Where
    "none of these" is a class, 2 n drawings of other things are added to it. 0: none."""

    def __post_init__(self) -> None:
        is_fold = not self.val_fraction or abs(1 / self.val_fraction - self.folds) < 1e-3
        folds = f"0 to {self.folds - 1}" if self.folds else "0, as nothing is held out (data.val_fraction is 0)"
        takes_synthetic = self.synthetic_per_class == 0 or (self.channels == 3 and bool(self.source))
        rules = {
            "image_size": (8 <= self.image_size <= 512, "8 to 512 pixels"),
            "val_fraction": (0 <= self.val_fraction <= 0.5 and is_fold, "0, 0.5, 0.25, 0.2, 0.1 or another 1 / n"),
            "fold": (0 <= self.fold < max(1, self.folds), folds),
            "max_train_images": (self.max_train_images >= 0, "0 (all) or a number of images"),
            "synthetic_per_class": (
                0 <= self.synthetic_per_class <= 6000 and takes_synthetic,
                "0, or up to 6000 images with class folders of RGB photos",
            ),
        }
        require(self, "data.", rules)

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
    dropout: float = 0.5
    """Dropout probability before the last layer, for networks with a hidden linear layer."""
    drop_path_rate: float = 0.0
    """efficientnet_lite: probability of skipping the last block in training; it falls linearly to 0 at the first block
    (stochastic depth, Huang et al. 2016)."""
    width: int = 16
    """residual: channels of the first stage. Multiples of 16 are fastest."""
    stem_width: int = 0
    """residual: channels of an additional stage at full resolution before the first. 0: none."""
    width_multiplier: float = 2.0
    """residual: factor of the channels from one stage to the next."""
    blocks_per_stage: int = 1
    """residual: blocks of two convolutions in each stage."""
    flip_tta: bool = False
    """After training, average the prediction over the image and its mirror image: flip test-time augmentation, which
    takes twice the time."""
    eval_blur: float = 0.0
    """After training, weight of a 3 x 3 mean filter that is blended into each image, so that photos of high and of low
    resolution look alike. 0: off."""
    freeze_stages: int = 0
    """efficientnet_lite: number of stages after the stem that keep their pretrained weights, with the stem. 0: all
    weights are trained."""

    def __post_init__(self) -> None:
        can_freeze = bool(self.weights) and self.name.startswith("efficientnet_lite")
        stages = "0 (none) to 7 stages" if can_freeze else "0, but for an efficientnet_lite with model.weights"
        rules = {
            "dropout": (0 <= self.dropout < 1, "a probability from 0 to below 1"),
            "drop_path_rate": (0 <= self.drop_path_rate < 1, "a probability from 0 to below 1"),
            "width": (1 <= self.width <= 512, "1 to 512 channels"),
            "stem_width": (0 <= self.stem_width <= 512, "0 (none) to 512 channels"),
            "width_multiplier": (1 <= self.width_multiplier <= 4, "a factor from 1 to 4"),
            "blocks_per_stage": (1 <= self.blocks_per_stage <= 16, "1 to 16 blocks"),
            "eval_blur": (0 <= self.eval_blur <= 1, "a fraction from 0 to 1"),
            "freeze_stages": (0 <= self.freeze_stages <= (7 if can_freeze else 0), stages),
        }
        require(self, "model.", rules)


@dataclass(frozen=True, slots=True)
class AugmentationConfig:
    """Random changes of the training images. Validation and test images are never changed."""

    horizontal_flip: bool = True
    """Mirror left to right with probability 0.5."""
    random_crop_padding: int = 0
    """Pad with so many black pixels on each side, then crop to the original size at a random position. 0: off."""
    random_downscale: float = 1.0
    """Scale a third of the images down and up again; the lower resolution is at least this fraction of the size. 1:
    off."""
    random_resized_crop_scale: float = 1.0
    """Crop a random rectangle of at least this fraction of the area and resize it. 1: off."""
    rotation_degrees: float = 0.0
    """Rotate by up to so many degrees in either direction. 0: off."""
    train_size: int = 0
    """Height and width of the training images in pixels. Random crops enlarge what they show; fewer pixels than
    data.image_size compensate for that and take less time (FixRes, Touvron et al. 2019). 0: data.image_size."""
    color_jitter: float = 0.0
    """Multiply brightness, contrast and saturation by factors from 1 - x to 1 + x. 0: off."""
    hue_jitter: float = 0.0
    """Rotate the hue by up to this fraction of the color circle in either direction. 0: off."""
    random_erasing_prob: float = 0.0
    """Probability of replacing a random rectangle with noise (random erasing, Zhong et al. 2017). 0: off."""
    random_erasing_scale: tuple[float, float] = (0.02, 0.33)
    """Smallest and largest area of the erased rectangle, as a fraction of the image."""
    random_erasing_ratio: tuple[float, float] = (0.3, 3.3)
    """Smallest and largest height / width of the erased rectangle."""
    mixup_prob: float = 0.0
    """Probability of blending an image and its label with another of the batch, which gets a random weight up to 0.5
    (mixup, Zhang et al. 2018). 0: off."""

    def __post_init__(self) -> None:
        scale, ratio, pair = self.random_erasing_scale, self.random_erasing_ratio, "two positive numbers, smaller first"
        rules = {
            "random_crop_padding": (0 <= self.random_crop_padding <= 16, "0 to 16 pixels"),
            "random_downscale": (0 < self.random_downscale <= 1, "a fraction above 0, at most 1"),
            "random_resized_crop_scale": (0 < self.random_resized_crop_scale <= 1, "a fraction above 0, at most 1"),
            "rotation_degrees": (0 <= self.rotation_degrees <= 180, "0 to 180 degrees"),
            "train_size": (self.train_size == 0 or self.train_size >= 8, "0 (all), or at least 8 pixels"),
            "color_jitter": (0 <= self.color_jitter < 1, "from 0 to below 1"),
            "hue_jitter": (0 <= self.hue_jitter <= 0.5, "from 0 to 0.5"),
            "random_erasing_prob": (0 <= self.random_erasing_prob <= 1, "a probability from 0 to 1"),
            "random_erasing_scale": (0 < scale[0] <= scale[1] <= 1, f"{pair}, at most 1"),
            "random_erasing_ratio": (0 < ratio[0] <= ratio[1], pair),
            "mixup_prob": (0 <= self.mixup_prob <= 1, "a probability from 0 to 1"),
        }
        require(self, "augmentation.", rules)


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """The loss and the update of the weights."""

    name: Literal["sgd", "muon"] = "sgd"
    """sgd: stochastic gradient descent as in PyTorch; muon: orthogonalized updates for the filters of convolutions,
    sgd for all other weights."""
    lr: float = 0.01
    """Learning rate; the maximum where the schedule changes it. With muon: update of a filter relative to its norm."""
    head_lr_mult: float = 1.0
    """Learning rate of linear layers, as a multiple of lr."""
    norm_bias_lr_mult: float = 1.0
    """Learning rate of batch norm and biases, as a multiple of lr."""
    momentum: float = 0.9
    """Momentum. 0: plain gradient descent, which needs nesterov=false."""
    nesterov: bool = True
    """Use Nesterov momentum."""
    weight_decay: float = 0.0
    """L2 penalty on all weights; with muon on all but the filters, whose norm is fixed."""
    batch_size: int = 256
    """Images per step."""
    label_smoothing: float = 0.0
    """Label smoothing of the training loss. Validation and test loss are never smoothed."""
    ema_decay: float = 0.0
    """Evaluate and save an exponential moving average of the weights with this decay per step. 0: off."""

    def __post_init__(self) -> None:
        momentum = "false when optimizer.momentum is 0, true with muon"
        rules = {
            "lr": (self.lr > 0, "above 0"),
            "head_lr_mult": (self.head_lr_mult > 0, "above 0"),
            "norm_bias_lr_mult": (self.norm_bias_lr_mult > 0, "above 0"),
            "momentum": (0 <= self.momentum < 1, "from 0 to below 1"),
            "nesterov": (self.momentum > 0 if self.nesterov else self.name != "muon", momentum),
            "weight_decay": (self.weight_decay >= 0, "0 or more"),
            "batch_size": (self.batch_size >= 2, "at least 2 images, as batch norm needs several"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "from 0 to below 1"),
            "ema_decay": (0 <= self.ema_decay < 1, "from 0 to below 1"),
        }
        require(self, "optimizer.", rules)


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """Knowledge distillation: train on the predictions of other models as well (Hinton et al. 2015)."""

    teachers: tuple[str, ...] = ()
    """Finished runs whose mean prediction is the target beside the label; paths are relative to the working folder.
    Where images are held out, only teachers that held out the same ones are used. []: no distillation."""
    temperature: float = 2.0
    """Divides the logits of teacher and student before they are compared. A higher temperature gives improbable classes
    more weight."""
    weight: float = 0.9
    """Weight of the distillation loss; the loss of the labels has 1 - weight."""

    def __post_init__(self) -> None:
        rules = {
            "weight": (0 < self.weight <= 1, "above 0, at most 1"),
            "temperature": (0.1 <= self.temperature <= 100, "from 0.1 to 100"),
        }
        require(self, "distillation.", rules)


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """The number of epochs and the learning rate over them."""

    name: Literal["reduce_on_plateau", "one_cycle", "constant"] = "reduce_on_plateau"
    """reduce_on_plateau: multiply the learning rate by `factor` when the validation loss stops falling; one_cycle: rise
    linearly to the maximum, then fall linearly to 0; constant: keep it."""
    epochs: int = 40
    """Maximum number of passes over the training images."""
    factor: float = 0.1
    """reduce_on_plateau: factor of the learning rate."""
    patience: int = 1
    """reduce_on_plateau: epochs without a lower validation loss before the learning rate is reduced."""
    warmup_fraction: float = 0.2
    """one_cycle: fraction of all steps until the maximum learning rate."""
    skip_easy_fraction: float = 0.0
    """Fraction of the training images that each epoch after the first skips: those whose loss was lowest when they were
    last trained on. 0: off."""

    def __post_init__(self) -> None:
        rules = {
            "epochs": (self.epochs >= 1, "at least 1"),
            "factor": (0 < self.factor < 1, "between 0 and 1"),
            "patience": (self.patience >= 0, "0 or more epochs"),
            "warmup_fraction": (0 <= self.warmup_fraction < 1, "from 0 to below 1"),
            "skip_easy_fraction": (0 <= self.skip_easy_fraction < 1, "from 0 to below 1"),
        }
        require(self, "schedule.", rules)


@dataclass(frozen=True, slots=True)
class EarlyStoppingConfig:
    """When to stop before the last epoch, and which epoch's weights to keep."""

    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    """The metric that must improve. The weights of its best epoch are kept."""
    patience: int = 0
    """Stop after so many epochs without improvement. 0: never stop early, and keep the weights of the last epoch."""

    def __post_init__(self) -> None:
        require(self, "early_stopping.", {"patience": (self.patience >= 0, "0 or more epochs")})


@dataclass(frozen=True, slots=True)
class ComputeConfig:
    """Hardware and number format.

    Another device, precision or number of threads rounds differently, and so trains other weights.
    """

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format of training. auto: bf16 where a measurement shows that it is faster, otherwise fp32. Evaluation
    always uses fp32."""
    device: str = "auto"
    """cpu, cuda or cuda:1. auto: CUDA where there is a GPU."""
    threads: int = 0
    """CPU threads. 0: one per core."""

    def __post_init__(self) -> None:
        require(self, "compute.", {"threads": (self.threads >= 0, "0 (one per core) or a number of threads")})


@dataclass(frozen=True, slots=True)
class Recipe:
    """A complete training.

    With the same images and teachers it gives bit-identical weights on a CPU with one thread, if compute.precision is
    fp32 or bf16: auto may choose either, by measuring.
    """

    name: str = "custom"
    """The named recipe that this one was made from."""
    description: str = ""
    """One sentence: what the recipe is for, and where its values are from."""
    seed: int = 0
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
        held_out = self.data.val_fraction > 0
        fits = self.augmentation.train_size <= self.data.image_size
        needs_loss = "one_cycle or constant when data.val_fraction is 0: reduce_on_plateau needs a validation loss"
        rules = {
            "seed": (0 <= self.seed < 2**32, "from 0 to 4294967295"),
            "augmentation.train_size": (fits, f"at most data.image_size, {self.data.image_size}"),
            "early_stopping.patience": (
                held_out or self.early_stopping.patience == 0,
                "0 when data.val_fraction is 0: there is no validation metric to monitor",
            ),
            "schedule.name": (held_out or self.schedule.name != "reduce_on_plateau", needs_loss),
        }
        require(self, "", rules)


Settings = dict[str, Any]
"""Dotted keys, as in `optimizer.lr`, and their values."""
