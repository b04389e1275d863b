"""Validation of an epoch: plain cross-entropy and accuracy on the validation split, in fp32."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modiste.training import targets
from modiste.training.ranks import SINGLE, Ranks
from modiste.training.step import NotANumber

MAX_BATCH_VALUES = 500 * 28 * 28  # pixel values of a batch: bounds the memory, and fits the cache


@dataclass(frozen=True, slots=True)
class Validator:
    """Evaluates a network on the validation split: images, uint8 [n, s, s] or [n, s, s, 3], with their targets.

    Several processes evaluate a slice each, with the buffers of the first.
    """

    images: Tensor
    labels: Tensor
    ranks: Ranks = SINGLE

    def __call__(self, network: nn.Module) -> tuple[float | None, float | None]:
        """Return loss and accuracy, or None twice when nothing is held out.

        Raises:
            NotANumber: a weight or the loss is not finite, so that no such epoch is saved.
        """
        if not torch.nn.utils.get_total_norm(network.parameters()).isfinite():
            raise NotANumber("a weight is not a number")
        if not len(self.labels):
            return None, None
        self.ranks.broadcast_network(network, buffers_only=True)
        logits = predict_logits(network, self.ranks.slice(self.images))
        return self.score(self.ranks.gather(logits, len(self.images)))

    def score(self, logits: Tensor) -> tuple[float, float]:
        """Return loss and accuracy of the logits of the images; raises NotANumber unless the loss is finite."""
        loss = targets.losses(logits.double(), self.labels).mean().item()
        if not math.isfinite(loss):
            raise NotANumber("the validation loss is not a number")
        return loss, targets.is_correct(logits, self.labels).double().mean().item()


@torch.inference_mode()
def predict_logits(network: nn.Module, images: Tensor) -> Tensor:
    """Return logits, float32 [n, k], in evaluation mode for one or more uint8 images on the network's device."""
    network.eval()
    return torch.cat([network(batch) for batch in images.split(max(1, MAX_BATCH_VALUES // images[0].numel()))])
