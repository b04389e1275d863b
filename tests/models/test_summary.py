"""The table of a network's layers."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from modiste.models import networks
from modiste.models.normalized import NormalizedModel
from modiste.models.summary import summarize_layers
from modiste.recipes.config import DataConfig, ModelConfig

LITE = ModelConfig(name="efficientnet_lite1", weights="imagenet", freeze_stages=2)


class Unusual(nn.Module):
    """Parameters of its own, of a layer that is used twice, and of one whose weights are used without calling it."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.twice = nn.Linear(64, 64)
        self.attention = nn.MultiheadAttention(64, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return features [n, 64]."""
        features = self.twice(self.twice(pixels.flatten(1))) * self.scale
        return self.attention(features, features, features)[0]


def normalized(body: nn.Module) -> NormalizedModel:
    """The network with normalization."""
    return NormalizedModel(body, torch.zeros(1), torch.ones(1), flip_tta=True)


def test_layers_are_in_order_with_shapes_and_parameters() -> None:
    """For the CNN of the course report."""
    body = networks.build(ModelConfig(name="cnn"), 10, DataConfig())
    layers = summarize_layers(normalized(body), torch.zeros(28, 28, dtype=torch.uint8))
    assert layers[0] == {"layer": "Conv2d 5 x 5, padding 2", "output_shape": [32, 28, 28], "parameters": 832}
    assert layers[3] == {"layer": "MaxPool2d 2 x 2", "output_shape": [32, 14, 14], "parameters": 0}
    assert layers[-1] == {"layer": "Linear", "output_shape": [10], "parameters": 40_970}
    assert len(layers) == 13


@pytest.mark.parametrize(
    ("options", "labels", "shape"),
    [
        (ModelConfig(name="cnn"), 3, (20, 20)),
        (ModelConfig(name="resnet18"), 10, (28, 28)),
        (ModelConfig(name="residual", stem_width=8), 4, (28, 28, 3)),
        (LITE, 5, (32, 32, 3)),
        (replace(LITE, fold_batch_norm=True, freeze_depthwise=True), 5, (32, 32, 3)),
        (ModelConfig(name="helpers.network:tiny"), 2, (9, 9)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_the_parameters_of_all_layers_add_up(options: ModelConfig, labels: int, shape: tuple[int, ...]) -> None:
    """For any network, size and number of classes; frozen stages have none."""
    data = DataConfig(image_size=shape[0], channels=3 if len(shape) == 3 else 1)
    body = networks.build(options, labels, data)
    layers = summarize_layers(normalized(body), torch.zeros(shape, dtype=torch.uint8))
    assert sum(layer["parameters"] for layer in layers) == networks.count_parameters(body)
    assert layers[-1]["output_shape"] == [labels]


def test_every_parameter_is_counted_once() -> None:
    """Those of the module itself, of a layer that is called twice, and of a layer that is never called."""
    body = Unusual()
    layers = summarize_layers(normalized(body), torch.zeros(8, 8, dtype=torch.uint8))
    assert sum(layer["parameters"] for layer in layers) == networks.count_parameters(body)
    assert [layer["parameters"] for layer in layers if layer["layer"] == "Linear"] == [64 * 65, 0]
