"""The validator of an epoch: plain cross-entropy and accuracy on the validation split, in fp32."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modiste.training import targets
from modiste.training.step import NotANumber

BATCH = 500 * 28 * 28  # values at a time: bounds the memory, and the cache likes it


@dataclass(frozen=True, slots=True)
class Validator:
    """Scores a network on the validation split.

    Args:
        images: uint8 [n, s, s] or [n, s, s, 3]; n is 0 when nothing is held out.
        labels: targets of each image, int64 [n] or bool [n, labels].
    """

    images: Tensor
    labels: Tensor

    def __call__(self, network: nn.Module) -> tuple[float | None, float | None]:
        """Return loss and accuracy, or None twice when nothing is held out.

        Raises:
            NotANumber: a weight or the loss is not a number, so that no such epoch is kept.
        """
        if not torch.nn.utils.get_total_norm(network.parameters()).isfinite():
            raise NotANumber("a weight is not a number")
        if not len(self.labels):
            return None, None
        logits = predict(network, self.images)
        loss = targets.losses(logits.double(), self.labels).mean().item()
        if not math.isfinite(loss):
            raise NotANumber("the validation loss is not a number")
        return loss, targets.is_correct(logits, self.labels).double().mean().item()


@torch.inference_mode()
def predict(network: nn.Module, images: Tensor) -> Tensor:
    """Return the logits [n, labels] of a network in evaluation mode, a bounded batch at a time."""
    network.eval()
    return torch.cat([network(part) for part in images.split(max(1, BATCH // images[0].numel()))])
