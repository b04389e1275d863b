"""Factories of a user's own, such as `--set loss.name=helpers.factories:focal`; some of them fail."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modiste.runs.metrics_file import EpochMetrics


def deep(num_classes: int, channels: int, image_size: int, depth: int = 1) -> nn.Module:
    """Build a network with an argument of its own, and without `options`."""
    hidden = [layer for _ in range(depth) for layer in (nn.Linear(8, 8), nn.ReLU())]
    return nn.Sequential(
        nn.Flatten(), nn.Linear(channels * image_size**2, 8), nn.ReLU(), *hidden, nn.Linear(8, num_classes)
    )


def normalized(num_classes: int, channels: int, image_size: int) -> nn.Module:
    """Build a network that begins with batch norm."""
    return nn.Sequential(nn.BatchNorm2d(channels), nn.Flatten(), nn.Linear(channels * image_size**2, num_classes))


def focal(gamma: float = 2.0) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the focal loss of Lin et al. 2017."""

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, labels, reduction="none")
        return (1 - torch.exp(-losses)) ** gamma * losses

    return loss


def polynomial(epochs: int, power: float = 1.0) -> Callable[[float, list[EpochMetrics]], float]:
    """Return a schedule that falls to 0; it uses the history, which must be that of the finished epochs."""

    def multiple(fraction: float, history: list[EpochMetrics]) -> float:
        assert len(history) <= epochs * fraction
        return (1 - fraction) ** power

    return multiple


class Counting(torch.optim.SGD):
    """SGD whose state has a number and a tuple beside tensors."""

    def __init__(self, groups: list[dict[str, Any]], lr: float, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        super().__init__(groups, lr=lr, momentum=betas[0], nesterov=True)
        for group in self.param_groups:
            group |= {"betas": betas, "steps": 0}

    def step(self, closure: Any = None) -> None:
        """Take a step that is larger for each step before it."""
        for group in self.param_groups:
            group["steps"] += 1
            group["lr"] *= group["steps"]
            assert isinstance(group["betas"], tuple)
            for parameter in group["params"]:
                self.state[parameter]["count"] = self.state[parameter].get("count", 0) + 1
        super().step(closure)


class FailsLate(torch.optim.SGD):
    """Fail in the third step of a training."""

    def step(self, closure: Any = None) -> None:
        """Take a step."""
        counts = self.state.setdefault(self.param_groups[0]["params"][0], {})
        counts["count"] = counts.get("count", 0) + 1
        if counts["count"] == 3:
            raise RuntimeError("no third step")
        super().step(closure)


class NoState(torch.optim.SGD):
    """Have a state that no file can hold."""

    def step(self, closure: Any = None) -> None:
        """Keep an object."""
        self.state[self.param_groups[0]["params"][0]]["object"] = object()


class WithParameters(nn.Module):
    """A loss that would have to be trained itself."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return scaled losses."""
        return self.scale * F.cross_entropy(logits, labels, reduction="none")


def fails(*_: object, **__: object) -> Any:
    """Fail at once."""
    raise ValueError("of no use,\nwhatever the arguments")


def fails_when_called(*_: object, **__: object) -> Any:
    """Return a function that fails."""
    return fails


def returns_text(*_: object, **__: object) -> Any:
    """Return no tensor, number, module or optimizer."""
    return lambda *_: "text"
