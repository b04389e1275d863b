"""Convolutions as matrix products."""

import pytest
import torch
from torch import nn

from modiste.models.matmul_conv import MatmulConv2d, use_matmul_conv


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [(1, 3, 1, 1), (2, 3, 1, 1), (2, 3, 2, 1), (2, 1, 2, 0), (3, 5, 1, 2), (7, 3, 1, 1), (4, 3, 2, 1), (1, 1, 1, 0)],
)
def test_outputs_and_gradients_equal_those_of_conv2d(
    size: int, kernel: int, stride: int, padding: int, bias: bool
) -> None:
    """For small and large kernels, strides and padding."""
    torch.manual_seed(0)
    layer = nn.Conv2d(5, 6, kernel, stride, padding, bias=bias)
    features = torch.randn(4, 5, size, size)
    results = []
    for _ in range(2):
        outputs = layer(features)
        outputs.square().sum().backward()
        results.append((outputs.detach(), layer.weight.grad))
        layer.zero_grad()
        use_matmul_conv(layer)
    assert type(layer) is MatmulConv2d
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-5)
