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
class Data:
    """Which images, and what is held out of them."""

    source: str = ""
    """Folder with IDX files or class folders; empty is the Fashion-MNIST that comes with the package."""
    size: int = 28
    """Pixels a side; every image is square."""
    channels: Literal[1, 3] = 1
    """1 gray, 3 RGB."""
    validation: float = 0.2
    """Share of the official train set that is held out: fold K of 1/share; 0 holds out nothing."""
    fold: int = 0
    """Which of the folds is held out."""
    limit: int = 0
    """Use only the first so many training images, for quick trials; 0 is all."""
    catalogue: int = 0
    """photos: add so many images of Fashion-MNIST, made photo-like, for each of its labels that no photo has alone, and
    twice as many drawings that are no clothes, where "none of these" is a label."""

    def __post_init__(self) -> None:
        require(8 <= self.size <= 512, "data.size", self.size, "8 to 512 pixels")
        whole = not self.validation or abs(1 / self.validation - self.folds) < 1e-3
        require(
            0 <= self.validation <= 0.5 and whole,
            "data.validation",
            self.validation,
            "0, or one fold of several: 0.5, 0.25, 0.2, 0.1",
        )
        rule = f"0 to {self.folds - 1}" if self.folds else "0, as nothing is held out (data.validation is 0)"
        require(0 <= self.fold < max(1, self.folds), "data.fold", self.fold, rule)
        require(self.limit >= 0, "data.limit", self.limit, "0 (all) or a number of images")
        fitting = self.catalogue == 0 or (self.channels == 3 and bool(self.source))
        require(
            0 <= self.catalogue <= 6000 and fitting,
            "data.catalogue",
            self.catalogue,
            "0, or up to 6000 images beside class folders of RGB photos",
        )

    @property
    def folds(self) -> int:
        """How many folds the train set is cut into; 0 when nothing is held out."""
        return round(1 / self.validation) if self.validation else 0


@dataclass(frozen=True, slots=True)
class Network:
    """What is trained, and from which first weights."""

    name: str = "cnn"
    """cnn, resnet18, residual, efficientnet_lite0, efficientnet_lite1, or package.module:factory for your own."""
    weights: str = ""
    """Start from these: empty is from scratch, imagenet is what the network learned there (resnet18, whose 45 MB are
    downloaded once; efficientnet_lite0, efficientnet_lite1), else a .safetensors file."""
    initialisation: Literal["xavier", "default"] = "xavier"
    """xavier: Glorot uniform for convolutions and linear layers, Normal(1, 0.01) for batch-norm weights; default is
    PyTorch's, and a network of one's own always keeps what its factory gave it."""
    dropout: float = 0.5
    """Share of the hidden units dropped before the last layer, where the network has such a layer."""
    drop_path: float = 0.0
    """Share of the images for which the last block of an efficientnet_lite is skipped in training; earlier ones less
    (Huang et al. 2016)."""
    width: int = 16
    """Channels of the first strided stage of `residual`; multiples of 16 are fastest."""
    stem: int = 0
    """Channels of a stage of `residual` before that, at the full size of the images; 0 leaves it out."""
    growth: float = 2.0
    """Channels of each further strided stage of `residual`, as a multiple of those of the one before."""
    blocks: int = 1
    """Blocks of two convolutions in each stage of `residual`."""
    mirrored: bool = False
    """Once it is trained, answer by the mean over each image and its mirror image: as right for both, in twice the
    time."""
    softened: float = 0.0
    """Once it is trained, mix each pixel to this share with the mean of the 3 x 3 around it, so that photos of many and
    of few pixels look alike; 0 is off."""
    frozen: int = 0
    """Stages of an efficientnet_lite, from the stem on, that stay as they were loaded; 0 trains all."""

    def __post_init__(self) -> None:
        require(0 <= self.dropout < 1, "network.dropout", self.dropout, "a share from 0 to below 1")
        require(0 <= self.drop_path < 1, "network.drop_path", self.drop_path, "a share from 0 to below 1")
        require(1 <= self.width <= 512, "network.width", self.width, "1 to 512 channels")
        require(0 <= self.softened <= 1, "network.softened", self.softened, "a share from 0 to 1")
        require(1 <= self.growth <= 4, "network.growth", self.growth, "1 to 4 times the channels")
        require(1 <= self.blocks <= 16, "network.blocks", self.blocks, "1 to 16 blocks")
        require(0 <= self.stem <= 512, "network.stem", self.stem, "0 (none) to 512 channels")
        freezes = bool(self.weights) and self.name.startswith("efficientnet_lite")
        rule = "0 (none) to 7 stages" if freezes else "0 but for an efficientnet_lite with network.weights"
        require(0 <= self.frozen <= (7 if freezes else 0), "network.frozen", self.frozen, rule)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Random changes of the training images; validation and test images are never changed."""

    flip: bool = True
    """Mirror left to right, half of the images."""
    crop: int = 0
    """Pad by so many pixels of black, then cut at a random place; 0 is off."""
    coarse: float = 1.0
    """Make a third of the images as if enlarged from fewer pixels a side, at least this share of them; 1 is off."""
    zoom: float = 1.0
    """Cut out a random share of the area, at least this one, and enlarge it; 1 is off."""
    turn: float = 0.0
    """Turn by up to so many degrees, either way; 0 is off."""
    size: int = 0
    """Pixels a side that training sees, of images of data.size; what is cut out and enlarged looks larger in training
    than when it is judged, and fewer pixels make up for it in less time (Touvron et al. 2019); 0 is all."""
    colour: float = 0.0
    """Change brightness, contrast and saturation by up to this factor less or more; 0 is off."""
    hue: float = 0.0
    """Turn all hues by up to this share of a full turn, either way; 0 is off."""
    erasing: float = 0.0
    """Share of the images in which a random rectangle is overwritten with noise; 0 is off."""
    erasing_scale: tuple[float, float] = (0.02, 0.33)
    """Smallest and largest share of the image that is erased."""
    erasing_ratio: tuple[float, float] = (0.3, 3.3)
    """Smallest and largest height to width of the erased rectangle."""
    mixing: float = 0.0
    """Share of the images that are blended with another of their batch, by a random part up to a half, and their labels
    likewise (mixup, Zhang et al. 2018); 0 is off."""

    def __post_init__(self) -> None:
        require(0 <= self.crop <= 16, "augmentation.crop", self.crop, "0 to 16 pixels")
        require(0 < self.coarse <= 1, "augmentation.coarse", self.coarse, "a share above 0, at most 1")
        require(0 < self.zoom <= 1, "augmentation.zoom", self.zoom, "a share above 0, at most 1")
        require(self.size == 0 or self.size >= 8, "augmentation.size", self.size, "0 (all), or at least 8 pixels")
        require(0 <= self.turn <= 180, "augmentation.turn", self.turn, "0 to 180 degrees")
        require(0 <= self.hue <= 0.5, "augmentation.hue", self.hue, "from 0 to 0.5")
        require(0 <= self.colour < 1, "augmentation.colour", self.colour, "from 0 to below 1")
        require(0 <= self.mixing <= 1, "augmentation.mixing", self.mixing, "a share from 0 to 1")
        require(0 <= self.erasing <= 1, "augmentation.erasing", self.erasing, "a share from 0 to 1")
        for name in ("erasing_scale", "erasing_ratio"):
            low, high = pair = getattr(self, name)
            require(0 < low <= high, f"augmentation.{name}", list(pair), "two positive numbers, the smaller first")
        require(self.erasing_scale[1] <= 1, "augmentation.erasing_scale", list(self.erasing_scale), "at most 1")


@dataclass(frozen=True, slots=True)
class Optimizer:
    """What is minimised, and the step that does it."""

    name: Literal["sgd", "muon"] = "sgd"
    """sgd: stochastic gradient descent, in PyTorch's form; muon: orthogonalised steps for the filters of convolutions,
    sgd for all else."""
    lr: float = 0.01
    """Learning rate; its peak where the schedule has one. With muon, how far a filter moves, as a share of its norm."""
    lr_head: float = 1.0
    """Rate of linear layers, as a multiple of lr."""
    lr_rest: float = 1.0
    """Rate of biases and batch norm, as a multiple of lr."""
    momentum: float = 0.9
    """0 is plain gradient descent."""
    nesterov: bool = True
    """Look ahead along the momentum before each step."""
    weight_decay: float = 0.0
    """L2 penalty on all parameters; with muon on all but the filters, whose norm is fixed."""
    batch: int = 256
    """Images a step."""
    smoothing: float = 0.0
    """Label smoothing of the cross-entropy that is minimised; scores never have it."""
    average: float = 0.0
    """Judge and keep an average of the weights, of which this share stays at each step; 0 keeps the last weights."""

    def __post_init__(self) -> None:
        for name in ("lr", "lr_head", "lr_rest"):
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
        require(self.batch >= 2, "optimizer.batch", self.batch, "at least 2 images, as batch norm compares them")
        require(0 <= self.smoothing < 1, "optimizer.smoothing", self.smoothing, "from 0 to below 1")
        require(0 <= self.average < 1, "optimizer.average", self.average, "from 0 to below 1")


@dataclass(frozen=True, slots=True)
class Distillation:
    """From whom else a network learns (Hinton et al. 2015)."""

    teachers: tuple[str, ...] = ()
    """Finished runs, as seen from the folder you train in: every step asks all of them what its images are, beside
    their labels; where images are held out, those of them that held out the same. [] is the labels alone."""
    temperature: float = 2.0
    """What the logits of teacher and student are divided by before they are compared: the larger, the more the
    improbable labels count."""
    share: float = 0.9
    """What the teachers count of the loss; the labels are the rest."""

    def __post_init__(self) -> None:
        require(0 < self.share <= 1, "distillation.share", self.share, "above 0, at most 1")
        require(0.1 <= self.temperature <= 100, "distillation.temperature", self.temperature, "from 0.1 to 100")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The learning rate over the epochs."""

    name: Literal["plateau", "triangle", "constant"] = "plateau"
    """plateau: times factor when validation loss stalls; triangle: up, then down to 0; constant."""
    epochs: int = 40
    """At most so many passes over the training images."""
    factor: float = 0.1
    """plateau: what the learning rate is multiplied with."""
    patience: int = 1
    """plateau: epochs without a lower validation loss that are forgiven."""
    warmup: float = 0.2
    """triangle: share of the training until the peak."""
    drop: float = 0.0
    """Share of the images that every epoch but the first leaves out: those with the lowest loss when last seen."""

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "schedule.epochs", self.epochs, "at least 1")
        require(0 < self.factor < 1, "schedule.factor", self.factor, "between 0 and 1")
        require(self.patience >= 0, "schedule.patience", self.patience, "0 or more epochs")
        require(0 <= self.warmup < 1, "schedule.warmup", self.warmup, "from 0 to below 1")
        require(0 <= self.drop < 1, "schedule.drop", self.drop, "from 0 to below 1")


@dataclass(frozen=True, slots=True)
class Stopping:
    """When to stop before the last epoch; ours where the course report is silent."""

    monitor: Literal["validation/loss", "validation/accuracy"] = "validation/loss"
    """What must improve; the weights of its best epoch are kept."""
    patience: int = 0
    """Stop after so many epochs without improvement; 0 never stops early and keeps the last epoch."""

    def __post_init__(self) -> None:
        require(self.patience >= 0, "stopping.patience", self.patience, "0 or more epochs")


@dataclass(frozen=True, slots=True)
class Compute:
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
    about: str = ""
    """One sentence: what it is for, and which of its numbers are ours."""
    seed: int = 0
    """Start of all randomness: the folds, the first weights, order, augmentation, dropout."""
    data: Data = field(default_factory=Data)
    network: Network = field(default_factory=Network)
    augmentation: Augmentation = field(default_factory=Augmentation)
    optimizer: Optimizer = field(default_factory=Optimizer)
    distillation: Distillation = field(default_factory=Distillation)
    schedule: Schedule = field(default_factory=Schedule)
    stopping: Stopping = field(default_factory=Stopping)
    compute: Compute = field(default_factory=Compute)

    def __post_init__(self) -> None:
        require(0 <= self.seed < 2**32, "seed", self.seed, "from 0 to 4294967295")
        rule = f"at most data.size, {self.data.size}"
        require(self.augmentation.size <= self.data.size, "augmentation.size", self.augmentation.size, rule)
        held_out = self.data.validation > 0
        require(
            held_out or self.stopping.patience == 0,
            "stopping.patience",
            self.stopping.patience,
            "0 when data.validation is 0: nothing is held out to judge by",
        )
        require(
            held_out or self.schedule.name != "plateau",
            "schedule.name",
            self.schedule.name,
            "triangle or constant when data.validation is 0: a plateau is seen on validation loss",
        )


Settings = dict[str, Any]
"""Dotted keys, as in `optimizer.lr`, and their values."""
