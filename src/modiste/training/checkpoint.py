"""Checkpoints: a state as one safetensors file, so that it is replaced in one move and is always whole."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from modiste.errors import InputError
from modiste.models import weights
from modiste.runs import files
from modiste.runs.metrics_file import EpochMetrics
from modiste.training.loop import State

FILE = "checkpoint.safetensors"


def save(state: State, folder: Path) -> None:
    """Replace the checkpoint in that folder; raises OutputError when the disk refuses, the old one then stays."""
    files.make_folder(folder)
    facts: dict[str, Any] = {
        "history": [asdict(row) for row in state.history],
        "step": state.step,
        "seconds": state.seconds,
    }
    tensors = weights.copied(_tensors(state))
    facts["sha256"] = _sha256(tensors)
    files.write_bytes(folder / FILE, serialize(tensors, metadata={"state": json.dumps(facts)}))


def load(state: State, folder: Path) -> None:
    """Put the checkpoint of that folder into a state that was made from the same recipe.

    Raises:
        InputError: there is no checkpoint, it is damaged, or it is of another network.
    """
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"{path} is missing, so there is nothing to go on from. Start a new run.")
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        _restore(state, facts, tensors)
    except (SafetensorError, OSError, KeyError, ValueError, IndexError, RuntimeError, TypeError) as error:
        raise InputError(
            f"{path} is damaged or of another network, so it cannot be gone on from. Start anew."
        ) from error


def _sha256(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(value.cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _tensors(state: State) -> dict[str, Tensor]:
    """Name every tensor of the state; loading takes them apart by the same names."""
    named = {f"network/{name}": value for name, value in state.network.state_dict().items()}
    named |= {f"best_weights/{name}": value for name, value in state.best_weights.items()}
    named |= {f"optimizer/{index}": velocity for index, velocity in enumerate(state.optimizer.velocities)}
    if state.average:
        named |= {f"average/{name}": value for name, value in state.average.state_dict().items()}
    return named | {"totals": state.totals, "losses": state.losses, "order": state.order}


def _restore(state: State, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    if facts["sha256"] != _sha256(tensors):
        raise ValueError("other bytes than were saved")
    device = next(state.network.parameters()).device
    state.network.load_state_dict(_part(tensors, "network/"))
    state.best_weights = {name: value.to(device) for name, value in _part(tensors, "best_weights/").items()}
    for index, velocity in enumerate(state.optimizer.velocities):
        velocity.copy_(tensors[f"optimizer/{index}"])  # which keeps the velocity's own layout in memory
    if state.average:
        state.average.load_state_dict(_part(tensors, "average/"))
    state.totals, state.order = tensors["totals"].to(device), tensors["order"].to(device)
    state.losses.copy_(tensors["losses"])
    state.history = [EpochMetrics(**row) for row in facts["history"]]
    state.step, state.seconds = int(facts["step"]), float(facts["seconds"])


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
