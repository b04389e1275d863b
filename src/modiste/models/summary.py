"""The layers of a network: what each is, what it returns and how many parameters it has."""

from typing import Any

import torch
from torch import Tensor, nn

from modiste.models.normalized import NormalizedModel


@torch.no_grad()
def summarize_layers(network: NormalizedModel, image: Tensor) -> list[dict[str, Any]]:
    """List the layers of a network in the order of their execution on an image, uint8 [s, s] or [s, s, 3].

    A layer is a module without children. A module with children is listed too where it has parameters that no child
    counts, so that the counts add up to those of the network. Parameters that layers share count once.

    Returns:
        For each layer `layer`, as `Conv2d 5 x 5, padding 2`; `output_shape` for one image; `parameters`, the trainable.
    """
    rows: list[tuple[nn.Module, dict[str, Any]]] = []
    counted: set[nn.Parameter] = set()

    def begin(module: nn.Module, _: object) -> None:
        rows.append((module, {"layer": describe_layer(module), "output_shape": [], "parameters": 0}))

    def end(module: nn.Module, _: object, output: object) -> None:
        row = next(row for other, row in reversed(rows) if other is module)
        row["output_shape"] = list(output.shape[1:]) if isinstance(output, Tensor) else []
        own = set(module.parameters()) - counted
        row["parameters"] = sum(parameter.numel() for parameter in own if parameter.requires_grad)
        counted.update(own)

    hooks = [module.register_forward_pre_hook(begin) for module in network.modules()]
    hooks += [module.register_forward_hook(end) for module in network.modules()]
    try:
        network.eval()(image[None])
    finally:
        for hook in hooks:
            hook.remove()
    layers = {
        module for module in network.modules() if not [*module.children()] and not isinstance(module, nn.Identity)
    }
    return [row for module, row in rows if row["parameters"] or module in layers]


def describe_layer(module: nn.Module) -> str:
    """Return the class of a layer; of convolutions and pooling with the settings that differ from the usual."""
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d):
        return type(module).__name__
    kind, usual = ("Conv2d", 1) if isinstance(module, nn.Conv2d) else ("MaxPool2d", module.kernel_size)
    settings = {"stride": usual, "padding": 0, "groups": 1}
    texts = {key: _pair(getattr(module, key, default)) for key, default in settings.items()}
    different = [f"{key} {text}" for key, text in texts.items() if text != _pair(settings[key])]
    return ", ".join([f"{kind} {_pair(module.kernel_size, both=True)}", *different])


def _pair(value: Any, both: bool = False) -> str:
    """Write a size: 2 for [2, 2] unless both are wanted."""
    first, second = value if isinstance(value, tuple) else (value, value)
    return str(first) if first == second and not both else f"{first} x {second}"
