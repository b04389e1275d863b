"""Checkpoints: a state as one safetensors file, which is replaced in one move and so is always complete."""

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
from modiste.runs.folder import CHECKPOINT
from modiste.runs.metrics_file import EpochMetrics
from modiste.training.loop import State


def save(state: State, folder: Path) -> None:
    """Replace the checkpoint in a folder; raises OutputError when it cannot be written, and the old one stays."""
    files.make_own_folder(folder)
    tensors = weights.contiguous_copies(_tensors(state))
    metadata = {
        "history": [asdict(metrics) for metrics in state.history],
        "step": state.step,
        "seconds": state.seconds,
        "sha256": _sha256(tensors),
    }
    files.write_bytes(folder / CHECKPOINT, serialize(tensors, metadata={"state": json.dumps(metadata)}))


def load(state: State, folder: Path) -> None:
    """Load the checkpoint in a folder into a state that was made from the same recipe.

    Raises:
        InputError: the checkpoint is missing, damaged or for another network.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        raise InputError(f"{path} is missing, so the training cannot be resumed. Start a new run.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is not a dict
        _restore(state, metadata, tensors)
    except (SafetensorError, OSError, KeyError, ValueError, IndexError, RuntimeError, TypeError) as error:
        raise InputError(f"{path} is damaged or for another network. Start a new run.") from error


def _sha256(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(value.cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _tensors(state: State) -> dict[str, Tensor]:
    """Return every tensor of the state under the name that `_restore` expects."""
    tensors = {f"network/{name}": value for name, value in state.network.state_dict().items()}
    tensors |= {f"best_weights/{name}": value for name, value in state.best_weights.items()}
    tensors |= {f"optimizer/{name}": value for name, value in state.optimizer.state_tensors().items()}
    if state.ema:
        tensors |= {f"ema/{name}": value for name, value in state.ema.state_dict().items()}
    return tensors | {"totals": state.totals, "losses": state.losses, "order": state.order}


def _restore(state: State, metadata: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    if metadata["sha256"] != _sha256(tensors):
        raise ValueError("the tensors are not those that were saved")
    device = next(state.network.parameters()).device
    state.network.load_state_dict(_with_prefix(tensors, "network/"))
    state.best_weights = {name: value.to(device) for name, value in _with_prefix(tensors, "best_weights/").items()}
    state.optimizer.load_state_tensors(_with_prefix(tensors, "optimizer/"))
    if state.ema:
        state.ema.load_state_dict(_with_prefix(tensors, "ema/"))
    state.totals, state.order = tensors["totals"].to(device), tensors["order"].to(device)
    state.losses.copy_(tensors["losses"])
    state.history = [EpochMetrics(**metrics) for metrics in metadata["history"]]
    state.step, state.seconds = int(metadata["step"]), float(metadata["seconds"])


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
