"""Faster fine-tuning of pretrained convolutions: without batch norm, and without gradients that a CPU is slow at."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class StridedDepthwiseConv2d(nn.Conv2d):
    """A strided convolution with TensorFlow's SAME padding whose input gradient is computed in fp32.

    In bf16, oneDNN has only a reference implementation of it for depthwise convolutions, which takes 20 times as long.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Return what timm's `Conv2dSame` returns for features [n, channels, s, s]."""
        size, stride = features.shape[-1], self.stride[0]
        padding = max((-(-size // stride) - 1) * stride + self.kernel_size[0] - size, 0)
        padded = F.pad(features, (padding // 2, padding - padding // 2) * 2)
        if not features.requires_grad:
            return super().forward(padded)
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(padded.float())


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Replace each convolution and timm's batch norm after it by one convolution and the activation, in place.

    The convolution gets a bias; in evaluation the network returns the same as before. Return the network.
    """
    for module in [*network.eval().modules()]:
        for (name, conv), (norm_name, norm) in pairwise([*module.named_children()]):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                # the fused bias is trained as the weight is: PyTorch's function would freeze it
                setattr(module, name, fuse_conv_bn_eval(conv, norm).requires_grad_(conv.weight.requires_grad))
                setattr(module, norm_name, norm.act)
    return network


def freeze_depthwise(network: nn.Module) -> nn.Module:
    """Train the weights and biases of depthwise convolutions no longer, in place; return the network."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.groups > 1:
            layer.requires_grad_(False)
            if layer.stride[0] > 1:
                layer.__class__ = StridedDepthwiseConv2d  # same attributes, another forward
    return network
