"""The public API in Python: what the commands do, as functions of `modiste`.

Where a run is expected, it is a `Run`, the path of its folder, or its name in the folder `runs`.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modiste.inference import bundled_files
from modiste.recipes import named, settings
from modiste.recipes.recipe import Recipe
from modiste.runs import folder
from modiste.runs.folder import Run

if TYPE_CHECKING:
    from modiste.inference.model import Predictor
    from modiste.metrics.scores import Scores
    from modiste.reporting.comparison import ComparedMethods
    from modiste.training.loggers import LoggerName
    from modiste.training.loop import ProgressCallback

RunLike = Run | str | Path


def recipe(name_or_file: str | Path, **changes: Any) -> Recipe:
    """Return the recipe of that name, or of that file, with changed settings.

    Args:
        name_or_file: as `modiste train` takes it.
        changes: settings, those of a section as a dictionary: `seed=1, optimizer={"lr": 0.2}`. A section may also have
            its name alone: `model="resnet18"`.

    Raises:
        SettingError: there is no such recipe or setting, or a value is not allowed.
        InputError: the file cannot be read or does not hold a recipe.
    """
    return settings.with_settings(named.resolve(str(name_or_file)), settings.flatten(changes))


def train(
    recipe: Recipe | str,
    data: str | Path | None = None,
    name: str | None = None,
    *,
    loggers: "Collection[LoggerName]" = (),
    progress: "ProgressCallback | None" = None,
) -> Run:
    """Train a recipe into a new run folder, with a progress bar on a terminal and in a notebook.

    The weights are bit-identical to those of `modiste train` with the same recipe, data and number of threads.

    Args:
        recipe: a recipe, or the name or the file of one.
        data: folder of the data; None: that of the recipe, which is the bundled Fashion-MNIST if it names none.
        name: of the run in `runs`, or an absolute path; None: RECIPE-SEED.
        loggers: "tensorboard" and "mlflow", beside metrics.csv.
        progress: receives the progress in place of the bar.

    Raises:
        ModisteError: bad data, settings, weights or names, before anything is written; or as `training.run.resume`.
    """
    from modiste.training import run as training
    from modiste.training.progress import TrainingProgress

    chosen = recipe if isinstance(recipe, Recipe) else named.resolve(recipe)
    if data is not None:
        chosen = replace(chosen, data=replace(chosen.data, source=str(data)))
    chosen = settings.with_absolute_paths(chosen)
    path = folder.named_path(f"{chosen.name}-{chosen.seed}" if name is None else name)
    if progress is not None:
        return training.start(chosen, path, progress, loggers)
    with TrainingProgress(chosen.schedule.epochs) as bar:
        return training.start(chosen, path, bar, loggers)


def evaluate(target: RunLike, split: str = "test", data: str | Path | None = None) -> "Scores":
    """Score a run, a model file or a file of probabilities, as `modiste evaluate` does.

    Args:
        target: a run, an .onnx file of modiste, the name of a bundled model, or an .npz or .csv of probabilities.
        split: test or validation.
        data: folder of other data than that of the recipe.

    Raises:
        ModisteError: as `reporting.evaluate.evaluate`.
    """
    from modiste.reporting.evaluate import evaluate as evaluate_path

    return evaluate_path(_find_path(target), split, None if data is None else str(data))


def compare(runs: Iterable[RunLike], out: str | Path | None = None) -> "ComparedMethods":
    """Compare runs, results files and files of predictions, and plot the comparison into the folder `out`.

    Raises:
        InputError: there is no such run or file.
        OutputError: the folder cannot be written to.
    """
    from modiste.reporting.comparison import compare as compare_paths

    return compare_paths([*map(_find_path, runs)], None if out is None else Path(out))


def load(model: RunLike | bytes | None = None, threads: int = 0) -> "Predictor":
    """Load a model, whose `predict` takes paths, arrays, Pillow images, bytes and open files.

    It can be pickled, and used in processes that are forked or spawned.

    Args:
        model: a run, an .onnx file of modiste or its content, or the name of a bundled model; None: the bundled models,
            one of which is selected for each photo.
        threads: CPU threads; 0 is one per core.

    Raises:
        InputError: there is no such model, or it cannot be used.
    """
    from modiste import inference

    if isinstance(model, Run | str | Path) and (path := _find_path(model)).is_dir():
        return inference.load(folder.require_model(folder.open_run(path)), threads)
    return inference.load(model.path if isinstance(model, Run) else model, threads)


def _find_path(target: RunLike) -> Path:
    """Return the path of a run or file."""
    return target.path if isinstance(target, Run) else bundled_files.find_path(target)
