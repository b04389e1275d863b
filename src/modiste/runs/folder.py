"""The run folder: its files, and how it is created and opened."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modiste.errors import InputError, SettingError
from modiste.recipes import settings
from modiste.recipes.recipe import Recipe
from modiste.runs import files
from modiste.runs.lock import NAME as LOCK_NAME
from modiste.runs.lock import lock

CHECKPOINT = "checkpoint.safetensors"
"""The file of the checkpoint, in its folder."""


class _File:
    """The path of a file in a run folder, as an attribute of `Run`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, run: "Run", owner: type["Run"]) -> Path:
        return run.path / self.name


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder: one recipe, one seed, and all that the training and the evaluation wrote."""

    path: Path

    recipe_file = _File("recipe.json")  # the complete recipe, which `train` takes as input
    environment = _File("environment.json")  # versions, processor, commit, precision, checksums of the images
    metrics = _File("metrics.csv")  # a row for each epoch
    last = _File("last")  # the folder of the checkpoint
    checkpoint = _File(f"last/{CHECKPOINT}")
    weights = _File("model.safetensors")  # of the best epoch
    layers = _File("layers.json")  # class, output shape and parameters of each layer, in order of execution
    model = _File("model.onnx")  # the exported model, with its preprocessing
    curves = _File("curves.png")  # figure of loss and accuracy over the epochs
    events = _File("events")  # the folder of TensorBoard events, with `train --tensorboard`
    mlflow = _File("mlflow.json")  # where it is in MLflow's database, with `train --mlflow`
    card = _File("README.md")  # the model card
    scores = _File("scores.json")  # of `evaluate`, by split, and how often the test split was opened
    probabilities = _File("probabilities.npz")  # of the images that were evaluated last
    confusion = _File("confusion.png")  # figure of the confusion matrix
    mistakes = _File("mistakes.png")  # contact sheet of the worst mistakes
    mistakes_table = _File("mistakes.csv")  # all mistakes, the most confident first
    mistakes_page = _File("mistakes.html")  # page of the mistakes, in which labels can be corrected
    broken_step = _File("broken-step.json")  # the images of the step in which a training failed
    finished_marker = _File("finished")  # written last, with the SHA-256 of the model, as `sha256sum` does

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.resolve().name

    @property
    def finished(self) -> bool:
        """Whether the training has ended and all its files are written."""
        return self.finished_marker.is_file()

    def recipe(self) -> Recipe:
        """Read the recipe; raises InputError or SettingError when it cannot be used."""
        return settings.read(self.recipe_file)


def named_path(name: str, setting: str = "name") -> Path:
    """Return the path of the run of that name in `runs`, or of an absolute path.

    Raises:
        SettingError: the name, or the absolute path, does not end in a name, or leads out of its folder.
    """
    if not Path(name).name or ".." in Path(name).parts:
        raise SettingError(
            f"{setting} is {name!r}, but it must be a name or an absolute path, without '..'. Give a plain name."
        )
    return Path("runs") / name


def require_unused(path: Path) -> None:
    """Raise an InputError if the path exists and is not an empty folder."""
    run = Run(path)
    if not os.path.lexists(path) or (path.is_dir() and all(map(_is_leftover, path.iterdir()))):
        return
    resume = f"resume it with modiste train --resume {path}, " if run.recipe_file.exists() and not run.finished else ""
    raise InputError(f"{path} exists already and is not overwritten. Choose another --name, {resume}or remove it.")


def _is_leftover(file: Path) -> bool:
    """Return whether a file in a run folder is of a `create` that was killed."""
    return file.name == LOCK_NAME or files.is_partial_of(file.name, Run(file.parent).recipe_file)


def create(path: Path, recipe: Recipe, write_state: Callable[[Run], None] | None = None) -> Run:
    """Make a new run folder that holds the recipe; raises as `require_unused`, and OutputError if it cannot be written.

    Of several processes that do so at once, one succeeds. `write_state` writes the files of a run that begins with the
    state of another; before the recipe, so that no run without them can be resumed.
    """
    require_unused(path)
    files.make_folder(path)
    run = Run(path)
    with lock(path, timeout=60):
        require_unused(path)  # once more: of two processes that create it at the same time, one gets here second
        if write_state:
            write_state(run)
        files.write_text(run.recipe_file, settings.to_json(recipe))
    return run


def finish(run: Run) -> None:
    """Mark a run as finished, and record the SHA-256 of its model."""
    files.write_text(run.finished_marker, f"{files.sha256(run.model)}  {run.model.name}\n")


def require_model(run: Run) -> Path:
    """Return the model of a run; raise an InputError that says why and what to do, if it has none or is damaged.

    A model is damaged if it is not the file whose SHA-256 the training recorded, as after an incomplete copy.
    """
    if run.model.is_file():
        try:
            recorded = files.read_text(run.finished_marker).split() if run.finished else []
        except (OSError, ValueError) as error:
            raise InputError(f"{run.finished_marker} cannot be read ({error}). Copy the run again.") from None
        if recorded and recorded[0] != files.sha256(run.model):
            raise InputError(
                f"{run.model} is damaged or was changed: it is not the file that the training wrote. Copy the run "
                f"again, or train again: modiste train {run.recipe_file} --name NEW"
            )
        return run.model
    why = "its weights were dropped" if run.finished else "it was not finished"
    next_step = f"modiste train {run.recipe_file} --name NEW" if run.finished else f"modiste train --resume {run.path}"
    raise InputError(f"{run.path} has no model.onnx: {why}. To get one: {next_step}")


def open_run(path: Path) -> Run:
    """Return the run in that folder; raises InputError when there is none."""
    run = Run(path)
    if not os.path.lexists(path):
        raise InputError(f"{path} does not exist. Give a folder that `modiste train` made, or its name in `runs`.")
    if not run.recipe_file.is_file():
        raise InputError(f"{path} is not a run folder: it has no recipe.json. Give a folder that `modiste train` made.")
    return run
