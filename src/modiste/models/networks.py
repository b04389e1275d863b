"""The networks: prepared floats [n, channels, s, s] in, logits [n, labels] out.

A factory takes `labels`, `channels`, `size` and `options` (the recipe's network section) by keyword; one of your own is
named `package.module:factory`.
"""

import importlib
import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from itertools import chain, pairwise
from typing import Any

import torch
from torch import nn

from modiste.errors import SettingError
from modiste.models.layers import Mean, MeanAndMax, PartlyFrozen, Residual
from modiste.models.matmul_conv import use_matmul_conv
from modiste.recipes.recipe import DataConfig, ModelConfig

Factory = Callable[..., nn.Module]


def cnn(*, labels: int, channels: int, size: int, options: ModelConfig) -> nn.Module:
    """Build the course report's two-layer CNN: 16.8 M parameters at 28 pixels, nearly all in one linear layer.

    BN stands after ReLU and the second convolution pads by 2 (14 -> 16 pixels), as in the report.
    """
    side = (size // 2 + 2) // 2
    return nn.Sequential(
        nn.Conv2d(channels, 32, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.BatchNorm2d(32),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, kernel_size=3, padding=2),
        nn.ReLU(),
        nn.BatchNorm2d(64),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * side * side, 4096),
        nn.ReLU(),
        nn.Dropout(options.dropout),
        nn.Linear(4096, labels),
    )


def resnet18(*, labels: int, channels: int, size: int, options: ModelConfig) -> nn.Module:
    """Build torchvision's ResNet-18 with a new head; gray is repeated over the three channels it expects."""
    from torchvision.models import resnet18 as torchvision_resnet18

    return _takes_gray(use_matmul_conv(torchvision_resnet18(num_classes=labels)))


def efficientnet_lite(*, number: int, labels: int, channels: int, size: int, options: ModelConfig) -> nn.Module:
    """Build timm's EfficientNet-Lite (Tan and Le 2019, less squeeze-and-excitation), of 3.4 or 4.1 M parameters."""
    from timm import create_model

    name = f"tf_efficientnet_lite{number}"
    made: Any = create_model(name, num_classes=0, global_pool="", drop_path_rate=options.drop_path_rate)
    layers = [made.conv_stem, made.bn1, *made.blocks, made.conv_head, made.bn2]
    features = _takes_gray(PartlyFrozen(*layers, frozen=2 + options.freeze_stages if options.freeze_stages else 0))
    return _headed(features, Mean(made.num_features, labels, options.dropout))


def _headed(features: nn.Module, head: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(features=features, head=head))


def _takes_gray(network: nn.Module) -> nn.Module:
    network.register_forward_pre_hook(lambda _, inputs: inputs[0].expand(-1, 3, -1, -1))
    return network


def residual(*, labels: int, channels: int, size: int, options: ModelConfig) -> nn.Module:
    """Build a small residual network: three stages at 1/2, 1/4 and 1/8 of the size, 0.14 M parameters at width 16.

    Each stage begins with strided 4 x 4 filters, which see as far as a convolution and a pooling after it at less than
    half of the arithmetic; blocks of two convolutions follow. A stem is one more stage, at the full size. The head sees
    mean and maximum of each channel.
    """
    strided = (round(options.width * options.width_multiplier**stage) for stage in range(3))
    widths = (options.stem_width or channels, *strided)
    stem = (
        [*_same(channels, options.stem_width), *_blocks(options.stem_width, options.blocks_per_stage)]
        if options.stem_width
        else []
    )
    stages = [
        (*_halved(inputs, outputs), *_blocks(outputs, options.blocks_per_stage)) for inputs, outputs in pairwise(widths)
    ]
    return _headed(nn.Sequential(*stem, *chain.from_iterable(stages)), MeanAndMax(widths[-1], labels))


def _halved(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False), *_norm(outputs)]


def _same(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), *_norm(outputs)]


def _blocks(channels: int, count: int) -> list[nn.Module]:
    return [Residual(*_same(channels, channels), *_same(channels, channels)) for _ in range(count)]


def _norm(channels: int) -> list[nn.Module]:
    # a short training has few steps: its running statistics must forget the first ones quickly
    return [nn.BatchNorm2d(channels, momentum=0.6), nn.ReLU(inplace=True)]


FACTORIES: dict[str, Factory] = {
    "cnn": cnn,
    "resnet18": resnet18,
    "residual": residual,
    "efficientnet_lite0": partial(efficientnet_lite, number=0),
    "efficientnet_lite1": partial(efficientnet_lite, number=1),
}


def factory(name: str) -> Factory:
    """Return the factory of that name, or the one at `package.module:factory`.

    Raises:
        SettingError: there is no such network, or the import fails.
    """
    if name in FACTORIES:
        return FACTORIES[name]
    module, colon, attribute = name.partition(":")
    known = ", ".join(FACTORIES)
    if not colon:
        raise SettingError(f"There is no network {name!r}. Take one of {known}, or package.module:factory.")
    if "" not in sys.path:
        sys.path.insert(0, "")  # the folder one works in, as `python -m` has it
    try:
        found: Factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise SettingError(f"The network {name!r} cannot be imported ({error}). Is it on PYTHONPATH?") from None
    return found


def is_own(options: ModelConfig) -> bool:
    """Say whether the network is one of the user's own, named package.module:factory."""
    return ":" in options.name


def build(options: ModelConfig, labels: int, data: DataConfig, seen: int = 0) -> nn.Module:
    """Build a network and see that it takes images and returns a logit for each label.

    Args:
        options: the recipe's network section.
        labels: how many.
        data: says what the images are.
        seen: pixels a side of what training sees, where that is another size.

    Raises:
        SettingError: there is no such network, it takes no images of the other size, or one of the user's own does not
            keep the contract.
    """
    make = factory(options.name)
    try:
        body = make(labels=labels, channels=data.channels, size=data.image_size, options=options)
        with torch.no_grad():
            shape = tuple(body.eval()(torch.zeros(2, data.channels, data.image_size, data.image_size)).shape)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's code comes up with
        raise SettingError(
            f"The network {options.name!r} cannot be built ({type(error).__name__}: {error}). A factory takes labels, "
            "channels, size and options by keyword and returns a module: [n, channels, s, s] -> [n, labels]."
        ) from None
    if shape != (2, labels):
        raise SettingError(
            f"The network {options.name!r} returns {shape} for two images, but it must be (2, {labels})."
        )
    if seen:
        _require_size(body, options.name, data, seen)
    return body


@torch.no_grad()
def _require_size(body: nn.Module, name: str, data: DataConfig, size: int) -> None:
    try:
        body(torch.zeros(2, data.channels, size, size))
    except Exception:  # noqa: BLE001 - as above
        raise SettingError(
            f"augmentation.train_size is {size}, but the network {name!r} takes {data.image_size} pixels alone. Set it to 0."
        ) from None


def count_parameters(network: nn.Module) -> int:
    """Count the numbers that training changes."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
