"""First weights: those that a file brings, and fresh ones for the rest.

Loading comes first and is remembered, so that initialisation can never overwrite what was loaded.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor, nn

from modiste.errors import InputError, SettingError
from modiste.recipes.recipe import Network
from modiste.runs import files

Weights = dict[str, Tensor]


def first_weights(body: nn.Module, options: Network) -> None:
    """Give the network its first weights, in place, as the recipe says.

    Raises:
        InputError: the weights cannot be had or do not fit.
        SettingError: `imagenet` for a network that has none.
    """
    loaded = load_matching(body, pretrained(options)) if options.weights else set()
    if options.initialisation == "xavier":
        xavier(body, skip=loaded)


def pretrained(options: Network) -> Weights:
    """Return the tensors that `network.weights` names; raises as `first_weights`."""
    if options.weights != "imagenet":
        return read_weights(Path(options.weights))
    if options.name != "resnet18":
        raise SettingError(f"network.weights=imagenet is for resnet18, not for {options.name}. Name a file instead.")
    from torchvision.models import ResNet18_Weights

    source = ResNet18_Weights.IMAGENET1K_V1
    try:
        # weights_only: a downloaded file may carry tensors, never code
        tensors: Weights = source.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except Exception as error:  # noqa: BLE001 - whatever the network, the cache or the file came up with
        cache = Path(torch.hub.get_dir()) / "checkpoints" / source.url.rpartition("/")[2]
        raise InputError(
            f"The ImageNet weights of ResNet-18 cannot be had ({type(error).__name__}). Put torchvision's file at "
            f"{cache}, or give one with --set network.weights=FILE.safetensors; or leave network.weights out."
        ) from None
    return {f"1.{name}": tensor for name, tensor in tensors.items()}  # 0 is the layer that repeats gray


def read_weights(path: Path) -> Weights:
    """Read tensors from a safetensors file; no other format is opened, since pickles can run code.

    Raises:
        InputError: the file is missing or is no safetensors file.
    """
    if path.suffix != ".safetensors" or not path.is_file():
        raise InputError(f"{path} is no weights file. Give an existing .safetensors file with --set network.weights=.")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} holds no readable weights ({error}). Give another .safetensors file.") from None


def load_matching(body: nn.Module, tensors: Weights) -> set[str]:
    """Copy every tensor whose name and shape the network has; return the names that were loaded.

    Names may come with the prefix that `model.safetensors` of a run has.

    Raises:
        InputError: not one tensor fits.
    """
    tensors = {name.removeprefix("body."): tensor for name, tensor in tensors.items()}
    mine = body.state_dict()
    fitting = {name: value for name, value in tensors.items() if name in mine and mine[name].shape == value.shape}
    if not any(name.endswith("weight") for name in fitting):
        raise InputError("The weights file is of another network: no layer fits. Choose the network it was made for.")
    body.load_state_dict(fitting, strict=False)
    return set(fitting)


@torch.no_grad()
def xavier(body: nn.Module, skip: set[str]) -> None:
    """Initialise in place: Glorot uniform for convolutions and linear layers, Normal(1, 0.01) for BN weights, biases 0.

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


def write_weights(network: nn.Module, path: Path) -> None:
    """Write a network's tensors as safetensors; raises TrainingError when the disk refuses."""
    content = serialize({name: value.contiguous() for name, value in network.state_dict().items()})
    with files.whole(path) as partial:
        partial.write_bytes(content)
