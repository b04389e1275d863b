"""Networks of timm and torchvision by their names there, as `timm:resnet18`: built offline, with random weights."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn, tensor

from modiste.errors import SettingError
from modiste.models.layers import gray_to_rgb
from modiste.recipes import settings
from modiste.recipes.config import ModelConfig
from modiste.recipes.ranges import FactoryOptions

LIBRARIES = ("timm", "torchvision")

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of all pretrained weights of torchvision

MODELS_WITH_AUXILIARY_LOGITS = ("googlenet", "inception_v3")


@dataclass(frozen=True, slots=True)
class LibraryModel:
    """A network of a library: `timm:resnet18` is the network `resnet18` of timm."""

    library: str
    name: str


def parse(options: ModelConfig) -> LibraryModel | None:
    """Return the network of a library that a recipe names; None for all other networks."""
    library, _, name = options.name.partition(":")
    return LibraryModel(library, name) if library in LIBRARIES and name else None


def build(model: LibraryModel, num_classes: int, channels: int, image_size: int, options: FactoryOptions) -> nn.Module:
    """Build a network of a library with the options of its factory.

    timm's networks get as many channels as the images have. torchvision's have three, over which gray images are
    repeated.

    Raises:
        SettingError: the library has no such network.
        ModuleNotFoundError: the library is not installed.
    """
    make = _build_timm if model.library == "timm" else _build_torchvision
    return make(model.name, num_classes, channels, image_size, {**options})


def normalization(model: LibraryModel, channels: int) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation, [channels], that the pretrained weights of a network expect."""
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    if model.library == "timm":
        from timm import get_pretrained_cfg

        config = get_pretrained_cfg(model.name)
        mean, std = (config.mean, config.std) if config else (mean, std)
    if channels == 1:  # one for all: the filters of the three channels are added up for gray images
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    return tensor(mean), tensor(std)


def _build_timm(name: str, num_classes: int, channels: int, image_size: int, options: dict[str, Any]) -> nn.Module:
    import timm

    if not timm.is_model(name.partition(".")[0]):
        raise _unknown("timm", name, timm.list_models())
    config = timm.get_pretrained_cfg(name)
    if config and config.fixed_input_size:  # of transformers, whose position embeddings have the size of the images
        options = {"img_size": image_size} | options
    return timm.create_model(name, pretrained=False, num_classes=num_classes, in_chans=channels, **options)


def _build_torchvision(
    name: str, num_classes: int, channels: int, image_size: int, options: dict[str, Any]
) -> nn.Module:
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        raise _unknown("torchvision", name, names)
    if name.startswith("vit_"):
        options = {"image_size": image_size} | options
    if name in MODELS_WITH_AUXILIARY_LOGITS:
        options = {"aux_logits": False, "init_weights": True} | options
    network: nn.Module = models.get_model(name, weights=None, num_classes=num_classes, **options)
    return gray_to_rgb(network)


def _unknown(library: str, name: str, names: list[str]) -> SettingError:
    suggestion = settings.suggest(name, names)
    advice = suggestion if suggestion.startswith("Did") else f"Its documentation lists {len(names)} names."
    return SettingError(f"{library} has no network {name!r}. {advice}")
