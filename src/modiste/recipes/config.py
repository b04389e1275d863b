"""The sections of a recipe: its settings, as frozen dataclasses.

The docstring below a field gives its unit, its special values and, where it is not obvious, its reason. It is printed
by `modiste train RECIPE --list` and stands in docs/settings.md.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from modiste.recipes.ranges import (
    Count,
    FactoryOptions,
    Fraction,
    FractionAbove0,
    FractionBelow1,
    NameOrFactory,
    Positive,
    Range,
)

MAX_THREADS = 1024
"""More than any machine has cores."""


@dataclass(frozen=True, slots=True)
class DataConfig:
    """The images of a training, and which of them are held out for validation."""

    source: str = ""
    """The dataset: a folder of class folders or of IDX files, a .csv, .npz or .parquet file, or a folder of these.
    Empty: the bundled Fashion-MNIST."""
    image_size: Annotated[int, Range(8, 512)] = 28
    """Height and width of the images in pixels."""
    channels: Literal[1, 3] = 1
    """1: grayscale; 3: RGB."""
    resize_mode: Literal["squash", "letterbox", "center_crop"] = "squash"
    """How photos become square. squash: scale each side, which changes the aspect ratio; letterbox: scale the longer
    side, and pad the shorter one with the median color of the edges; center_crop: scale the shorter side, and crop the
    longer one. Ignored for gray photos that are prepared as Fashion-MNIST was."""
    val_fraction: Annotated[float, Range(0, 0.5)] = 0.2
    """Fraction of training images held out: 1 / number of folds. 0: none. Ignored if data has a validation split and
    use_val_split is true."""
    fold: Count = 0
    """Index of the fold that is held out, from 0."""
    use_val_split: bool = True
    """Whether a validation split of the data is used. false: a fold of the training images is held out instead."""
    group_pattern: str = ""
    """Regular expression that is searched in the path of each photo's file, relative to the data; its first group is
    the sender or product that the photo shows, as in `([^/]+)_[0-9]+[.]`. No group is cut by a fold. Photos that
    groups.csv lists have the group named there. Empty: no pattern."""
    corrections: str = ""
    """CSV file of corrected labels, with the columns file and label; files are named as in a run's mistakes.csv. Empty:
    corrections.csv beside the data, where there is one."""
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
    """cnn, resnet18, residual, efficientnet_lite1; timm:NAME or torchvision:NAME for a network of these libraries, as
    timm:resnet18 (nothing is downloaded); or package.module:factory for your own. The factory is called with
    num_classes, channels and image_size, with options (this section) if it has such an argument, and with
    model.options, all by keyword. It returns a module: floats [n, channels, s, s] -> logits [n, num_classes]."""
    options: FactoryOptions = field(default_factory=dict)
    """Further arguments for your own factory, timm.create_model or torchvision.models.get_model: one as
    model.options.KEY=VALUE, or all as a JSON object."""
    weights: str = ""
    """Initial weights. Empty: random; imagenet: pretrained on ImageNet (resnet18: 45 MB are downloaded once;
    efficientnet_lite1: comes with the extra `photo`); otherwise a .safetensors file, or a state dict in a .pt, .pth or
    .bin file, of which only tensors are read. With timm:NAME and torchvision:NAME, images are then normalized as their
    pretrained weights expect."""
    init: Literal["xavier", "default"] = "xavier"
    """Random initial weights. xavier: Glorot uniform for convolutions and linear layers, Normal(1, 0.01) for batch
    norm; default: PyTorch's. Networks of timm, of torchvision (timm:NAME, torchvision:NAME) and your own keep the
    weights that they are made with."""
    dropout: FractionBelow1 = 0.5
    """Dropout probability before the last layer, for networks with a hidden linear layer."""
    drop_path_rate: FractionBelow1 = 0.0
    """efficientnet_lite: probability of skipping the last block in training; it falls linearly to 0 at the first block
    (stochastic depth, Huang et al. 2016)."""
    norm_layer: Literal["batch_norm", "group_norm", "none"] = "batch_norm"
    """cnn, resnet18: normalization. batch_norm: over a batch (Ioffe and Szegedy 2015); group_norm: over 32 groups of
    channels of each image (Wu and He 2018); none: not at all, and convolutions have a bias."""
    stem_type: Literal["imagenet", "cifar"] = "imagenet"
    """resnet18: first layers (He et al. 2016). imagenet: 7 x 7 convolution and max pooling, each with stride 2, which
    leave 1 x 1 feature maps of 28 pixels at the end; cifar: 3 x 3 convolution with stride 1, no pooling: 4 x 4."""
    upscale: Annotated[int, Range(1, 8)] = 1
    """Factor by which images are enlarged before the first layer (bilinear interpolation), so that a network for larger
    images can be trained on small ones."""
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
    """The update of the weights."""

    name: Annotated[str, NameOrFactory(("sgd", "muon", "adamw", "lbfgs"))] = "sgd"
    """sgd: stochastic gradient descent as in PyTorch; muon: orthogonalized updates for the filters of convolutions,
    sgd for all other weights; adamw: as in PyTorch, with betas (momentum, 0.999) (Loshchilov and Hutter 2019); lbfgs:
    only the linear head is fitted, to features that are computed once, with an L2 penalty that is chosen by
    cross-validation (linear probe); or package.module:factory for your own, as torch.optim:RMSprop. The factory is
    called with the parameter groups (a list of dictionaries with params, lr and weight_decay), lr=optimizer.lr and
    optimizer.options by keyword, and returns a torch.optim.Optimizer. Before each step, lr of each group is set by the
    schedule. momentum and nesterov are not passed on."""
    options: FactoryOptions = field(default_factory=dict)
    """Further arguments for your own factory: one as optimizer.options.KEY=VALUE, or all as a JSON object."""
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
    gradients, and not on batch norm and biases, as in timm. With your own optimizer: weight_decay of the parameter
    groups, 0 for batch norm and biases; at 0 it is left to the factory and optimizer.options."""
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
class LossConfig:
    """The loss of the labels in training. Validation and test loss are always the plain cross-entropy."""

    name: Annotated[str, NameOrFactory(("cross_entropy",))] = "cross_entropy"
    """cross_entropy, with optimizer.label_smoothing; or package.module:factory for your own, as
    torch.nn:MultiMarginLoss with loss.options.reduction=none. The factory is called with loss.options by keyword, and
    returns a function of logits, float32 [b, k], and targets, which returns the loss of each image, [b]. Targets are
    classes, int64 [b]; with mixup a distribution, float32 [b, k]; where images have several candidate labels, bool
    [b, k]."""
    options: FactoryOptions = field(default_factory=dict)
    """Further arguments for your own factory: one as loss.options.KEY=VALUE, or all as a JSON object."""
    class_weights: str | tuple[float, ...] = ""
    """Weights of the losses by class. Empty: all equal; balanced: in inverse proportion to the number of training
    images of a class, as in scikit-learn; or a number for each class, in the order of the classes. They are scaled so
    that their mean over the training images is 1."""


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

    name: Annotated[str, NameOrFactory(("reduce_on_plateau", "one_cycle", "cosine", "constant"))] = "reduce_on_plateau"
    """reduce_on_plateau: multiply the learning rate by `factor` when the validation loss stops falling; one_cycle: rise
    linearly to the maximum, then fall linearly to 0; cosine: rise linearly, then fall to 0 along half a cosine
    (Loshchilov and Hutter 2017); constant: keep it; or package.module:factory for your own. The factory is called with
    epochs=schedule.epochs and schedule.options by keyword, and returns a function of the fraction of the training that
    is done, from 0 to 1, and the list of the metrics of the finished epochs (with epoch, train_loss, val_loss, ...),
    which returns the learning rate of a step as a multiple of optimizer.lr. It must depend on these alone, so that a
    training can be resumed."""
    options: FactoryOptions = field(default_factory=dict)
    """Further arguments for your own factory: one as schedule.options.KEY=VALUE, or all as a JSON object."""
    epochs: Annotated[int, Range(1)] = 40
    """Maximum number of passes over the training images."""
    factor: Annotated[float, Range(0, 1, open_low=True, open_high=True)] = 0.1
    """reduce_on_plateau: factor of the learning rate."""
    patience: Count = 1
    """reduce_on_plateau: epochs without a lower validation loss before the learning rate is reduced."""
    warmup_fraction: FractionBelow1 = 0.2
    """one_cycle, cosine: fraction of all steps until the maximum learning rate."""
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
    threads: Annotated[int, Range(0, MAX_THREADS)] = 0
    """CPU threads. 0: one per core; a run that is resumed keeps their number."""
