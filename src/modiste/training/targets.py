"""What an image should be called: one label, or one of several.

Targets are int64 [n], the label of each image, or bool [n, labels], the labels that each image may have.
"""

import torch.nn.functional as F
from torch import Tensor


def losses(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of each image, [n]: minus the logarithm of the probability of its label, or of its labels' sum.

    Args:
        logits: floats [n, labels].
        targets: as above.
        smoothing: share of the loss that is the mean over all labels, as PyTorch's cross-entropy has it.
    """
    if targets.dim() == 1:
        return F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    logarithms = logits.log_softmax(1)
    own = -logarithms.masked_fill(~targets, -float("inf")).logsumexp(1)
    return own if not smoothing else (1 - smoothing) * own - smoothing * logarithms.mean(1)


def right(logits: Tensor, targets: Tensor) -> Tensor:
    """Whether the most probable label is one that the image may have, bool [n]."""
    said = logits.argmax(1)
    return said == targets if targets.dim() == 1 else targets.gather(1, said[:, None])[:, 0]
