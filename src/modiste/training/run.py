"""A training as a run folder: what `modiste train` does, in one process or in several, of which the first writes."""

import logging
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from signal import SIGTERM
from typing import Any

import torch

from modiste.data.verify import class_size_warnings, count_by_class
from modiste.errors import InputError, ModisteError, SettingError, Stopped, TrainingError
from modiste.export import onnx_file
from modiste.models import networks
from modiste.recipes import factories, settings
from modiste.recipes.recipe import Recipe
from modiste.runs import files, folder, metrics_file, run_info
from modiste.runs.folder import Run
from modiste.runs.lock import lock
from modiste.training import checkpoint, linear_probe, loggers, ranks, run_environment
from modiste.training.build import Training, build_training
from modiste.training.finish import finish
from modiste.training.loggers import LoggerName
from modiste.training.loop import ProgressCallback, State, train
from modiste.training.ranks import Ranks
from modiste.training.signals import StopRequest, stop_request
from modiste.training.step import NotANumber

log = logging.getLogger(__name__)


def start(recipe: Recipe, path: Path, progress: ProgressCallback, logger_names: Collection[LoggerName] = ()) -> Run:
    """Train a recipe into a new run folder, with additional loggers if wanted.

    Raises:
        ModisteError: bad data, settings or weights or a path in use, before anything is written; or as `resume`.
    """
    with ranks.join(recipe.compute.device) as processes:
        return _start(recipe, path, progress, logger_names, processes)


def _start(
    recipe: Recipe, path: Path, progress: ProgressCallback, logger_names: Collection[LoggerName], processes: Ranks
) -> Run:
    if processes.is_first:
        folder.require_unused(path)
    loggers.require(logger_names)
    training = build_training(recipe, ranks=processes)
    if networks.is_custom(recipe.model):
        onnx_file.require_exportable(training.state.network, recipe)  # now, not after hours of training
    run = Run(path)
    if processes.is_first:
        _warn(training)
        run = folder.create(path, recipe)
    with _write_lock(run, processes):
        if processes.is_first:
            files.write_json(run.environment, run_environment.describe(training))
            loggers.start(run, logger_names)
        _train(training, run, progress)
    return run


def _warn(training: Training) -> None:
    """Log what is odd about the data; on stderr, unless a program that trains configures logging."""
    data, recipe = training.data.train, training.recipe
    counts = count_by_class(training.data.class_names, data.labels, data.candidate_labels)
    is_balanced = bool(recipe.loss.class_weights) or recipe.data.sampling == "balanced"
    for warning in class_size_warnings(counts, is_balanced):
        log.warning("warning: %s", warning)
    if data.n_corrected:
        log.warning("%s of the training images have a corrected label.", f"{data.n_corrected:,}")


@contextmanager
def _write_lock(run: Run, processes: Ranks) -> Iterator[None]:
    """Lock a run folder for all processes of its training, of which only the first writes to it."""
    if not processes.is_first:
        yield
        return
    with lock(run.path):
        yield


def extend(path: Path, epochs: int, new_path: Path, progress: ProgressCallback, data_source: str = "") -> Run:
    """Train a finished run on to more epochs, as a new run that records which one it continues.

    The new run begins with the weights, the state of the optimizer, the metrics and the loggers of the finished one,
    which is not changed. Its schedule is that of all its epochs, so the learning rate may rise again; the patience of
    early stopping is counted from where it begins.

    Raises:
        InputError: there is no such run, it is not finished, has that many epochs already, or has no checkpoint; its
            data has changed; or the new path is in use.
        ModisteError: as `resume`.
    """
    if ranks.from_environment().world_size > 1:
        raise SettingError("A finished run is trained on by one process. Leave out torchrun.")
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
    info = run_info.read(old)
    training = build_training(recipe, initialize=False, original=replace(info, continued_from={"epochs": done}))
    run_environment.require_same_device(training, old, info)
    run_environment.require_same_data(training, old)
    checkpoint.load(training.state, old.last)
    record = {"run": old.name, "epochs": done, "checkpoint_sha256": files.sha256(old.checkpoint)}

    def write_state(run: Run) -> None:
        checkpoint.save(training.state, run.last)
        metrics_file.write(run.metrics, training.state.history)
        files.write_json(run.environment, {**run_environment.describe(training), "continued_from": record})

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
    with ranks.join(run.recipe().compute.device) as processes, _write_lock(run, processes):
        _resume(run, progress, data_source, processes)
    return run


def _resume(run: Run, progress: ProgressCallback, data_source: str, processes: Ranks) -> None:
    if processes.is_first:
        files.remove_partials(run.path)
    if run.finished:
        raise InputError(
            f"{run.path} is finished. Train under a new --name, or evaluate it: modiste evaluate {run.path}"
        )
    has_checkpoint = run.checkpoint.exists()
    if run.metrics.exists() and not has_checkpoint:
        raise InputError(
            f"{run.path} has no checkpoint to resume from. Start a new run: modiste train {run.recipe_file} --name NEW"
        )
    recipe, info = _recipe_of(run, data_source), run_info.read(run)
    run_environment.require_as_many(processes, info.processes, run)
    training = build_training(recipe, not has_checkpoint, info, processes)
    run_environment.require_same_device(training, run, info)
    if processes.is_first:
        run_environment.require_same_data(training, run)
        if not run.environment.exists():  # stopped before anything was trained
            files.write_json(run.environment, run_environment.describe(training))
    if data_source and processes.is_first:
        files.write_text(run.recipe_file, settings.to_json(recipe))
    if has_checkpoint:
        checkpoint.load(training.state, run.last)
    _train(training, run, progress)


def _recipe_of(run: Run, data_source: str, epochs: int = 0) -> Recipe:
    """Return the recipe of a run, with the folder to which its data was moved and the number of epochs where given."""
    changes: dict[str, Any] = {"data.source": data_source} if data_source else {}
    changes |= {"schedule.epochs": epochs} if epochs else {}
    recipe = settings.with_settings(run.recipe(), changes)
    return settings.with_absolute_paths(recipe) if data_source else recipe


def _train(training: Training, run: Run, progress: ProgressCallback) -> None:
    """Train until the end or until a signal stops it, then write the files of a finished run."""
    processes = training.ranks
    with stop_request() as stop:
        with _explain_failures(training, run):
            _fit(training, run, progress, lambda: processes.any(stop()))
            is_stopped = processes.any(stop())
        if is_stopped:
            raise _stopped(stop, run, processes)
        if processes.is_first:
            _finish(training, run, stop)
        processes.barrier()


def _finish(training: Training, run: Run, stop: StopRequest) -> None:
    """Write the files of a finished run; each follows from the checkpoint, so a signal may end it anywhere."""
    run.broken_step.unlink(missing_ok=True)  # of a step that did not fail again
    stop.interrupts = True
    try:
        finish(training, run)
        loggers.finish(run)
    except BaseException:
        if stop():  # whatever the exporter makes of the interrupt
            raise _stopped(stop, run, training.ranks) from None
        raise


def _fit(training: Training, run: Run, progress: ProgressCallback, stop: Callable[[], bool]) -> None:
    """Train until the end or until a stop is requested."""
    state, processes = training.state, training.ranks
    method = linear_probe.train if training.recipe.optimizer.name == "lbfgs" else train

    def save(state: State) -> None:
        if not processes.is_first:
            return
        checkpoint.save(state, run.last)
        metrics_file.write(run.metrics, state.history)
        if state.history and not state.step:
            loggers.append(run, state.history[-1])

    if training.recipe.model.head_init == "linear_probe" and not state.has_started:
        linear_probe.initialize_head(state, training.batches, training.step, progress, stop)
        for network in (state.network, state.evaluated_model):
            processes.broadcast_network(network)
    if not stop():
        loop = training.batches, training.step, training.schedule, training.validator
        method(state, *loop, save, progress, stop)


@contextmanager
def _explain_failures(training: Training, run: Run) -> Iterator[None]:
    """Raise a ModisteError for what is no fault of this package when the block fails."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise TrainingError("The device has too little memory. Lower optimizer.batch_size in a new run.") from None
    except NotANumber as error:
        raise _describe_broken_step(error, training, run) from None
    except Exception as error:
        if training.ranks.world_size > 1 and ranks.is_lost_connection(error):
            raise ranks.describe_lost_connection(str(run.path)) from None
        if isinstance(error, ModisteError) or not factories.find_place(error):
            raise
        raise SettingError(
            f"Your own code fails in training: {factories.describe(error)}. Correct it, then resume with: modiste "
            f"train --resume {run.path}"
        ) from error


def _stopped(stop: StopRequest, run: Run, processes: Ranks) -> Stopped:
    command = "modiste" if processes.world_size == 1 else "the same torchrun options and: -m modiste"
    return Stopped(stop.signal_number or SIGTERM, f"Stopped. Resume with: {command} train --resume {run.path}")


def _describe_broken_step(error: NotANumber, training: Training, run: Run) -> NotANumber:
    """Write the images of the step that failed to broken-step.json; return an error that names the file."""
    state, batches = training.state, training.batches
    epoch, step = len(state.history), min(state.step, batches.steps(state.order) - 1)
    indices = batches.indices(state.order, step).tolist()
    if training.ranks.is_first:
        files.write_json(run.broken_step, {"epoch": epoch + 1, "step": step + 1, "images": indices})
    last_epoch = f"Epoch {epoch} is saved. " if epoch else ""
    return NotANumber(
        f"In epoch {epoch + 1}, step {step + 1}, {error}. {last_epoch}Lower optimizer.lr, or look at the "
        f"images whose indices are in {run.broken_step}."
    )
