"""The preprocessing of a network: normalization, and what evaluation adds."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modiste.models import libraries
from modiste.recipes.config import ModelConfig

EFFICIENTNET_LITE_MEAN, EFFICIENTNET_LITE_STD = 127 / 255, 128 / 255  # of its ImageNet weights


class NormalizedModel(nn.Module):
    """A network with its preprocessing: uint8 images in, logits out.

    Args:
        body: floats [n, channels, s, s] -> logits [n, k].
        mean: of the training images on the 0..1 scale, floats [channels].
        std: standard deviation, likewise.
        flip_tta: in evaluation, return the mean of the logits of each image and its mirror image.
        eval_blur: in evaluation, weight of the mean of the 3 x 3 pixels around each pixel, 0 to 1.
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
        """Return logits, floats [n, k], for uint8 images [n, s, s] or [n, s, s, 3]."""
        pixels = images.unsqueeze(1) if images.dim() == 3 else images.permute(0, 3, 1, 2)
        floats = (pixels.float() / 255 - self.mean) / self.std
        if self.eval_blur and not self.training:
            blurred = F.avg_pool2d(floats, 3, stride=1, padding=1, count_include_pad=False)
            floats = (1 - self.eval_blur) * floats + self.eval_blur * blurred
        if self.training or not self.flip_tta:
            return self.body(floats)  # type: ignore[no-any-return]
        logits = self.body(torch.cat([floats, floats.flip(3)]))
        return logits.unflatten(0, (2, -1)).mean(0)  # type: ignore[no-any-return]


def normalization(options: ModelConfig, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation for `NormalizedModel`: those of the pretrained weights, else of the images."""
    if options.weights == "imagenet" and options.name == "efficientnet_lite1":
        return torch.tensor([EFFICIENTNET_LITE_MEAN]), torch.tensor([EFFICIENTNET_LITE_STD])
    if options.weights and (library_model := libraries.parse(options)):
        return libraries.normalization(library_model, 1 if images.dim() == 3 else 3)
    return mean_and_std(images)


def mean_and_std(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each channel of uint8 images, [n, s, s] or [n, s, s, 3], from 0 to 1."""
    # A histogram gives the exact moments of bytes without a float copy of the data set.
    columns = images.reshape(-1, 1 if images.dim() == 3 else 3).T
    counts = torch.stack([torch.bincount(column, minlength=256) for column in columns]).double()
    frequencies = counts / counts.sum(1, keepdim=True)
    levels = torch.arange(256, dtype=torch.float64) / 255
    mean = frequencies @ levels
    std = (frequencies @ levels.square() - mean.square()).clamp_min(1e-12).sqrt()
    return mean.float(), std.float()
