"""Tiny finished runs for tests, as `modiste train` leaves them, with an ONNX model of two thousand numbers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from helpers.idx import write_idx_folder
from helpers.models import tiny_model
from modiste.labels import FASHION_MNIST
from modiste.recipes import named, settings
from modiste.recipes.recipe import Recipe
from modiste.runs import files, folder, metrics_file, results
from modiste.runs.folder import Run
from modiste.runs.metrics_file import EpochMetrics


def rows(losses: Sequence[float], held_out: bool = True) -> list[EpochMetrics]:
    """Epochs with these validation losses and falling train losses."""
    return [
        EpochMetrics(e, 0.8 / e, 1 - 0.4 / e, loss if held_out else None, 1 - loss / 4 if held_out else None, 0.01, 2.0)
        for e, loss in enumerate(losses, start=1)
    ]


def bright_row_model(recipe: Recipe, blind: int = 0) -> bytes:
    """A model that finds the bright row of `write_idx_folder`'s images; the first `blind` labels it does not know."""
    weights = np.zeros((28, 28, 10), np.float32)
    weights[:, :, :blind] = 0.001  # pixels are centered and mostly dark, so these always lose
    for label in range(blind, 10):
        weights[label, :, label] = 0.01
    metadata = {"recipe": settings.to_json(recipe)}
    return tiny_model(FASHION_MNIST, weights=weights.reshape(784, 10), metadata=metadata)


def write_run(
    path: Path,
    recipe: Recipe | None = None,
    data: Path | None = None,
    losses: Sequence[float] = (0.6, 0.4, 0.5),
    blind: int = 0,
) -> Run:
    """Write a finished run that nobody has judged.

    Args:
        path: of the run; must not exist.
        recipe: left out: classic-cnn.
        data: IDX folder of the recipe; left out: a tiny one beside the run.
        losses: validation loss of each epoch.
        blind: labels that the model does not know.
    """
    data = data or write_idx_folder(path.parent / "data")
    made = recipe or named.classic_cnn()
    made = replace(made, data=replace(made.data, source=str(data.resolve())))
    run = folder.create(path, made)
    metrics_file.write(run.metrics, rows(losses, held_out=made.data.val_fraction > 0))
    splits = {"source": str(data), "train": {"n": 80}, "validation": {"n": 20}}
    files.write_json(
        run.environment,
        {"commit": "", "hardware": "a test", "versions": {}, "device": "cpu", "threads": 1, "precision": "fp32",
         "parameters": 7840, "data": splits},
    )  # fmt: skip
    run.model.write_bytes(bright_row_model(made, blind))
    run.finished_marker.touch()
    return run


def write_results(
    path: Path,
    accuracies: Sequence[float] = (0.93, 0.931),
    recipe: Recipe | None = None,
    loss: float = 0.2,
    split: str = "test",
) -> Path:
    """Write a results file of trainings with these accuracies, as `modiste bench` does; returns its path."""
    made = recipe or named.classic_cnn()
    records = [
        {"seed": seed, "fold": 0, "accuracy": accuracy, "loss": loss, "images": 10_000,
         "seconds": 600.0, "epochs": 20, "parameters": 16_842_506}
        for seed, accuracy in enumerate(accuracies)
    ]  # fmt: skip
    shared = {key: value for key, value in settings.to_settings(made).items() if key != "seed"}
    results.write(path, recipe=path.stem, command="modiste bench", runs=records, settings=shared, split=split)
    return path
