"""An optimizer of the user's own: any torch.optim.Optimizer, whose state is saved in checkpoints."""

import copy
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from modiste.errors import SettingError
from modiste.recipes import factories
from modiste.recipes.config import OptimizerConfig
from modiste.training.optimizer import is_vector, lr_multiples, trained_parameters

CONTRACT = (
    "An optimizer's factory takes the parameter groups, and lr and optimizer.options by keyword, and returns a "
    "torch.optim.Optimizer whose step() needs no closure and whose state is tensors and JSON values."
)


@dataclass(frozen=True, slots=True)
class OwnOptimizer:
    """Updates the parameters of a network by PyTorch's interface, each group at its multiple of the learning rate."""

    optimizer: torch.optim.Optimizer
    lr_mults: list[float]

    def zero_grad(self) -> None:
        """Remove all gradients."""
        self.optimizer.zero_grad()

    def step(self, lr: float) -> None:
        """Update every parameter that has a gradient, at `lr` times the multiple of its group."""
        for group, lr_mult in zip(self.optimizer.param_groups, self.lr_mults, strict=True):
            group["lr"] = lr * lr_mult
        self.optimizer.step()

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the state by parameter and name, and all other values as JSON in bytes."""
        content = self.optimizer.state_dict()
        tensors: dict[str, Tensor] = {}
        values = defaultdict[str, dict[str, Any]](dict)
        for index, values_by_name in content["state"].items():
            for name, value in values_by_name.items():
                if isinstance(value, Tensor):
                    tensors[f"{index}/{name}"] = value
                else:
                    values[str(index)][name] = value
        groups = [
            {name: value for name, value in group.items() if name != "params"} for group in content["param_groups"]
        ]
        text = json.dumps({"state": values, "groups": groups})
        return tensors | {"json": torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)}

    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Load what `state_tensors` returned."""
        content = json.loads(tensors["json"].numpy().tobytes())
        state = defaultdict[int, dict[str, Any]](dict, {int(index): each for index, each in content["state"].items()})
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for key, value in tensors.items():
            index, _, name = key.partition("/")
            if name:
                state[int(index)][name] = _with_layout(value, parameters[int(index)])
        groups = self.optimizer.state_dict()["param_groups"]
        for group, saved in zip(groups, content["groups"], strict=True):
            for name, value in saved.items():
                group[name] = tuple(value) if isinstance(group.get(name), tuple) else value
        self.optimizer.load_state_dict({"state": dict(state), "param_groups": groups})


def _with_layout(value: Tensor, parameter: Tensor) -> Tensor:
    """Return a tensor of a parameter's shape in the parameter's layout in memory, which fused updates rely on."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def create_optimizer(options: OptimizerConfig, network: nn.Module, precision: torch.dtype) -> OwnOptimizer:
    """Return the optimizer that the factory of a recipe makes; raise a SettingError if it fails.

    It is first tried on a copy of the network, so that it fails now and not in the first step or checkpoint.
    Parameters and gradients are float32 in any `precision`, which is that of the forward pass.
    """
    factory = factories.find("optimizer.name", options.name)
    with factories.explained("optimizer.name", options.name, CONTRACT, factory):
        trial = copy.deepcopy(network)
        optimizer = _create(factory, options, trial)
        for parameter in trained_parameters(trial):
            parameter.grad = torch.full_like(parameter, 1e-3)
        optimizer.step(options.lr)
        optimizer.state_tensors()
        return _create(factory, options, network)


def _create(factory: factories.Factory, options: OptimizerConfig, network: nn.Module) -> OwnOptimizer:
    groups = defaultdict[tuple[float, bool], list[nn.Parameter]](list)
    for parameter, lr_mult in zip(trained_parameters(network), lr_multiples(options, network), strict=True):
        groups[lr_mult, is_vector(parameter)].append(parameter)
    optimizer = factory(
        [
            {"params": parameters, "lr": options.lr * lr_mult} | _weight_decay(options, is_exempt)
            for (lr_mult, is_exempt), parameters in groups.items()
        ],
        lr=options.lr,
        **options.options,
    )
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise SettingError(
            f"optimizer.name is {options.name!r}, which returns a {type(optimizer).__name__}. {CONTRACT}"
        )
    return OwnOptimizer(optimizer, [lr_mult for lr_mult, _ in groups])


def _weight_decay(options: OptimizerConfig, is_exempt: bool) -> dict[str, float]:
    """Return the weight decay of a parameter group; none where it is left to the factory and its options."""
    return {"weight_decay": 0.0 if is_exempt else options.weight_decay} if options.weight_decay else {}
