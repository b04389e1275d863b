"""The networks: normalized floats [n, channels, s, s] in, logits [n, k] out.

A factory takes `num_classes`, `channels`, `image_size` and `options`, the recipe's model section, by keyword. A custom
one is named `package.module:factory`, need not take `options`, and also gets the arguments in `model.options`.
"""

import inspect
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import chain, pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from modiste.errors import SettingError
from modiste.models import libraries
from modiste.models.fold import fold_batch_norm, freeze_depthwise
from modiste.models.layers import ChannelBias, MeanMaxPoolHead, MeanPoolHead, PartlyFrozen, Residual, gray_to_rgb
from modiste.models.matmul_conv import use_matmul_conv
from modiste.recipes import factories
from modiste.recipes.config import DataConfig, ModelConfig
from modiste.recipes.factories import Factory
from modiste.recipes.ranges import is_factory

CONTRACT = (
    "A network's factory takes num_classes, channels, image_size and model.options by keyword and returns a module: "
    "[n, channels, s, s] -> [n, num_classes]."
)

NORM_LAYERS: dict[str, Callable[[int], nn.Module]] = {
    "batch_norm": nn.BatchNorm2d,
    "group_norm": partial(nn.GroupNorm, 32),
    "none": ChannelBias,  # the convolutions of a ResNet have no bias of their own
}
"""Layer for a number of channels by `model.norm_layer`."""


def cnn(*, num_classes: int, channels: int, image_size: int, options: ModelConfig) -> nn.Module:
    """Build the course report's two-layer CNN: 16.8 M parameters at 28 pixels, nearly all in one linear layer.

    As in the report, batch norm follows ReLU, and the second convolution pads by 2 (14 -> 16 pixels).
    """
    size = (image_size // 2 + 2) // 2
    norm = nn.Identity if options.norm_layer == "none" else NORM_LAYERS[options.norm_layer]
    return nn.Sequential(
        nn.Conv2d(channels, 32, kernel_size=5, padding=2),
        nn.ReLU(),
        norm(32),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, kernel_size=3, padding=2),
        nn.ReLU(),
        norm(64),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * size * size, 4096),
        nn.ReLU(),
        nn.Dropout(options.dropout),
        nn.Linear(4096, num_classes),
    )


def resnet18(*, num_classes: int, channels: int, image_size: int, options: ModelConfig) -> nn.Module:
    """Build torchvision's ResNet-18; gray images are repeated over the three channels that it expects."""
    from torchvision.models import resnet18 as torchvision_resnet18

    network = torchvision_resnet18(num_classes=num_classes, norm_layer=NORM_LAYERS[options.norm_layer])
    if options.stem_type == "cifar":
        network.conv1 = nn.Conv2d(3, 64, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision does
        network.maxpool = nn.Identity()
    return gray_to_rgb(use_matmul_conv(network))


def efficientnet_lite1(*, num_classes: int, channels: int, image_size: int, options: ModelConfig) -> nn.Module:
    """Build timm's EfficientNet-Lite1 (Tan and Le 2019, without squeeze-and-excitation), of 4.1 M parameters."""
    from timm import create_model

    model: Any = create_model(
        "tf_efficientnet_lite1", num_classes=0, global_pool="", drop_path_rate=options.drop_path_rate
    )
    layers = [model.conv_stem, model.bn1, *model.blocks, model.conv_head, model.bn2]
    num_frozen = 2 + options.freeze_stages if options.freeze_stages else 0
    features = gray_to_rgb(PartlyFrozen(*layers, num_frozen=num_frozen))
    if options.fold_batch_norm:
        fold_batch_norm(features)
    if options.freeze_depthwise:
        freeze_depthwise(features)
    return _with_head(features, MeanPoolHead(model.num_features, num_classes, options.dropout))


def _with_head(features: nn.Module, head: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(features=features, head=head))


def _enlarge(network: nn.Module, factor: int) -> nn.Module:
    def interpolate(_: nn.Module, inputs: tuple[torch.Tensor]) -> torch.Tensor:
        return F.interpolate(inputs[0], scale_factor=factor, mode="bilinear")

    network.register_forward_pre_hook(interpolate)
    return network


def residual(*, num_classes: int, channels: int, image_size: int, options: ModelConfig) -> nn.Module:
    """Build a small residual network: three stages at 1/2, 1/4 and 1/8 of the size, 0.14 M parameters at width 16.

    A stage begins with a strided 4 x 4 convolution, whose receptive field is that of a 3 x 3 convolution and a pooling
    at less than half of the arithmetic; blocks of two convolutions follow. The stem is one more stage, at full size.
    """
    blocks, stem_width = options.blocks_per_stage, options.stem_width
    strided_widths = (round(options.width * options.width_multiplier**stage) for stage in range(3))
    widths = (stem_width or channels, *strided_widths)
    stem = [*_conv(channels, stem_width), *_residual_blocks(stem_width, blocks)] if stem_width else []
    stages = [(*_conv(*pair, kernel_size=4, stride=2), *_residual_blocks(pair[1], blocks)) for pair in pairwise(widths)]
    features = nn.Sequential(*stem, *chain.from_iterable(stages))
    return _with_head(features, MeanMaxPoolHead(widths[-1], num_classes))


def _conv(channels_in: int, channels_out: int, kernel_size: int = 3, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(channels_in, channels_out, kernel_size, stride, padding=1, bias=False)
    # a short training has few steps: its running statistics must forget the first ones quickly
    return [conv, nn.BatchNorm2d(channels_out, momentum=0.6), nn.ReLU(inplace=True)]


def _residual_blocks(channels: int, count: int) -> list[nn.Module]:
    return [Residual(*_conv(channels, channels), *_conv(channels, channels)) for _ in range(count)]


FACTORIES: dict[str, Factory] = {factory.__name__: factory for factory in (cnn, resnet18, residual, efficientnet_lite1)}


def find_factory(name: str) -> Factory:
    """Return the factory of that name, or the one at `package.module:factory`; raises SettingError."""
    if name in FACTORIES:
        return FACTORIES[name]
    if not is_factory(name):
        raise SettingError(
            f"There is no network {name!r}. Choose one of {', '.join(FACTORIES)}, timm:NAME, torchvision:NAME, or "
            "package.module:factory."
        )
    return factories.find("model.name", name)


def is_custom(options: ModelConfig) -> bool:
    """Return whether the network is the user's own, or of timm or torchvision: they initialize their weights."""
    return is_factory(options.name)


def build(options: ModelConfig, num_classes: int, data: DataConfig, train_size: int = 0) -> nn.Module:
    """Build a network and check that it accepts the images and returns a logit for each class.

    `data` has size and channels of the images; `train_size` is their size in training, 0 for the same.

    Raises:
        SettingError: there is no such network, or it does not accept these images or return such logits.
        ModuleNotFoundError: the network is from a package that is not installed.
    """
    size, library_model = data.image_size, libraries.parse(options)
    enlarged = replace(data, image_size=size * options.upscale)
    own_factory = find_factory(options.name) if is_custom(options) and not library_model else None
    contract = CONTRACT if own_factory else f"Does it accept images of {size} pixels, and its model.options?"
    with factories.explained("model.name", options.name, contract, own_factory):
        if library_model:
            body = libraries.build(library_model, num_classes, data.channels, enlarged.image_size, options.options)
        else:
            body = _call(find_factory(options.name), num_classes, enlarged, options)
        if options.upscale > 1:
            _enlarge(body, options.upscale)
        shape = _output_shape(body.eval(), data.channels, size)
    if shape != (2, num_classes):
        raise SettingError(
            f"The network {options.name!r} returns {shape} for two images, but it must be (2, {num_classes})."
        )
    try:
        if train_size:
            _output_shape(body, data.channels, train_size)
    except Exception:  # noqa: BLE001 - a custom network may raise anything
        raise SettingError(
            f"augmentation.train_size is {train_size}, but the network {options.name!r} accepts only {size} pixels. "
            "Set it to 0."
        ) from None
    return body


def _call(factory: Factory, num_classes: int, data: DataConfig, options: ModelConfig) -> nn.Module:
    """Call a factory; one of the user's own gets the model section only if it has an argument for it."""
    arguments = {"num_classes": num_classes, "channels": data.channels, "image_size": data.image_size}
    is_built_in = options.name in FACTORIES
    section = {"options": options} if is_built_in or "options" in inspect.signature(factory).parameters else {}
    body: nn.Module = factory(**arguments, **section, **options.options)
    return body


@torch.no_grad()
def _output_shape(body: nn.Module, channels: int, size: int) -> tuple[int, ...]:
    return tuple(body(torch.zeros(2, channels, size, size)).shape)


def count_parameters(network: nn.Module) -> int:
    """Count the trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
