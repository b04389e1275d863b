"""A training as a run folder: what `modiste train` does."""

import hashlib
import logging
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from modiste.data import sources
from modiste.data.verify import count_images, count_warnings
from modiste.errors import InputError, ModisteError, SettingError, Stopped, TrainingError
from modiste.export import onnx_file
from modiste.models import networks
from modiste.recipes import factories, settings
from modiste.recipes.recipe import Recipe
from modiste.runs import environment, files, folder, metrics_file, run_info
from modiste.runs.folder import Run
from modiste.runs.lock import lock
from modiste.training import checkpoint, compute, linear_probe, loggers
from modiste.training.build import Training, build_training
from modiste.training.finish import finish
from modiste.training.loggers import LoggerName
from modiste.training.loop import ProgressCallback, State, train
from modiste.training.signals import stop_request
from modiste.training.step import NotANumber

log = logging.getLogger(__name__)


def start(recipe: Recipe, path: Path, progress: ProgressCallback, logger_names: Collection[LoggerName] = ()) -> Run:
    """Train a recipe into a new run folder, with additional loggers if wanted.

    Raises:
        ModisteError: bad data, settings or weights or a path in use, before anything is written; or as `resume`.
    """
    folder.require_unused(path)
    loggers.require(logger_names)
    training = build_training(recipe)
    if networks.is_custom(recipe.model):
        onnx_file.require_exportable(training.state.network, recipe)  # now, not after hours of training
    data = training.data.train
    for warning in count_warnings(count_images(training.data.class_names, data.labels, data.candidate_labels)):
        log.warning("warning: %s", warning)  # on stderr, unless a program that trains configures logging
    run = folder.create(path, recipe)
    with lock(run.path):
        files.write_json(run.environment, _environment(training))
        loggers.start(run, logger_names)
        _train(training, run, progress)
    return run


def extend(
    path: Path,
    epochs: int,
    new_path: Path,
    progress: ProgressCallback,
    data_source: str = "",
) -> Run:
    """Train a finished run on to more epochs, as a new run that records which one it continues.

    The new run begins with the weights, the state of the optimizer, the metrics and the loggers of the finished one,
    which is not changed. Its schedule is that of all its epochs, so the learning rate may rise again; the patience of
    early stopping is counted from where it begins.

    Raises:
        InputError: there is no such run, it is not finished, has that many epochs already, or has no checkpoint; its
            data has changed; or the new path is in use.
        ModisteError: as `resume`.
    """
    old = folder.open_run(path)
    folder.require_unused(new_path)
    logger_names = loggers.names_of(old)
    loggers.require(logger_names)
    if not old.finished:
        raise InputError(f"{path} is not finished. Resume it first, without --epochs: modiste train --resume {path}")
    recipe = _recipe_of(old, data_source, epochs)
    done = len(metrics_file.read(old.metrics))
    if epochs <= done:
        raise InputError(f"{path} has {done} epochs already. Give more with --epochs, as {2 * done}.")
    precision = run_info.read(old).precision
    training = build_training(recipe, initialize=False, precision=precision, continued_epochs=done)
    _require_same_data(training, old)
    checkpoint.load(training.state, old.last)
    sha256 = hashlib.sha256((old.last / checkpoint.FILE).read_bytes()).hexdigest()
    record = {"run": old.name, "epochs": done, "checkpoint_sha256": sha256}

    def write_state(run: Run) -> None:
        checkpoint.save(training.state, run.last)
        metrics_file.write(run.metrics, training.state.history)
        files.write_json(run.environment, {**_environment(training), "continued_from": record})

    run = folder.create(new_path, recipe, write_state)
    with lock(run.path):
        loggers.start(run, logger_names)
        for metrics in training.state.history:
            loggers.append(run, metrics)
        _train(training, run, progress)
    return run


def extended_name(name: str, epochs: int) -> str:
    """Return a name for a run that continues the one of that name: `my-cnn` is `my-cnn-80-epochs`."""
    return f"{re.sub(r'-[0-9]+-epochs$', '', name)}-{epochs}-epochs"


def resume(path: Path, progress: ProgressCallback, data_source: str = "") -> Run:
    """Resume a run from its last checkpoint, by its own recipe; `data_source` is where its data was moved, if it was.

    Raises:
        InputError: there is no run, it is finished or in use, or its data has changed.
        TrainingError: a loss is not a number.
        OutputError: the run cannot be written to.
        Stopped: by a signal; the run can be resumed again.
    """
    run = folder.open_run(path)
    with lock(run.path):
        files.remove_partials(run.path)
        if run.finished:
            raise InputError(f"{path} is finished. Train under a new --name, or evaluate it: modiste evaluate {path}")
        has_checkpoint = (run.last / checkpoint.FILE).exists()
        if run.metrics.exists() and not has_checkpoint:
            raise InputError(
                f"{path} has no checkpoint to resume from. Start a new run: modiste train {run.recipe_file} --name NEW"
            )
        recipe, info = _recipe_of(run, data_source), run_info.read(run)
        training = build_training(recipe, not has_checkpoint, info.precision, info.continued_epochs)
        _require_same_data(training, run)
        if data_source:
            files.write_text(run.recipe_file, settings.to_json(recipe))
        if has_checkpoint:
            checkpoint.load(training.state, run.last)
        _train(training, run, progress)
    return run


def _recipe_of(run: Run, data_source: str, epochs: int = 0) -> Recipe:
    """Return the recipe of a run, with the folder to which its data was moved and the number of epochs where given."""
    changes: dict[str, Any] = {"data.source": data_source} if data_source else {}
    changes |= {"schedule.epochs": epochs} if epochs else {}
    recipe = settings.with_settings(run.recipe(), changes)
    return settings.with_absolute_paths(recipe) if data_source else recipe


def _train(training: Training, run: Run, progress: ProgressCallback) -> None:
    """Train until the end or until a signal stops it, then write the files of a finished run."""
    loop = training.batches, training.step, training.schedule, training.validator
    method = linear_probe.train if training.recipe.optimizer.name == "lbfgs" else train

    def save(state: State) -> None:
        checkpoint.save(state, run.last)
        metrics_file.write(run.metrics, state.history)
        if state.history and not state.step:
            loggers.append(run, state.history[-1])

    with stop_request() as stop:
        try:
            if training.recipe.model.head_init == "linear_probe" and not training.state.has_started:
                linear_probe.initialize_head(training.state, training.batches, training.step, progress, stop)
            if not stop():
                method(training.state, *loop, save, progress, stop)
        except torch.OutOfMemoryError:
            raise TrainingError("The device has too little memory. Lower optimizer.batch_size in a new run.") from None
        except NotANumber as error:
            raise _describe_broken_step(error, training, run) from None
        except Exception as error:
            if isinstance(error, ModisteError) or not factories.find_place(error):
                raise
            raise SettingError(
                f"Your own code fails in training: {factories.describe(error)}. Correct it, then resume with: modiste "
                f"train --resume {run.path}"
            ) from error
    if stop():
        raise Stopped(stop.signal_number, f"Stopped. Resume with: modiste train --resume {run.path}")
    finish(training, run)
    loggers.finish(run)


def _describe_broken_step(error: NotANumber, training: Training, run: Run) -> NotANumber:
    """Write the images of the step that failed to broken-step.json; return an error that names the file."""
    state, batches = training.state, training.batches
    epoch, step = len(state.history), min(state.step, batches.steps(state.order) - 1)
    path = run.path / "broken-step.json"
    indices = batches.indices(state.order, step).tolist()
    files.write_json(path, {"epoch": epoch + 1, "step": step + 1, "images": indices})
    last_epoch = f"Epoch {epoch} is saved. " if epoch else ""
    return NotANumber(
        f"In epoch {epoch + 1}, step {step + 1}, {error}. {last_epoch}Lower optimizer.lr, or look at the "
        f"images whose indices are in {path}."
    )


def _environment(training: Training) -> dict[str, Any]:
    """Describe machine, versions and data for environment.json."""
    device = training.batches.images.device
    return {
        **environment.describe(),
        **compute.describe(device, training.step.precision),
        "precision_setting": training.recipe.compute.precision,
        "parameters": networks.count_parameters(training.state.network),
        "data": {
            "source": sources.dataset_name(training.recipe.data),
            **_data_hashes(training),
            "validation_images_sha256": training.data.validation.images_sha256(),
        },
    }


def _data_hashes(training: Training) -> dict[str, Any]:
    """Return what identifies the images and teachers of a training, wherever they are."""
    data, teachers = training.data, training.step.teachers
    return {
        "sha256": sources.sha256(training.recipe.data),
        "train": {"n": len(data.train), "sha256": data.train.sha256()},
        "validation": {"n": len(data.validation), "sha256": data.validation.sha256()},
        **({"teachers": list(teachers.records)} if teachers else {}),
    }


def _require_same_data(training: Training, run: Run) -> None:
    """Raise an InputError for other images or teachers than those that the run was started with."""
    if not run.environment.exists():  # stopped before anything was trained
        files.write_json(run.environment, _environment(training))
        return
    recorded, current = files.read_json(run.environment).get("data", {}), _data_hashes(training)
    if recorded.get("teachers") != current.get("teachers"):
        names = ", ".join(training.recipe.distillation.teachers)
        raise InputError(
            f"The teachers of {run.path} ({names}) are not those that it was started with. Restore them, or train "
            "under a new --name."
        )
    if any(recorded.get(key) != value for key, value in current.items()):
        raise InputError(
            f"The data of {run.path} has changed since it was started. Restore it, name the folder to which it was "
            "moved with --data, or train under a new --name."
        )
