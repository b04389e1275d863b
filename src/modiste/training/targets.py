"""Targets of images and the loss for each form of them.

Targets have one of three forms: int64 [n], the class of each image; bool [n, k], its candidate labels, one of which is
right; floats [n, k], a distribution over the classes.
"""

import torch.nn.functional as F
from torch import Tensor

from modiste.errors import SettingError


def to_distributions(labels: Tensor, num_classes: int) -> Tensor:
    """Convert classes, int64 [n], to one-hot float32 [n, k]; raise a SettingError for candidate labels."""
    if labels.dim() > 1:
        raise SettingError(
            "augmentation.mixup_prob is for images of one label each, but labels.json gives some several. Set it to 0."
        )
    return F.one_hot(labels, num_classes).float()


def losses(logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Return the loss of each image, [n], for logits [n, k]; label smoothing is as in PyTorch's cross_entropy.

    For classes, this is cross-entropy. For candidate labels, it is minus the logarithm of the sum of their
    probabilities, the classifier-consistent loss of Feng et al. 2020, arXiv 2007.08929.
    For distributions, it is the Kullback-Leibler divergence: cross-entropy minus the entropy of the target, so that 0
    is the minimum here too and an ambiguous target does not count as a hard image.
    """
    if targets.dim() == 1:
        return F.cross_entropy(logits, targets, label_smoothing=label_smoothing, reduction="none")
    log_probabilities = logits.log_softmax(1)
    if targets.is_floating_point():
        smoothed = (1 - label_smoothing) * targets + label_smoothing / targets.shape[1]
        return F.kl_div(log_probabilities, smoothed, reduction="none").sum(1)
    candidates = -log_probabilities.masked_fill(~targets, -float("inf")).logsumexp(1)
    if not label_smoothing:
        return candidates
    return (1 - label_smoothing) * candidates - label_smoothing * log_probabilities.mean(1)


def is_correct(logits: Tensor, targets: Tensor) -> Tensor:
    """Return whether the prediction of each image is its class, a candidate, or its most probable class, bool [n]."""
    predicted = logits.argmax(1)
    if targets.is_floating_point():
        return predicted == targets.argmax(1)
    return predicted == targets if targets.dim() == 1 else targets.gather(1, predicted[:, None])[:, 0]
