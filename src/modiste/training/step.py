"""One step of a training: losses, gradients, a check that they are finite, the update."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modiste.errors import TrainingError
from modiste.training import targets
from modiste.training.distillation import Teachers
from modiste.training.ema import ModelEma
from modiste.training.losses import LabelLoss
from modiste.training.optimizer import Optimizer
from modiste.training.randomness import derive_seed
from modiste.training.ranks import SINGLE, Ranks


class NotANumber(TrainingError):
    """A loss, gradient or weight is NaN or infinite; such a state is never saved."""


@dataclass(frozen=True, slots=True)
class Step:
    """Minimizes the loss of a batch.

    The network computes in `precision`; weights, loss and update stay fp32. The seed decides the dropout, with epoch
    and step. With several processes, the network averages its gradients over them: see `Ranks.parallel`.
    """

    network: nn.Module
    optimizer: Optimizer
    label_loss: LabelLoss
    precision: torch.dtype
    seed: int
    ema: ModelEma | None = None
    teachers: Teachers | None = None
    ranks: Ranks = SINGLE

    def __call__(self, images: Tensor, labels: Tensor, lr: float, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Update the network; return the loss of each image, float32 [b], and whether it was correct, bool [b].

        With several processes, images and labels are the slice of this one, and b is the size of the batch.

        Args:
            images: uint8 [b, s, s] or [b, s, s, 3].
            labels: targets in one of the forms of `targets.losses`.
            lr: learning rate.
            epoch: from 0.
            step: of the epoch, from 0.

        Raises:
            NotANumber: the loss or a gradient is not finite; nothing is updated.
        """
        torch.manual_seed(derive_seed(self.seed, "dropout", epoch, step, self.ranks.rank))
        self.network.train()
        self.optimizer.zero_grad()
        with torch.autocast(images.device.type, self.precision, enabled=self.precision != torch.float32):
            logits = self.network(images)
        losses = self.label_loss(logits.float(), labels)
        if self.teachers:
            losses = self.teachers.losses(losses, logits.float(), images)
        losses.mean().backward()
        count = len(images) * self.ranks.world_size
        all_losses = self.ranks.gather(losses.detach(), count)
        self._require_finite(all_losses.mean())
        self.optimizer.step(lr)
        self.ranks.average_running_statistics(self.network)
        if self.ema:
            self.ema.update_parameters(self.network)
        return all_losses, self.ranks.gather(targets.is_correct(logits, labels), count)

    def _require_finite(self, loss: Tensor) -> None:
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([loss, *gradients])
        if not norm.isfinite():
            raise NotANumber(f"the {'gradient' if loss.isfinite() else 'loss'} is not a number")
