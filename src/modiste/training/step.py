"""One step: loss, gradients, a check that they are numbers, the update."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modiste.errors import TrainingError
from modiste.training.randomness import number


class NotANumber(TrainingError):
    """A loss, gradient or weight is NaN or infinite; no such state is kept."""


@dataclass(frozen=True, slots=True)
class Step:
    """Minimise cross-entropy on one batch.

    Args:
        network: uint8 images -> logits.
        optimizer: holds the network's parameters.
        smoothing: of the labels, 0 to below 1.
        precision: what the network computes in; weights, loss and update stay fp32.
        seed: with epoch and step it decides the dropout.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    smoothing: float
    precision: torch.dtype
    seed: int

    def __call__(self, images: Tensor, labels: Tensor, rate: float, epoch: int, step: int) -> Tensor:
        """Update the network; return [sum of the loss, number right, number of images] as float64 [3].

        Raises:
            NotANumber: before anything was updated.
        """
        torch.manual_seed(number(self.seed, "dropout", epoch, step))
        self.network.train()
        self.optimizer.zero_grad()
        with torch.autocast(images.device.type, self.precision, enabled=self.precision != torch.float32):
            logits = self.network(images)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=self.smoothing)
        loss.backward()
        self._check(loss)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        right = (logits.argmax(1) == labels).sum()
        return torch.stack([loss.detach().double() * len(labels), right.double(), right.new_tensor(len(labels))])

    def _check(self, loss: Tensor) -> None:
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([loss.detach(), *gradients])
        if not norm.isfinite():
            what = "gradient" if loss.isfinite() else "loss"
            raise NotANumber(f"the {what} is not a number")
