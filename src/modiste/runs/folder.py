"""The run folder: one recipe, one seed, everything that came of it. This file knows its names."""

import os
from dataclasses import dataclass
from pathlib import Path

from modiste.errors import InputError
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.runs import files
from modiste.runs.lock import NAME as LOCK_NAME
from modiste.runs.lock import lock


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder by its path; each property is the path of one of its files."""

    path: Path

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.resolve().name

    @property
    def recipe_file(self) -> Path:
        """The complete recipe: a valid input to `train`."""
        return self.path / "recipe.json"

    @property
    def environment(self) -> Path:
        """Versions, processor, commit, hashes of data and splits."""
        return self.path / "environment.json"

    @property
    def metrics(self) -> Path:
        """A row an epoch."""
        return self.path / "metrics.csv"

    @property
    def last(self) -> Path:
        """The folder of the checkpoint."""
        return self.path / "last"

    @property
    def weights(self) -> Path:
        """The weights that count, as safetensors."""
        return self.path / "model.safetensors"

    @property
    def model(self) -> Path:
        """The model that is judged and used: ONNX, with its preparation."""
        return self.path / "model.onnx"

    @property
    def layers(self) -> Path:
        """The layers of the network in order of execution: class, output shape and parameters of each."""
        return self.path / "layers.json"

    @property
    def curves(self) -> Path:
        """Loss and accuracy over the epochs, as a picture."""
        return self.path / "curves.png"

    @property
    def events(self) -> Path:
        """The folder of TensorBoard events; there when they were asked for."""
        return self.path / "events"

    @property
    def card(self) -> Path:
        """The model card."""
        return self.path / "README.md"

    @property
    def scores(self) -> Path:
        """What `evaluate` found, by split."""
        return self.path / "scores.json"

    @property
    def probabilities(self) -> Path:
        """The probabilities that the scores were made from."""
        return self.path / "probabilities.npz"

    @property
    def confusion(self) -> Path:
        """The confusion matrix, as a picture."""
        return self.path / "confusion.png"

    @property
    def mistakes(self) -> Path:
        """The worst mistakes, as a picture."""
        return self.path / "mistakes.png"

    @property
    def finished_marker(self) -> Path:
        """The empty file that `train` writes last."""
        return self.path / "finished"

    @property
    def finished(self) -> bool:
        """Whether the training has ended and every file of it is written."""
        return self.finished_marker.is_file()

    def recipe(self) -> Recipe:
        """Read the recipe; raises InputError or SettingError when it is not one."""
        return settings.read(self.recipe_file)


def require_new(path: Path) -> None:
    """Raise an InputError when there is something at that path already; an empty folder is nothing."""
    if os.path.lexists(path) and not _is_empty(path):
        raise InputError(
            f"{path} exists already and is not overwritten. Choose another --name, go on with --resume {path}, "
            "or remove it."
        )


def _is_empty(path: Path) -> bool:
    """Whether it is a folder that holds nothing but what `create` leaves when it is killed."""
    leftovers = {LOCK_NAME, Run(path).recipe_file.name + files.PARTIAL}
    return path.is_dir() and {file.name for file in path.iterdir()} <= leftovers


def create(path: Path, recipe: Recipe) -> Run:
    """Make a new run folder that holds the recipe.

    Raises:
        InputError: there is something at that path already.
        OutputError: the folder cannot be made or written to.
    """
    require_new(path)
    files.make_folder(path)
    run = Run(path)
    with lock(path, timeout=60):
        require_new(path)  # once more: of two processes that create it at a time, one gets here second
        files.write_text(run.recipe_file, settings.to_json(recipe))
    return run


def require_model(run: Run) -> None:
    """Raise an InputError when a run has no model; it says why, and what to do."""
    if run.model.is_file():
        return
    why = "its weights were dropped" if run.finished else "it was not finished"
    next_step = f"modiste train {run.recipe_file} --name NEW" if run.finished else f"modiste train --resume {run.path}"
    raise InputError(f"{run.path} has no model.onnx: {why}. To get one: {next_step}")


def open_run(path: Path) -> Run:
    """Return the run in that folder.

    Raises:
        InputError: there is no run there.
    """
    run = Run(path)
    if not run.recipe_file.is_file():
        raise InputError(f"{path} is no run folder: it has no recipe.json. Give a folder that `modiste train` made.")
    return run
