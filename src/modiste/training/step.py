"""One step: loss, gradients, a check that they are numbers, the update."""

from dataclasses import dataclass

import torch
from torch import Tensor

from modiste.errors import TrainingError
from modiste.models.normalized import NormalizedModel
from modiste.training import targets
from modiste.training.distillation import Teachers
from modiste.training.ema import ModelEma
from modiste.training.optimizer import Optimizer
from modiste.training.randomness import derive_seed


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
        average: follows the network, where there is one.
        teachers: say what each image is beside its label, where there are some.
    """

    network: NormalizedModel
    optimizer: Optimizer
    smoothing: float
    precision: torch.dtype
    seed: int
    average: ModelEma | None = None
    teachers: Teachers | None = None

    def __call__(self, images: Tensor, labels: Tensor, rate: float, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Update the network; return the loss of each image, float32 [b], and whether its label was right, bool [b].

        Raises:
            NotANumber: before anything was updated.
        """
        torch.manual_seed(derive_seed(self.seed, "dropout", epoch, step))
        self.network.train()
        self.optimizer.zero_grad()
        with torch.autocast(images.device.type, self.precision, enabled=self.precision != torch.float32):
            logits = self.network(images)
        losses = targets.losses(logits.float(), labels, self.smoothing)
        if self.teachers:
            losses = self.teachers.losses(losses, logits.float(), images)
        loss = losses.mean()
        loss.backward()
        self._check(loss)
        self.optimizer.step(rate)
        if self.average:
            self.average.follow(self.network)
        return losses.detach(), targets.is_correct(logits, labels)

    def _check(self, loss: Tensor) -> None:
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([loss.detach(), *gradients])
        if not norm.isfinite():
            what = "gradient" if loss.isfinite() else "loss"
            raise NotANumber(f"the {what} is not a number")
