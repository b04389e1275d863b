"""What an image should be called: one label, one of several, or each with a probability.

Targets are int64 [n], the label of each image, or bool [n, labels], the labels that each image may have, or floats
[n, labels], the distribution that each image is to be given.
"""

import torch.nn.functional as F
from torch import Tensor

from modiste.errors import SettingError


def distributions(labels: Tensor, count: int) -> Tensor:
    """The same as floats [n, count]: all on one label, as a start for mixtures.

    Raises:
        SettingError: images have several labels.
    """
    if labels.dim() > 1:
        raise SettingError(
            "augmentation.mixup_prob is for images of one label each, but labels.json gives some several. Set it to 0."
        )
    return F.one_hot(labels, count).float()


def losses(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of each image, [n]: minus the logarithm of the probability of its label, or of its labels' sum.

    Of a distribution the entropy is taken away, so that 0 is the least here too: an image that is ambiguous by its very
    target is not for ever one of high loss.

    Args:
        logits: floats [n, labels].
        targets: as above.
        smoothing: share of the loss that is the mean over all labels, as PyTorch's cross-entropy has it.
    """
    if targets.dim() == 1:
        return F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    logarithms = logits.log_softmax(1)
    if targets.is_floating_point():
        wanted = (1 - smoothing) * targets + smoothing / targets.shape[1]
        return F.kl_div(logarithms, wanted, reduction="none").sum(1)
    own = -logarithms.masked_fill(~targets, -float("inf")).logsumexp(1)
    return own if not smoothing else (1 - smoothing) * own - smoothing * logarithms.mean(1)


def is_correct(logits: Tensor, targets: Tensor) -> Tensor:
    """Whether the most probable label is one that the image may have, or the likeliest of its target, bool [n]."""
    said = logits.argmax(1)
    if targets.is_floating_point():
        return said == targets.argmax(1)
    return said == targets if targets.dim() == 1 else targets.gather(1, said[:, None])[:, 0]
