"""Networks."""

import re
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from helpers.network import initialized
from modiste.errors import SettingError
from modiste.models import networks
from modiste.models.normalized import NormalizedModel, mean_and_std, normalization
from modiste.recipes.config import DataConfig, ModelConfig
from modiste.recipes.named import NAMED

OPTIONS = {
    "cnn": ModelConfig(name="cnn"),
    "resnet18": ModelConfig(name="resnet18"),
    "residual": ModelConfig(name="residual", width=16),
    "stem": ModelConfig(name="residual", width=16, stem_width=8),
    "blocks": ModelConfig(name="residual", width=16, stem_width=8, blocks_per_stage=2),
    "growth": ModelConfig(name="residual", width=14, stem_width=14, width_multiplier=1.0),
    "efficientnet_lite1": ModelConfig(name="efficientnet_lite1", init="default"),
    "cnn without batch norm": ModelConfig(name="cnn", norm_layer="none"),
    "resnet18 without batch norm": ModelConfig(name="resnet18", norm_layer="none"),
    "resnet18 with group norm": ModelConfig(name="resnet18", norm_layer="group_norm"),
    "resnet18 with the stem for small images": ModelConfig(name="resnet18", stem_type="cifar"),
    "residual, enlarged": ModelConfig(name="residual", width=16, upscale=2),
}


def build(name: str, labels: int = 10, **changes: object) -> nn.Module:
    """A network with initial weights."""
    return initialized(replace(OPTIONS[name], **changes), labels)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("cnn", 16_841_802),
        ("resnet18", 11_181_642),
        ("residual", 139_946),
        ("stem", 143_010),
        ("efficientnet_lite1", 4_148_490),
        ("cnn without batch norm", 16_841_802 - 2 * (32 + 64)),
        ("resnet18 without batch norm", 11_181_642 - 4800),
        ("resnet18 with group norm", 11_181_642),
        ("resnet18 with the stem for small images", 11_181_642 - 64 * 3 * (7 * 7 - 3 * 3)),
    ],
)
def test_networks_have_the_documented_number_of_parameters(name: str, count: int) -> None:
    """The CNN of the course report has 16.8 M, ResNet-18 with ten classes 11.2 M."""
    assert networks.count_parameters(build(name)) == count


@pytest.mark.parametrize(
    ("recipe", "most"),
    [
        ("marathon-2m", 2_200_000),
        ("marathon", 1_000_000),
        ("marathon-taught", 1_000_000),
        ("marathon-300k", 300_000),
        ("marathon-100k", 100_000),
        ("marathon-25k", 25_000),
    ],
)
def test_marathon_recipes_have_at_most_the_documented_parameters(recipe: str, most: int) -> None:
    """And at least nearly that many."""
    count = networks.count_parameters(networks.build(NAMED[recipe]().model, 10, DataConfig()))
    assert 0.85 * most < count <= most


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("labels", [2, 10])
def test_uint8_images_become_logits(name: str, labels: int) -> None:
    """Every network takes any number of images and returns a column per class."""
    images = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    network = NormalizedModel(build(name, labels), *mean_and_std(images)).eval()
    assert network(images).shape == (3, labels)


def test_the_cnn_pads_its_second_convolution_to_16_pixels() -> None:
    """Its input has 14 x 14 pixels, its output 16 x 16."""
    shapes: list[torch.Size] = []
    body = build("cnn")
    for layer in body:
        layer.register_forward_hook(lambda _, __, output: shapes.append(output.shape))
    body(torch.zeros(2, 1, 28, 28))
    assert [tuple(shape[1:]) for shape in shapes[3:9]] == [
        (32, 14, 14),
        (64, 16, 16),
        (64, 16, 16),
        (64, 16, 16),
        (64, 8, 8),
        (4096,),
    ]


@pytest.mark.parametrize(("stem_type", "size"), [("imagenet", 1), ("cifar", 4)])
def test_the_stem_decides_the_size_of_the_last_feature_maps(stem_type: str, size: int) -> None:
    """Of 28 pixels the stem for ImageNet leaves one, which has no shape left to see."""
    shapes: list[torch.Size] = []
    body: nn.Module = build("resnet18", stem_type=stem_type)
    body.get_submodule("layer4").register_forward_hook(lambda _, __, output: shapes.append(output.shape))
    body(torch.zeros(2, 1, 28, 28))
    assert shapes == [torch.Size([2, 512, size, size])]


def test_images_are_enlarged_before_the_first_layer() -> None:
    """The network sees 56 pixels; its layers have the same names, so that pretrained weights fit."""
    body = build("residual, enlarged")
    shapes: list[torch.Size] = []
    body.get_submodule("features.0").register_forward_pre_hook(lambda _, inputs: shapes.append(inputs[0].shape))
    body(torch.zeros(2, 1, 28, 28))
    assert shapes == [torch.Size([2, 1, 56, 56])]
    assert list(body.state_dict()) == list(build("residual").state_dict())


def test_a_custom_network_gets_its_own_arguments() -> None:
    """It need not take the model section."""
    options = ModelConfig(name="helpers.factories:deep", options={"depth": 3})
    assert len(networks.build(options, 4, DataConfig(image_size=9))) == 10


def test_a_custom_network_that_fails_is_an_error_with_its_line() -> None:
    """In its factory, or because of an argument that it does not take."""
    for name, options in (("fails", {}), ("deep", {"width": 3})):
        with pytest.raises(SettingError, match=r"Error: .*factories\.py, line \d+\). A network's factory takes"):
            networks.build(ModelConfig(name=f"helpers.factories:{name}", options=options), 4, DataConfig())


def test_a_custom_network_is_imported_by_name() -> None:
    """`package.module:factory` is imported and built."""
    body = networks.build(ModelConfig(name="helpers.network:tiny"), 4, DataConfig(image_size=9))
    logits: Tensor = body(torch.zeros(2, 1, 9, 9))
    assert logits.shape == (2, 4)


def test_a_custom_network_keeps_its_own_initial_weights() -> None:
    """`model.init` does not apply: its factory may have loaded weights."""
    options = ModelConfig(name="helpers.network:sevens", init="xavier")
    body = initialized(options, 10, DataConfig())
    assert (body[1].weight == 7).all()


@pytest.mark.parametrize(("name", "message"), [("no_arguments", "TypeError"), ("wrong_width", r"\(2, 3\)")])
def test_a_network_that_breaks_the_contract_is_refused(name: str, message: str) -> None:
    """A factory with other arguments, or with logits of another width."""
    with pytest.raises(SettingError, match=message):
        networks.build(ModelConfig(name=f"helpers.network:{name}"), 10, DataConfig())


@pytest.mark.parametrize("name", ["unknown", "no.such.module:build", "helpers.network:missing", ":x", ".a:b"])
def test_a_missing_network_is_refused(name: str) -> None:
    """The error has its name."""
    with pytest.raises(SettingError, match=re.escape(name)):
        networks.find_factory(name)


@pytest.mark.parametrize(
    ("name", "logits", "best"),
    [
        ("efficientnet_lite1", [-0.4044, 0.4195, 0.5120, 0.4259, 0.8470], [623, 677, 473]),
    ],
)
def test_the_packaged_weights_give_golden_logits(name: str, logits: list[float], best: list[int]) -> None:
    """For a color gradient of 224 x 224 pixels, so that normalization and channel order are tested."""
    options = ModelConfig(name=name, weights="imagenet", init="default")
    ramp = torch.arange(224).repeat(224, 1)
    images = torch.stack([ramp, ramp.T, (ramp + ramp.T) // 2], 2).to(torch.uint8)[None]
    body = initialized(options, 1000, DataConfig(image_size=224, channels=3))
    outputs = NormalizedModel(body, *normalization(options, images)).eval()(images)[0]
    assert outputs[:5].tolist() == pytest.approx(logits, abs=2e-3)
    assert outputs.topk(3).indices.tolist() == best


def test_the_training_size_must_fit_the_network() -> None:
    """The linear layer of the CNN needs one size; a network that ends with global pooling accepts all."""
    networks.build(ModelConfig(name="residual"), 10, DataConfig(), train_size=20)
    with pytest.raises(SettingError, match=r"augmentation.train_size is 20.*only 28 pixels.*Set it to 0"):
        networks.build(ModelConfig(name="cnn"), 10, DataConfig(), train_size=20)


def test_frozen_stages_are_not_trained() -> None:
    """They have no gradients, and their running statistics do not change; all other stages change.

    Their parameters have the same names as without frozen stages.
    """
    options = ModelConfig(name="efficientnet_lite1", weights="imagenet", init="default", freeze_stages=2)
    body = initialized(options, 3, DataConfig(image_size=32, channels=3))
    before = {name: value.clone() for name, value in body.state_dict().items()}
    body.train()(torch.rand(4, 3, 32, 32)).sum().backward()
    frozen = {f"features.{layer}" for layer in range(4)}

    def stages(names: Iterable[str]) -> set[str]:
        return {".".join(name.split(".")[:2]) for name in names}

    assert stages(name for name, layer in body.named_modules() if "." in name and not layer.training) == frozen
    assert stages(name for name, parameter in body.named_parameters() if parameter.grad is None) == frozen
    changed = {name for name, value in body.state_dict().items() if not value.equal(before[name])}
    assert {name.rpartition(".")[2] for name in changed} == {"running_mean", "running_var", "num_batches_tracked"}
    assert not stages(changed) & frozen
    free = networks.build(replace(options, freeze_stages=0), 3, DataConfig(image_size=32, channels=3))
    assert list(free.state_dict()) == list(before)


def test_drop_path_skips_blocks_only_in_training() -> None:
    """The random seed decides which blocks; in evaluation none is skipped."""
    body = build("efficientnet_lite1", drop_path_rate=0.5, dropout=0.0).train()
    images = torch.rand(8, 3, 32, 32)

    def logits(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return body(images).detach()

    one, again, other = logits(0), logits(0), logits(1)
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)
    body.eval()
    assert torch.equal(logits(0), logits(1))
