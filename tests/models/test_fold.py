"""Batch norm folded into convolutions, and depthwise convolutions that are not trained."""

import copy
from dataclasses import replace

import pytest
import torch
from timm.layers import create_conv2d
from torch import Tensor, nn

from helpers.network import initialized
from modiste.models.fold import StridedDepthwiseConv2d, freeze_depthwise
from modiste.recipes.config import DataConfig, ModelConfig

OPTIONS = ModelConfig(name="efficientnet_lite1", weights="imagenet", init="default", fold_batch_norm=True, dropout=0.0)


def build(options: ModelConfig) -> nn.Module:
    """A network of five classes with the packaged ImageNet weights."""
    return initialized(options, 5, DataConfig(image_size=64, channels=3))


def images() -> Tensor:
    """Two normalized images of 64 x 64 pixels."""
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def gradients(body: nn.Module) -> dict[str, Tensor]:
    """Those of all parameters that are trained, after a step forward and backward."""
    body.train()(images()).square().sum().backward()
    return {name: parameter.grad for name, parameter in body.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("freeze", [False, True])
def test_a_folded_network_has_the_same_logits(freeze: bool) -> None:
    """Before it is trained; it has no batch norm."""
    original, folded = build(replace(OPTIONS, fold_batch_norm=False)), build(replace(OPTIONS, freeze_depthwise=freeze))
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    with torch.no_grad():
        torch.testing.assert_close(folded.eval()(images()), original.eval()(images()), rtol=0, atol=1e-3)


def test_all_but_frozen_stages_and_depthwise_convolutions_have_exact_gradients() -> None:
    """Weights and biases of the others have the gradients of plain autograd without frozen layers."""
    expected, body = gradients(build(OPTIONS)), build(replace(OPTIONS, freeze_depthwise=True, freeze_stages=2))
    computed = gradients(body)
    frozen = tuple(f"features.{layer}." for layer in range(4))
    assert computed.keys() == {name for name in expected if not name.startswith(frozen) and "conv_dw" not in name}
    assert sum(name.endswith("bias") for name in computed) > 30
    for name, gradient in computed.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-4 * expected[name].abs().max().item())


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_frozen_depthwise_convolution_is_that_of_timm(size: int, kernel: int, stride: int) -> None:
    """Outputs and input gradients are equal, for even and odd sizes; its own weights get no gradient."""
    original = create_conv2d(4, 4, kernel, stride=stride, padding="same", depthwise=True, bias=True)
    frozen = freeze_depthwise(copy.deepcopy(original))
    outputs, input_gradients = [], []
    for layer in (original, frozen):
        features = torch.randn(2, 4, size, size, generator=torch.Generator().manual_seed(0)).requires_grad_()
        outputs.append(layer(features))
        outputs[-1].square().sum().backward()
        input_gradients.append(features.grad)
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*input_gradients)
    assert all(parameter.grad is None for parameter in frozen.parameters())


def test_strided_depthwise_convolutions_have_fp32_gradients_in_bf16() -> None:
    """Where a gradient is needed, autocast does not apply; elsewhere it does."""
    layer = freeze_depthwise(create_conv2d(4, 4, 5, stride=2, padding="same", depthwise=True))
    assert isinstance(layer, StridedDepthwiseConv2d)
    features = torch.randn(2, 4, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(features).dtype == torch.bfloat16
        torch.testing.assert_close(
            layer(features.clone().requires_grad_()), layer(features.bfloat16()).float(), atol=0.05, rtol=0.05
        )
        assert layer(features.bfloat16().requires_grad_()).dtype == torch.float32
