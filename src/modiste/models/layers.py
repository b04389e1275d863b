"""Layers and heads that the networks are built from."""

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """Adds the output of the inner layers to their input (He et al. 2016)."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        return features + self.layers(features)  # type: ignore[no-any-return]


class ChannelBias(nn.Module):
    """Adds a learned number to each channel, as the bias of the convolution before it would."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Return features [n, c, h, w] of the same shape."""
        return features + self.bias[:, None, None]


class MeanMaxPoolHead(nn.Module):
    """Global mean and max pooling, then a linear layer."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * channels, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [n, k] for features [n, c, h, w]."""
        return self.linear(torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1))  # type: ignore[no-any-return]


class MeanPoolHead(nn.Module):
    """Global mean pooling, dropout, then a linear layer."""

    def __init__(self, channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [n, k] for features [n, c, h, w]."""
        return self.linear(self.dropout(features.mean((2, 3))))  # type: ignore[no-any-return]


def gray_to_rgb(network: nn.Module) -> nn.Module:
    """Repeat gray images over the three channels that a network takes, in place; return the network."""
    network.register_forward_pre_hook(lambda _, inputs: inputs[0].expand(-1, 3, -1, -1))
    return network


class PartlyFrozen(nn.Sequential):
    """Layers of which the first are not trained: their weights and running statistics stay as they were loaded."""

    def __init__(self, *layers: nn.Module, num_frozen: int) -> None:
        super().__init__(*layers)
        self.num_frozen = num_frozen
        for layer in [*self][:num_frozen]:
            layer.requires_grad_(False)

    def train(self, mode: bool = True) -> "PartlyFrozen":
        """Set the mode of the other layers; the frozen ones stay in evaluation mode."""
        super().train(mode)
        for layer in [*self][: self.num_frozen]:
            layer.eval()
        return self
