"""A network with its preparation: the bytes of an image in, logits out; the preparation is a part of the model."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modiste.recipes.recipe import ModelConfig

OWN_SCALE = dict.fromkeys(("efficientnet_lite0", "efficientnet_lite1"), (127 / 255, 128 / 255))
"""Mean and standard deviation that a network's pretrained weights expect of their images, on the 0..1 scale."""


class NormalizedModel(nn.Module):
    """A network with its preparation: uint8 images in, logits out.

    Args:
        body: floats [n, channels, s, s] -> logits [n, labels].
        mean: of the training images, on the 0..1 scale, one number a channel.
        std: likewise.
        flip_tta: in evaluation, answer by the mean over each image and its mirror image.
        eval_blur: in evaluation, the share to which each pixel is the mean of the 3 x 3 around it.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, body: nn.Module, mean: Tensor, std: Tensor, flip_tta: bool = False, eval_blur: float = 0.0
    ) -> None:
        super().__init__()
        self.body = body
        self.flip_tta, self.eval_blur = flip_tta, eval_blur
        self.register_buffer("mean", mean.reshape(1, -1, 1, 1))
        self.register_buffer("std", std.reshape(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits for uint8 images [n, s, s] or [n, s, s, 3]."""
        pixels = images.unsqueeze(1) if images.dim() == 3 else images.permute(0, 3, 1, 2)
        floats = (pixels.float() / 255 - self.mean) / self.std
        if self.training:
            return self.body(floats)  # type: ignore[no-any-return]
        if self.eval_blur:
            near = F.avg_pool2d(floats, 3, stride=1, padding=1, count_include_pad=False)
            floats = (1 - self.eval_blur) * floats + self.eval_blur * near
        if not self.flip_tta:
            return self.body(floats)  # type: ignore[no-any-return]
        both = self.body(torch.cat([floats, floats.flip(3)]))
        return both.unflatten(0, (2, -1)).mean(0)  # type: ignore[no-any-return]


def preparation(options: ModelConfig, images: Tensor) -> tuple[Tensor, Tensor]:
    """What images are centered and scaled by: what the pretrained weights expect, else their own statistics."""
    if options.weights == "imagenet" and options.name in OWN_SCALE:
        mean, std = OWN_SCALE[options.name]
        return torch.tensor([mean]), torch.tensor([std])
    return statistics(images)


def statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation a channel, on the 0..1 scale, of uint8 images [n, s, s] or [n, s, s, 3]."""
    # A histogram gives the exact moments of bytes without a float copy of the data set.
    columns = images.reshape(-1, 1 if images.dim() == 3 else 3).T
    counts = torch.stack([torch.bincount(column, minlength=256) for column in columns]).double()
    share = counts / counts.sum(1, keepdim=True)
    levels = torch.arange(256, dtype=torch.float64) / 255
    mean = share @ levels
    std = (share @ levels.square() - mean.square()).clamp_min(1e-12).sqrt()
    return mean.float(), std.float()
