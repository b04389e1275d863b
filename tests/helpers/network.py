"""Networks with initial weights, and custom ones, such as `--set model.name=helpers.network:tiny`."""

import os
import signal
from pathlib import Path

import torch
from torch import Tensor, nn

from modiste.models import networks, weights
from modiste.recipes.config import DataConfig, ModelConfig


def initialized(options: ModelConfig, num_classes: int = 10, data: DataConfig | None = None) -> nn.Module:
    """Build a network with initial weights, the same each time; for gray images of 28 pixels by default."""
    torch.manual_seed(0)
    body = networks.build(options, num_classes, data or DataConfig())
    weights.initialize(body, options)
    return body


def tiny(num_classes: int, channels: int, image_size: int, options: ModelConfig) -> nn.Module:
    """Build a network of about 3,500 parameters that has each kind of state.

    Batch norm, dropout, and a convolution of several channels, whose weights have more than one layout in memory.
    """
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, stride=3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(options.dropout),
        nn.Linear(4 * (image_size // 3) ** 2, num_classes),
    )


def sevens(num_classes: int, channels: int, image_size: int, options: ModelConfig) -> nn.Module:
    """Build a network that sets its own initial weights."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(channels * image_size * image_size, num_classes))
    nn.init.constant_(network[1].weight, 7)
    return network


def killed(num_classes: int, channels: int, image_size: int, options: ModelConfig) -> nn.Module:
    """Kill the process as many times as the file says that the variable KILLS names, then build `tiny`."""
    file = Path(os.environ["KILLS"])
    if kills := int(file.read_text()):
        file.write_text(str(kills - 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return tiny(num_classes, channels, image_size, options)


def no_arguments() -> nn.Module:
    """Lack the arguments of a factory."""
    return nn.Flatten()


def wrong_width(num_classes: int, channels: int, image_size: int, options: ModelConfig) -> nn.Module:
    """Return three logits for any number of classes."""
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * image_size * image_size, 3))


def not_exportable(num_classes: int, channels: int, image_size: int, options: ModelConfig) -> nn.Module:
    """Branch on a value, which cannot be exported as a graph."""

    class Branching(nn.Linear):
        def forward(self, pixels: Tensor) -> Tensor:
            logits = super().forward(pixels.flatten(1))
            return logits if logits.sum().item() > 0 else -logits

    return Branching(channels * image_size * image_size, num_classes)


class _NanInEvaluation(nn.Linear):
    def forward(self, pixels: Tensor) -> Tensor:
        logits = super().forward(pixels.flatten(1))
        return logits if self.training else logits * torch.nan


def nan_in_evaluation(num_classes: int, channels: int, image_size: int, options: ModelConfig) -> nn.Module:
    """Build a network whose logits are NaN in evaluation only."""
    return _NanInEvaluation(channels * image_size * image_size, num_classes)
