"""Convolutions over feature maps no larger than their kernel, as one matrix product.

At the end of a ResNet on 28-pixel images a feature map is 2 x 2 or 1 x 1, where convolution libraries are slow:
oneDNN's weight gradient of a 3 x 3 convolution on one pixel takes 25 times as long as the product here.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MatmulConv2d(nn.Conv2d):
    """A square convolution that is computed as a matrix product where the whole feature map lies inside the kernel."""

    def forward(self, features: Tensor) -> Tensor:
        """Return what `nn.Conv2d` returns for features [n, channels, s, s]."""
        size, kernel, stride, padding = features.shape[-1], self.kernel_size[0], self.stride[0], int(self.padding[0])
        # output pixel i multiplies the feature map with the kernel from row and column padding - i * stride on
        starts = [padding - i * stride for i in range((size + 2 * padding - kernel) // stride + 1)]
        is_plain = self.groups == 1 and self.dilation[0] == 1 and self.padding_mode == "zeros"
        if not is_plain or min(starts) < 0 or max(starts) + size > kernel:
            return super().forward(features)
        windows = [self.weight[:, :, y : y + size, x : x + size] for y in starts for x in starts]
        matrix = torch.stack(windows).flatten(2).flatten(0, 1)  # [outputs * channels_out, channels_in * s * s]
        bias = None if self.bias is None else self.bias.repeat(len(windows))
        pixels = F.linear(features.flatten(1), matrix, bias).view(-1, len(starts), len(starts), self.out_channels)
        return pixels.permute(0, 3, 1, 2)


def use_matmul_conv(network: nn.Module) -> nn.Module:
    """Turn every `nn.Conv2d` of a network into a `MatmulConv2d`, in place; return the network."""
    for layer in network.modules():
        if type(layer) is nn.Conv2d:
            layer.__class__ = MatmulConv2d  # same attributes, another forward
    return network
