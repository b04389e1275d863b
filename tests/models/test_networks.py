"""Networks, normalization and initial weights."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from helpers.memory import MEGABYTE, peak_growth
from modiste.errors import InputError, SettingError
from modiste.models import networks, weights
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
    options = replace(OPTIONS[name], **changes)  # type: ignore[arg-type]
    torch.manual_seed(0)
    body = networks.build(options, labels, DataConfig())
    weights.initialize(body, options)
    return body


def safetensors_file(tensors: dict[str, object]) -> bytes:
    """A safetensors file with this header and 4 bytes of data."""
    header = json.dumps(tensors).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


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


@pytest.mark.parametrize("shape", [(50, 9, 9), (50, 9, 9, 3)])
def test_mean_and_std_of_the_images_are_exact(shape: tuple[int, ...]) -> None:
    """They equal those of the pixels as float64."""
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    mean, std = mean_and_std(images)
    pixels = images.double().reshape(-1, shape[3] if len(shape) == 4 else 1) / 255
    torch.testing.assert_close(mean.double(), pixels.mean(0), rtol=1e-6, atol=0)
    torch.testing.assert_close(std.double(), pixels.std(0, correction=0), rtol=1e-6, atol=0)


def test_xavier_initialization_follows_the_course_report() -> None:
    """Linear weights lie within Glorot's bound, BN weights are Normal(1, 0.01), biases 0."""
    body = build("cnn")
    linear, norm = body[9], body[2]
    bound = (6 / (4096 + 4096)) ** 0.5
    assert 0.99 * bound < linear.weight.abs().max() <= bound
    assert not linear.bias.any()
    assert abs(norm.weight.mean() - 1) < 0.01
    assert 0.003 < norm.weight.std() < 0.03


def test_pretrained_weights_are_not_initialized(tmp_path: Path) -> None:
    """Weights from a file are bit-identical in every layer; only the new head is initialized."""
    trained = build("resnet18", labels=7)
    expected = {name: value + 1 for name, value in trained.state_dict().items()}  # with the names of torchvision
    save_file(expected, tmp_path / "weights.safetensors")
    body = build("resnet18", weights=str(tmp_path / "weights.safetensors"))
    for name, value in body.state_dict().items():
        if not name.startswith("fc."):
            assert torch.equal(value, expected[name]), name
    bound = (6 / (512 + 10)) ** 0.5
    assert 0.9 * bound < body.fc.weight.abs().max() <= bound


@pytest.mark.parametrize(
    "content",
    [
        (10**8).to_bytes(8, "little") + b"{",
        safetensors_file({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}),
        safetensors_file({name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for name in "ab"}),
        b"PK\x03\x04 a pickle in a zip",
    ],
    ids=["header of 100 MB", "beyond the end", "overlap", "pickle"],
)
def test_a_hostile_file_of_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    """No memory of the size in its header is allocated (fault 25)."""
    (tmp_path / "w.safetensors").write_bytes(content)

    def read() -> None:
        with pytest.raises(InputError, match=r"w\.safetensors"):
            weights.read_weights(tmp_path / "w.safetensors")

    assert peak_growth(read) < 10 * MEGABYTE


def test_missing_imagenet_weights_name_both_alternatives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the file and without a network connection it has its path and a setting for another file."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", _raise_no_network)
    with pytest.raises(InputError, match=r"resnet18-f37072fd\.pth.*model\.weights=FILE") as error:
        build("resnet18", weights="imagenet")
    assert str(tmp_path) in str(error.value)


def test_imagenet_weights_load_from_torchvisions_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every layer but the head is loaded if the SHA-256 is correct; other files are refused."""
    from torchvision.models import resnet18

    torch.manual_seed(5)
    original = resnet18().state_dict()
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.save(original, cache / "resnet18-f37072fd.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match="SHA-256 differs"):
        build("resnet18", weights="imagenet")
    sha256 = hashlib.sha256((cache / "resnet18-f37072fd.pth").read_bytes()).hexdigest()
    monkeypatch.setitem(weights.SHA256, "resnet18", sha256)
    body = build("resnet18", weights="imagenet")
    assert torch.equal(body.layer4[1].conv2.weight, original["layer4.1.conv2.weight"])
    assert body.fc.out_features == 10


def _raise_no_network(*_: object, **__: object) -> None:
    raise OSError("no network")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    """A file in which no layer fits, or only some."""
    partial = {name: value for name, value in build("cnn").state_dict().items() if name.startswith(("0.", "9."))}
    for tensors in ({"other.weight": torch.zeros(3)}, partial):
        save_file(tensors, tmp_path / "w.safetensors")
        with pytest.raises(InputError, match="for another network"):
            build("cnn", weights=str(tmp_path / "w.safetensors"))


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"\xff" * 100])
def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path, content: bytes) -> None:
    """Empty files, pickles and random bytes (fault 25)."""
    file = tmp_path / "w.safetensors"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read .* Give another file"):
        build("cnn", weights=str(file))


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".pkl"])
def test_code_in_a_pickle_is_not_run(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state dict may hold tensors, and nothing that is called (fault 25)."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / f"w{suffix}"
    for content in (b"cos\nsystem\n(S'touch pwned'\ntR.", b"", b"\xff" * 100):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"not a weights file|not a state dict of tensors"):
            build("cnn", weights=str(file))
    torch.save(build("cnn"), file)  # a whole network, whose classes would have to be imported
    with pytest.raises(InputError, match=r"not a weights file|not a state dict of tensors"):
        build("cnn", weights=str(file))
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("key", ["", "state_dict", "model", "model_state_dict"])
def test_a_state_dict_is_read(key: str, tmp_path: Path) -> None:
    """As torch.save writes it, alone or in a checkpoint, and as DataParallel names it."""
    tensors = build("residual").state_dict()
    content = {f"module.{name}": value for name, value in tensors.items()}
    torch.save({"epoch": 3, key: content} if key else content, tmp_path / "w.pth")
    body = build("residual", weights=str(tmp_path / "w.pth"), init="default")
    assert all(torch.equal(value, tensors[name]) for name, value in body.state_dict().items())


def test_filters_of_rgb_images_are_added_up_for_gray_ones(tmp_path: Path) -> None:
    """Which gives the same features for an image with three equal channels."""
    options = replace(OPTIONS["residual"], weights=str(tmp_path / "w.safetensors"), init="default")
    rgb, gray = (networks.build(options, 10, DataConfig(channels=channels)).eval() for channels in (3, 1))
    save_file(rgb.state_dict(), options.weights)
    weights.initialize(gray, options)
    images = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(gray(images), rgb(images.expand(-1, 3, -1, -1)))


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
    body = networks.build(options, 10, DataConfig())
    weights.initialize(body, options)
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
    body = networks.build(options, 1000, DataConfig(image_size=224, channels=3))
    weights.initialize(body, options)
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
    body = networks.build(options, 3, DataConfig(image_size=32, channels=3))
    weights.initialize(body, options)
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


def test_changed_packaged_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with another SHA-256 is not opened, since it is a pickle."""
    monkeypatch.setitem(weights.SHA256, "efficientnet_lite1", "0" * 64)
    options = ModelConfig(name="efficientnet_lite1", weights="imagenet")
    with pytest.raises(InputError, match="not the expected file"):
        weights.initialize(build("efficientnet_lite1"), options)


def test_flip_tta_averages_the_logits_of_both_images() -> None:
    """In evaluation the logits are the mean over the image and its mirror image; in training there is one pass."""
    body = build("residual", 5)
    network = NormalizedModel(body, torch.zeros(1), torch.ones(1), flip_tta=True)
    images = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    both = body.eval()(torch.stack([images, images.flip(2)]).flatten(0, 1)[:, None] / 255).unflatten(0, (2, 3))
    logits = network.eval()(images)
    torch.testing.assert_close(logits, both.mean(0))
    torch.testing.assert_close(network(images.flip(2)), logits)
    batch_sizes: list[int] = []
    body.register_forward_pre_hook(lambda _, inputs: batch_sizes.append(len(inputs[0])))
    network(images)
    network.train()(images)
    assert batch_sizes == [6, 3]


def test_eval_blur_mixes_each_pixel_with_its_neighbors() -> None:
    """Half of each pixel is the mean of its 3 x 3 neighbors; a uniform image does not change, nor does training."""
    network = NormalizedModel(nn.Identity(), torch.zeros(1), torch.ones(1), eval_blur=0.5).eval()
    images = torch.full((2, 28, 28), 51, dtype=torch.uint8)
    images[1, 10, 10] = 255
    uniform, dot = network(images)[:, 0]
    torch.testing.assert_close(uniform, torch.full((28, 28), 0.2))
    torch.testing.assert_close(dot[10, 9:12], torch.tensor([0.2 + 0.4 / 9, 0.2 + 0.4 + 0.4 / 9, 0.2 + 0.4 / 9]))
    assert network.train()(images)[1, 0, 10, 10] == 1
