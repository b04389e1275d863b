"""The judge of an epoch: plain cross-entropy and accuracy on the validation split, in fp32."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH = 500  # images at a time: bounds the memory, and the cache likes it


@dataclass(frozen=True, slots=True)
class Judge:
    """Scores a network on the validation split.

    Args:
        images: uint8 [n, s, s] or [n, s, s, 3]; n is 0 when nothing is held out.
        labels: int64 [n].
    """

    images: Tensor
    labels: Tensor

    def __call__(self, network: nn.Module) -> tuple[float | None, float | None]:
        """Return loss and accuracy, or None twice when nothing is held out."""
        if not len(self.labels):
            return None, None
        logits = predict(network, self.images)
        loss = F.cross_entropy(logits.double(), self.labels).item()
        return loss, (logits.argmax(1) == self.labels).double().mean().item()


@torch.inference_mode()
def predict(network: nn.Module, images: Tensor) -> Tensor:
    """Return the logits [n, labels] of a network in evaluation mode, a bounded batch at a time."""
    network.eval()
    return torch.cat([network(part) for part in images.split(BATCH)])
