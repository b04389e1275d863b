"""What networks are put together from: blocks, heads that tell where their evidence is, layers that stay frozen."""

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

    def evidence(self, features: Tensor) -> Tensor:
        """Return what each place adds to each logit, [n, labels, h, w]; a maximum counts where it is."""
        channels = features.shape[1]
        mean, largest = self.linear.weight[:, :channels], self.linear.weight[:, channels:]
        top = (features == features.amax((2, 3), keepdim=True)).float()
        places = features.shape[2] * features.shape[3]
        spread = torch.einsum("nchw,lc->nlhw", features / places, mean)
        return spread + torch.einsum("nchw,lc->nlhw", features * top / top.sum((2, 3), keepdim=True), largest)


class Mean(nn.Module):
    """A head that sees the mean of each channel: features [n, c, h, w] -> logits [n, labels]."""

    def __init__(self, channels: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, labels)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [n, labels]."""
        return self.linear(self.dropout(features.mean((2, 3))))  # type: ignore[no-any-return]

    def evidence(self, features: Tensor) -> Tensor:
        """Return what each place adds to each logit, [n, labels, h, w]."""
        places = features.shape[2] * features.shape[3]
        return torch.einsum("nchw,lc->nlhw", features / places, self.linear.weight)


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


class Mapped(nn.Module):
    """A network whose last features are a map, so that it can say where its evidence is (Zhou et al. 2016, CAM).

    Args:
        features: images -> [n, c, h, w].
        head: features -> logits; its `evidence` tells what each place adds to each of them.
    """

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        return self.head(self.features(images))  # type: ignore[no-any-return]

    def with_evidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits [n, labels] and evidence [n, labels, h, w], which sums to them but for the biases."""
        features = self.features(images)
        return self.head(features), self.head.evidence(features)  # type: ignore[operator]
