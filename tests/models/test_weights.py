"""Initial weights: random ones, and those of files."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from helpers.memory import MEGABYTE, peak_growth
from helpers.network import initialized
from modiste.errors import InputError
from modiste.models import networks, weights
from modiste.recipes.config import DataConfig, ModelConfig


def build(name: str, labels: int = 10, **changes: object) -> nn.Module:
    """A network with initial weights."""
    return initialized(ModelConfig(name=name, **changes), labels)  # type: ignore[arg-type]


def safetensors_file(tensors: dict[str, object]) -> bytes:
    """A safetensors file with this header and 4 bytes of data."""
    header = json.dumps(tensors).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


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
    options = ModelConfig(name="residual", weights=str(tmp_path / "w.safetensors"), init="default")
    rgb, gray = (networks.build(options, 10, DataConfig(channels=channels)).eval() for channels in (3, 1))
    save_file(rgb.state_dict(), options.weights)
    weights.initialize(gray, options)
    images = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(gray(images), rgb(images.expand(-1, 3, -1, -1)))


def test_changed_packaged_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with another SHA-256 is not opened, since it is a pickle."""
    monkeypatch.setitem(weights.SHA256, "efficientnet_lite1", "0" * 64)
    options = ModelConfig(name="efficientnet_lite1", weights="imagenet")
    with pytest.raises(InputError, match="not the expected file"):
        weights.initialize(build("efficientnet_lite1"), options)
