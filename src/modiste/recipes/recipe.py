"""The record of a training: everything that decides what comes out, and nothing else.

Each field is followed by its unit or its reason in one line; `settings.describe` reads these lines for users.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from modiste.errors import SettingError


def require(holds: bool, key: str, value: object, rule: str) -> None:
    """Raise a `SettingError` that names key, value and rule unless the rule holds."""
    if not holds:
        raise SettingError(f"{key} is {value!r}, but it must be {rule}.")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Which images, and what is held out of them."""

    source: str = ""
    """Folder with IDX files or class folders; empty is the Fashion-MNIST that comes with the package."""
    image_size: int = 28
    """Pixels a side; every image is square."""
    channels: Literal[1, 3] = 1
    """1 gray, 3 RGB."""
    val_fraction: float = 0.2
    """Share of the official train set that is held out: fold K of 1/share; 0 holds out nothing."""
    fold: int = 0
    """Which of the folds is held out."""
    max_train_images: int = 0
    """Use only the first so many training images, for quick trials; 0 is all."""
    synthetic_per_class: int = 0
    """photos: add so many images of Fashion-MNIST, made photo-like, for each of its labels that no photo has alone, and
    twice as many drawings that are no clothes, where "none of these" is a label."""

    def __post_init__(self) -> None:
        require(8 <= self.image_size <= 512, "data.image_size", self.image_size, "8 to 512 pixels")
        whole = not self.val_fraction or abs(1 / self.val_fraction - self.folds) < 1e-3
        require(
            0 <= self.val_fraction <= 0.5 and whole,
            "data.val_fraction",
            self.val_fraction,
            "0, or one fold of several: 0.5, 0.25, 0.2, 0.1",
        )
        rule = f"0 to {self.folds - 1}" if self.folds else "0, as nothing is held out (data.val_fraction is 0)"
        require(0 <= self.fold < max(1, self.folds), "data.fold", self.fold, rule)
        require(
            self.max_train_images >= 0, "data.max_train_images", self.max_train_images, "0 (all) or a number of images"
        )
        fitting = self.synthetic_per_class == 0 or (self.channels == 3 and bool(self.source))
        require(
            0 <= self.synthetic_per_class <= 6000 and fitting,
            "data.synthetic_per_class",
            self.synthetic_per_class,
            "0, or up to 6000 images beside class folders of RGB photos",
        )

    @property
    def folds(self) -> int:
        """How many folds the train set is cut into; 0 when nothing is held out."""
        return round(1 / self.val_fraction) if self.val_fraction else 0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What is trained, and from which first weights."""

    name: str = "cnn"
    """cnn, resnet18, residual, efficientnet_lite0, efficientnet_lite1, or package.module:factory for your own."""
    weights: str = ""
    """Start from these: empty is from scratch, imagenet is what the network learned there (resnet18, whose 45 MB are
    downloaded once; efficientnet_lite0, efficientnet_lite1), else a .safetensors file."""
    init: Literal["xavier", "default"] = "xavier"
    """xavier: Glorot uniform for convolutions and linear layers, Normal(1, 0.01) for batch-norm weights; default is
    PyTorch's, and a network of one's own always keeps what its factory gave it."""
    dropout: float = 0.5
    """Share of the hidden units dropped before the last layer, where the network has such a layer."""
    drop_path_rate: float = 0.0
    """Share of the images for which the last block of an efficientnet_lite is skipped in training; earlier ones less
    (Huang et al. 2016)."""
    width: int = 16
    """Channels of the first strided stage of `residual`; multiples of 16 are fastest."""
    stem_width: int = 0
    """Channels of a stage of `residual` before that, at the full size of the images; 0 leaves it out."""
    width_multiplier: float = 2.0
    """Channels of each further strided stage of `residual`, as a multiple of those of the one before."""
    blocks_per_stage: int = 1
    """Blocks of two convolutions in each stage of `residual`."""
    flip_tta: bool = False
    """Once it is trained, answer by the mean over each image and its mirror image: as right for both, in twice the
    time."""
    eval_blur: float = 0.0
    """Once it is trained, mix each pixel to this share with the mean of the 3 x 3 around it, so that photos of many and
    of few pixels look alike; 0 is off."""
    freeze_stages: int = 0
    """Stages of an efficientnet_lite, from the stem on, that stay as they were loaded; 0 trains all."""

    def __post_init__(self) -> None:
        require(0 <= self.dropout < 1, "model.dropout", self.dropout, "a share from 0 to below 1")
        require(0 <= self.drop_path_rate < 1, "model.drop_path_rate", self.drop_path_rate, "a share from 0 to below 1")
        require(1 <= self.width <= 512, "model.width", self.width, "1 to 512 channels")
        require(0 <= self.eval_blur <= 1, "model.eval_blur", self.eval_blur, "a share from 0 to 1")
        require(
            1 <= self.width_multiplier <= 4,
            "model.width_multiplier",
            self.width_multiplier,
            "1 to 4 times the channels",
        )
        require(1 <= self.blocks_per_stage <= 16, "model.blocks_per_stage", self.blocks_per_stage, "1 to 16 blocks")
        require(0 <= self.stem_width <= 512, "model.stem_width", self.stem_width, "0 (none) to 512 channels")
        freezes = bool(self.weights) and self.name.startswith("efficientnet_lite")
        rule = "0 (none) to 7 stages" if freezes else "0 but for an efficientnet_lite with model.weights"
        require(0 <= self.freeze_stages <= (7 if freezes else 0), "model.freeze_stages", self.freeze_stages, rule)


@dataclass(frozen=True, slots=True)
class AugmentationConfig:
    """Random changes of the training images; validation and test images are never changed."""

    horizontal_flip: bool = True
    """Mirror left to right, half of the images."""
    random_crop_padding: int = 0
    """Pad by so many pixels of black, then cut at a random place; 0 is off."""
    random_downscale: float = 1.0
    """Make a third of the images as if enlarged from fewer pixels a side, at least this share of them; 1 is off."""
    random_resized_crop_scale: float = 1.0
    """Cut out a random share of the area, at least this one, and enlarge it; 1 is off."""
    rotation_degrees: float = 0.0
    """Turn by up to so many degrees, either way; 0 is off."""
    train_size: int = 0
    """Pixels a side that training sees, of images of data.image_size; what is cut out and enlarged looks larger in training
    than when it is judged, and fewer pixels make up for it in less time (Touvron et al. 2019); 0 is all."""
    color_jitter: float = 0.0
    """Change brightness, contrast and saturation by up to this factor less or more; 0 is off."""
    hue_jitter: float = 0.0
    """Turn all hues by up to this share of a full turn, either way; 0 is off."""
    random_erasing_prob: float = 0.0
    """Share of the images in which a random rectangle is overwritten with noise; 0 is off."""
    random_erasing_scale: tuple[float, float] = (0.02, 0.33)
    """Smallest and largest share of the image that is erased."""
    random_erasing_ratio: tuple[float, float] = (0.3, 3.3)
    """Smallest and largest height to width of the erased rectangle."""
    mixup_prob: float = 0.0
    """Share of the images that are blended with another of their batch, by a random part up to a half, and their labels
    likewise (mixup, Zhang et al. 2018); 0 is off."""

    def __post_init__(self) -> None:
        require(
            0 <= self.random_crop_padding <= 16,
            "augmentation.random_crop_padding",
            self.random_crop_padding,
            "0 to 16 pixels",
        )
        require(
            0 < self.random_downscale <= 1,
            "augmentation.random_downscale",
            self.random_downscale,
            "a share above 0, at most 1",
        )
        require(
            0 < self.random_resized_crop_scale <= 1,
            "augmentation.random_resized_crop_scale",
            self.random_resized_crop_scale,
            "a share above 0, at most 1",
        )
        require(
            self.train_size == 0 or self.train_size >= 8,
            "augmentation.train_size",
            self.train_size,
            "0 (all), or at least 8 pixels",
        )
        require(
            0 <= self.rotation_degrees <= 180,
            "augmentation.rotation_degrees",
            self.rotation_degrees,
            "0 to 180 degrees",
        )
        require(0 <= self.hue_jitter <= 0.5, "augmentation.hue_jitter", self.hue_jitter, "from 0 to 0.5")
        require(0 <= self.color_jitter < 1, "augmentation.color_jitter", self.color_jitter, "from 0 to below 1")
        require(0 <= self.mixup_prob <= 1, "augmentation.mixup_prob", self.mixup_prob, "a share from 0 to 1")
        require(
            0 <= self.random_erasing_prob <= 1,
            "augmentation.random_erasing_prob",
            self.random_erasing_prob,
            "a share from 0 to 1",
        )
        for name in ("random_erasing_scale", "random_erasing_ratio"):
            low, high = pair = getattr(self, name)
            require(0 < low <= high, f"augmentation.{name}", list(pair), "two positive numbers, the smaller first")
        require(
            self.random_erasing_scale[1] <= 1,
            "augmentation.random_erasing_scale",
            list(self.random_erasing_scale),
            "at most 1",
        )


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """What is minimized, and the step that does it."""

    name: Literal["sgd", "muon"] = "sgd"
    """sgd: stochastic gradient descent, in PyTorch's form; muon: orthogonalized steps for the filters of convolutions,
    sgd for all else."""
    lr: float = 0.01
    """Learning rate; its peak where the schedule has one. With muon, how far a filter moves, as a share of its norm."""
    head_lr_mult: float = 1.0
    """Rate of linear layers, as a multiple of lr."""
    norm_bias_lr_mult: float = 1.0
    """Rate of biases and batch norm, as a multiple of lr."""
    momentum: float = 0.9
    """0 is plain gradient descent."""
    nesterov: bool = True
    """Look ahead along the momentum before each step."""
    weight_decay: float = 0.0
    """L2 penalty on all parameters; with muon on all but the filters, whose norm is fixed."""
    batch_size: int = 256
    """Images a step."""
    label_smoothing: float = 0.0
    """Label smoothing of the cross-entropy that is minimized; scores never have it."""
    ema_decay: float = 0.0
    """Judge and keep an average of the weights, of which this share stays at each step; 0 keeps the last weights."""

    def __post_init__(self) -> None:
        for name in ("lr", "head_lr_mult", "norm_bias_lr_mult"):
            require(getattr(self, name) > 0, f"optimizer.{name}", getattr(self, name), "above 0")
        require(0 <= self.momentum < 1, "optimizer.momentum", self.momentum, "from 0 to below 1")
        require(
            not self.nesterov or self.momentum > 0,
            "optimizer.nesterov",
            self.nesterov,
            "false when optimizer.momentum is 0",
        )
        require(
            self.nesterov or self.name != "muon",
            "optimizer.nesterov",
            self.nesterov,
            "true with muon",
        )
        require(self.weight_decay >= 0, "optimizer.weight_decay", self.weight_decay, "0 or more")
        require(
            self.batch_size >= 2,
            "optimizer.batch_size",
            self.batch_size,
            "at least 2 images, as batch norm compares them",
        )
        require(0 <= self.label_smoothing < 1, "optimizer.label_smoothing", self.label_smoothing, "from 0 to below 1")
        require(0 <= self.ema_decay < 1, "optimizer.ema_decay", self.ema_decay, "from 0 to below 1")


@dataclass(frozen=True, slots=True)
class DistillationConfig:
    """From whom else a network learns (Hinton et al. 2015)."""

    teachers: tuple[str, ...] = ()
    """Finished runs, as seen from the folder you train in: every step asks all of them what its images are, beside
    their labels; where images are held out, those of them that held out the same. [] is the labels alone."""
    temperature: float = 2.0
    """What the logits of teacher and student are divided by before they are compared: the larger, the more the
    improbable labels count."""
    weight: float = 0.9
    """What the teachers count of the loss; the labels are the rest."""

    def __post_init__(self) -> None:
        require(0 < self.weight <= 1, "distillation.weight", self.weight, "above 0, at most 1")
        require(0.1 <= self.temperature <= 100, "distillation.temperature", self.temperature, "from 0.1 to 100")


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """The learning rate over the epochs."""

    name: Literal["reduce_on_plateau", "one_cycle", "constant"] = "reduce_on_plateau"
    """reduce_on_plateau: times factor when validation loss stalls; one_cycle: up, then down to 0; constant."""
    epochs: int = 40
    """At most so many passes over the training images."""
    factor: float = 0.1
    """reduce_on_plateau: what the learning rate is multiplied with."""
    patience: int = 1
    """reduce_on_plateau: epochs without a lower validation loss that are forgiven."""
    warmup_fraction: float = 0.2
    """one_cycle: share of the training until the peak."""
    skip_easy_fraction: float = 0.0
    """Share of the images that every epoch but the first leaves out: those with the lowest loss when last seen."""

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "schedule.epochs", self.epochs, "at least 1")
        require(0 < self.factor < 1, "schedule.factor", self.factor, "between 0 and 1")
        require(self.patience >= 0, "schedule.patience", self.patience, "0 or more epochs")
        require(0 <= self.warmup_fraction < 1, "schedule.warmup_fraction", self.warmup_fraction, "from 0 to below 1")
        require(
            0 <= self.skip_easy_fraction < 1,
            "schedule.skip_easy_fraction",
            self.skip_easy_fraction,
            "from 0 to below 1",
        )


@dataclass(frozen=True, slots=True)
class EarlyStoppingConfig:
    """When to stop before the last epoch; ours where the course report is silent."""

    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    """What must improve; the weights of its best epoch are kept."""
    patience: int = 0
    """Stop after so many epochs without improvement; 0 never stops early and keeps the last epoch."""

    def __post_init__(self) -> None:
        require(self.patience >= 0, "early_stopping.patience", self.patience, "0 or more epochs")


@dataclass(frozen=True, slots=True)
class ComputeConfig:
    """What it runs on; another device, precision or number of threads rounds otherwise, and so trains to other bits."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto takes bf16 where that is faster here, which is measured, fp32 elsewhere; scores are always fp32."""
    device: str = "auto"
    """auto takes CUDA when there is one; else cpu, cuda, cuda:1."""
    threads: int = 0
    """CPU threads; 0 is one a core."""

    def __post_init__(self) -> None:
        require(self.threads >= 0, "compute.threads", self.threads, "0 (one a core) or a number of threads")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training, but for its pictures and teachers; it decides every bit of a one-thread training on a CPU."""

    name: str = "custom"
    """Which named recipe this started from."""
    description: str = ""
    """One sentence: what it is for, and which of its numbers are ours."""
    seed: int = 0
    """Start of all randomness: the folds, the first weights, order, augmentation, dropout."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    early_stopping: EarlyStoppingConfig = field(default_factory=EarlyStoppingConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)

    def __post_init__(self) -> None:
        require(0 <= self.seed < 2**32, "seed", self.seed, "from 0 to 4294967295")
        rule = f"at most data.image_size, {self.data.image_size}"
        require(
            self.augmentation.train_size <= self.data.image_size,
            "augmentation.train_size",
            self.augmentation.train_size,
            rule,
        )
        held_out = self.data.val_fraction > 0
        require(
            held_out or self.early_stopping.patience == 0,
            "early_stopping.patience",
            self.early_stopping.patience,
            "0 when data.val_fraction is 0: nothing is held out to judge by",
        )
        require(
            held_out or self.schedule.name != "reduce_on_plateau",
            "schedule.name",
            self.schedule.name,
            "one_cycle or constant when data.val_fraction is 0: a plateau is seen on validation loss",
        )


Settings = dict[str, Any]
"""Dotted keys, as in `optimizer.lr`, and their values."""
