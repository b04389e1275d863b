"""Networks of timm and torchvision by their names."""

from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from helpers.network import initialized
from modiste.errors import SettingError
from modiste.models import networks, weights
from modiste.models.normalized import NormalizedModel, normalization
from modiste.recipes.config import DataConfig, ModelConfig

GRAY, RGB = DataConfig(image_size=32), DataConfig(image_size=32, channels=3)


@pytest.mark.parametrize("data", [GRAY, RGB], ids=["gray", "rgb"])
@pytest.mark.parametrize(
    "name",
    ["timm:resnet18", "timm:vit_tiny_patch16_224", "torchvision:mobilenet_v3_small", "torchvision:googlenet"],
)
def test_a_network_takes_images_of_any_size_and_channels(name: str, data: DataConfig) -> None:
    """In training too, where some networks of torchvision return more than the logits."""
    body = networks.build(ModelConfig(name=name), 5, data)
    assert body.train()(torch.zeros(2, data.channels, 32, 32)).shape == (2, 5)


def test_its_options_are_passed_on() -> None:
    """To timm.create_model and torchvision.models.get_model."""
    body = networks.build(ModelConfig(name="timm:resnet18", options={"drop_rate": 0.25}), 5, GRAY)
    assert body.drop_rate == 0.25
    options = ModelConfig(name="torchvision:mobilenet_v3_small", options={"dropout": 0.3})
    assert [layer.p for layer in networks.build(options, 5, GRAY).modules() if isinstance(layer, nn.Dropout)] == [0.3]


def test_it_keeps_the_initial_weights_of_its_library() -> None:
    """As a network of the user's own does; `model.init` does not apply."""
    options = ModelConfig(name="timm:resnet18", init="xavier")
    body = networks.build(options, 5, GRAY)
    before = {name: value.clone() for name, value in body.state_dict().items()}
    weights.initialize(body, options)
    assert all(torch.equal(value, before[name]) for name, value in body.state_dict().items())


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_pretrained_weights_predict_as_in_timm(suffix: str, tmp_path: Path) -> None:
    """With its normalization; the head is new, as there are other classes."""
    original = timm.create_model("resnet18").eval()
    file = tmp_path / f"weights{suffix}"
    save_file(original.state_dict(), file) if suffix == ".safetensors" else torch.save(original.state_dict(), file)
    options = ModelConfig(name="timm:resnet18", weights=str(file))
    body = initialized(options, 1000, RGB)
    images = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    config = timm.data.resolve_data_config({}, model=original)
    mean, std = (torch.tensor(config[key]).reshape(1, 3, 1, 1) for key in ("mean", "std"))
    expected = original((images.permute(0, 3, 1, 2) / 255 - mean) / std)
    torch.testing.assert_close(NormalizedModel(body, *normalization(options, images)).eval()(images), expected)
    other = initialized(options, 5, RGB)
    assert torch.equal(other.layer4[1].conv2.weight, original.layer4[1].conv2.weight)


def test_pretrained_weights_of_torchvision_take_gray_images(tmp_path: Path) -> None:
    """They are repeated over three channels, and normalized by the mean of the channels."""
    original = torchvision.models.mobilenet_v3_small()
    torch.save(original.state_dict(), tmp_path / "w.pth")
    options = ModelConfig(name="torchvision:mobilenet_v3_small", weights=str(tmp_path / "w.pth"))
    body = initialized(options, 5, GRAY)
    mean, std = normalization(options, torch.zeros(1, 32, 32, dtype=torch.uint8))
    assert (mean.tolist(), std.tolist()) == (pytest.approx([0.449]), pytest.approx([0.226]))
    assert torch.equal(body.features[0][0].weight, original.features[0][0].weight)


def test_without_weights_images_are_normalized_by_their_own_statistics() -> None:
    """As for any network that begins at random weights."""
    images = torch.full((2, 32, 32), 51, dtype=torch.uint8)
    assert normalization(ModelConfig(name="timm:resnet18"), images)[0].item() == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ModelConfig(name="timm:resnet19"), "timm has no network 'resnet19'. Did you mean 'resnet18'"),
        (ModelConfig(name="torchvision:mobilenet_v3_smal"), "Did you mean 'mobilenet_v3_small'"),
        (ModelConfig(name="timm:qqqq"), r"Its documentation lists \d{3,} names"),
        (ModelConfig(name="timm:resnet18", options={"depth": 3}), "fails: TypeError: .*depth"),
    ],
)
def test_a_network_that_a_library_lacks_is_an_error(options: ModelConfig, message: str) -> None:
    """With the most similar name."""
    with pytest.raises(SettingError, match=message):
        networks.build(options, 5, GRAY)


def test_imagenet_weights_are_not_downloaded() -> None:
    """A file has to be named."""
    options = replace(ModelConfig(name="timm:resnet18"), weights="imagenet")
    with pytest.raises(SettingError, match=r"not for timm:resnet18. Name a file instead"):
        weights.initialize(networks.build(options, 5, GRAY), options)
