"""What networks are put label_groups from: blocks, heads, layers that stay frozen."""

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """Adds what the inner layers make of their input to the input (He et al. 2016)."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        return features + self.layers(features)  # type: ignore[no-any-return]


class MeanAndMax(nn.Module):
    """A head that sees mean and maximum of each channel: features [n, c, h, w] -> logits [n, labels]."""

    def __init__(self, channels: int, labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * channels, labels)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [n, labels]."""
        return self.linear(torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1))  # type: ignore[no-any-return]


class Mean(nn.Module):
    """A head that sees the mean of each channel: features [n, c, h, w] -> logits [n, labels]."""

    def __init__(self, channels: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, labels)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [n, labels]."""
        return self.linear(self.dropout(features.mean((2, 3))))  # type: ignore[no-any-return]


class PartlyFrozen(nn.Sequential):
    """Layers of which the first stay as they were loaded, weights and running statistics both.

    Args:
        layers: one after the other.
        frozen: how many of them stay.
    """

    def __init__(self, *layers: nn.Module, frozen: int) -> None:
        super().__init__(*layers)
        self.frozen = frozen
        for layer in [*self][:frozen]:
            layer.requires_grad_(False)

    def train(self, mode: bool = True) -> "PartlyFrozen":
        """Train the others alone: what stays is in evaluation mode."""
        super().train(mode)
        for layer in [*self][: self.frozen]:
            layer.eval()
        return self
