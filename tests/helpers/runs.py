"""Tiny finished runs and results files for tests, like those of `modiste train` and `modiste bench`."""

from collections.abc import Mapping, Sequence
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
    """A model of the images of `write_idx_folder` that never predicts the first `blind` classes."""
    weights = np.zeros((28, 28, 10), np.float32)
    weights[:, :, :blind] = 0.001  # pixels are centered and mostly dark, so these logits are low
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
    dataset: str = "",
) -> Run:
    """Write a finished run that is not evaluated.

    Args:
        path: run folder; must not exist.
        recipe: default: classic-cnn.
        data: IDX folder of the recipe; default: a tiny one beside the run.
        losses: validation loss of each epoch.
        blind: number of classes that the model never predicts.
        dataset: name of the data that the training recorded; default: the path of the folder.
    """
    data = data or write_idx_folder(path.parent / "data")
    recipe = recipe or named.classic_cnn()
    recipe = replace(recipe, data=replace(recipe.data, source=str(data.resolve())))
    run = folder.create(path, recipe)
    metrics_file.write(run.metrics, rows(losses, held_out=recipe.data.val_fraction > 0))
    splits = {"source": dataset or str(data), "train": {"n": 80}, "validation": {"n": 20}}
    files.write_json(
        run.environment,
        {"commit": "", "hardware": "a test", "versions": {}, "device": "cpu", "threads": 1, "precision": "fp32",
         "parameters": 7840, "data": splits},
    )  # fmt: skip
    run.model.write_bytes(bright_row_model(recipe, blind))
    run.finished_marker.touch()
    return run


def write_results(
    path: Path,
    accuracies: Sequence[float] = (0.93, 0.931),
    recipe: Recipe | None = None,
    loss: float | Sequence[float] = 0.2,
    split: str = "test",
) -> Path:
    """Write a results file of trainings with these accuracies, as `modiste bench` does; returns its path."""
    recipe = recipe or named.classic_cnn()
    losses = [loss] * len(accuracies) if isinstance(loss, float) else loss
    records = [
        {"seed": seed, "fold": seed * (split == "validation"), "accuracy": accuracy, "loss": losses[seed],
         "images": 10_000, "seconds": 600.0, "epochs": 20, "parameters": 16_842_506}
        for seed, accuracy in enumerate(accuracies)
    ]  # fmt: skip
    shared = {key: value for key, value in settings.to_settings(recipe).items() if key != "seed"}
    results.write(path, recipe=path.stem, command="modiste bench", runs=records, settings=shared, split=split)
    return path


def write_ablation(path: Path, rows: Mapping[str, tuple[list[str], float]], base: Recipe | None = None) -> Path:
    """Write the results file of an ablation with two seeds, as `modiste ablate` does; returns its path.

    Args:
        path: of the file.
        rows: changed settings, and the validation loss after the first epoch, by the row's name; `unchanged` first.
        base: default: classic-cnn.
    """
    records = [
        {"recipe": name, "seed": seed, "fold": 0, "accuracy": 0.9 - loss / 100, "loss": loss, "images": 10_000,
         "seconds": 6.0, "epochs": 2, "best_epoch": 2, "parameters": 9, "train_losses": [1.0, 0.5],
         "val_losses": [loss * (1 + seed / 100), 0.4 + seed / 100]}
        for name, (_, loss) in rows.items() for seed in (0, 1)
    ]  # fmt: skip
    tricks = [
        {"recipe": name, "settings": changes, "n": 2, "difference": 0.01, "difference_interval": [0.001, 0.02]}
        for name, (changes, _) in rows.items()
    ]
    base_settings = settings.to_settings(base or named.classic_cnn())
    parts = {"split": "test", "base": base_settings, "tricks": tricks}
    results.write(path, recipe=path.stem, command="modiste ablate", runs=records, **parts)
    return path
