"""A training from recipe to run folder: what `modiste train` does.

Everything that can be refused (data, weights, device) is refused before the folder is made.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from modiste.data import sources
from modiste.data.split import Split, TrainingData
from modiste.errors import InputError, Stopped, TrainingError
from modiste.evaluation import calibration, figures
from modiste.recipes.recipe import Recipe
from modiste.runs import environment, facts, files, folder, metrics
from modiste.runs.folder import Run
from modiste.training import card, checkpoint, compute, export, networks, targets, teachers, weights
from modiste.training import events as tensorboard
from modiste.training import optimizer as optimizers
from modiste.training.average import Average
from modiste.training.batches import Batches
from modiste.training.judge import Judge, predict
from modiste.training.loop import State, Watch, train
from modiste.training.prepared import Prepared, preparation
from modiste.training.randomness import number
from modiste.training.schedule import Schedule
from modiste.training.signals import stop_request
from modiste.training.step import NotANumber, Step


@dataclass(frozen=True, slots=True)
class Training:
    """A recipe made ready: its data, the four values of the loop, and the state before the first step."""

    recipe: Recipe
    data: TrainingData
    batches: Batches
    step: Step
    schedule: Schedule
    judge: Judge
    state: State


def start(recipe: Recipe, path: Path, watch: Watch, events: bool = False) -> Run:
    """Train a recipe into a new run folder.

    Args:
        recipe: what to train.
        path: where the run goes; there must be nothing but an empty folder.
        watch: is told how far it is.
        events: write TensorBoard events as well.

    Raises:
        ModisteError: bad data, settings or weights, before anything is written; or as `resume`.
    """
    folder.require_new(path)
    if events:
        tensorboard.require()
    training = prepare(recipe)
    if networks.is_own(recipe.network):
        export.require_exportable(training.state.network, recipe)  # now, not after hours of training
    run = folder.create(path, recipe)
    with _locked(run):
        files.write_json(run.environment, _environment(training))
        if events:
            files.make_folder(run.events)
        _go(training, run, watch)
    return run


def resume(path: Path, watch: Watch) -> Run:
    """Go on with a run where it stopped; its recipe decides everything.

    Raises:
        InputError: there is no run, it is finished, or another process is training it.
        TrainingError: a loss that is not a number, a full disk.
        Stopped: a signal came; the run can be resumed again.
    """
    run = folder.open_run(path)
    with _locked(run):
        files.remove_partials(run.path)
        if run.card.exists():
            raise InputError(
                f"{path} is finished. Judge it with `modiste evaluate {path}`, or train under a new --name."
            )
        saved = (run.last / checkpoint.FILE).exists()
        if run.metrics.exists() and not saved:
            raise InputError(
                f"{path} has no checkpoint to go on from. Train anew: modiste train {run.recipe_file} --name NEW"
            )
        training = prepare(run.recipe(), fresh=not saved, precision=facts.read(run).precision)
        _require_same_data(training, run)
        if saved:
            checkpoint.load(training.state, run.last)
        _go(training, run, watch)
    return run


def prepare(recipe: Recipe, fresh: bool = True, precision: str = "") -> Training:
    """Make the values of a training from its recipe.

    Args:
        recipe: what to train.
        fresh: start from the recipe's `network.weights`; a training that goes on has its own.
        precision: that a training began in; to measure again which is faster might say another. Left out: the recipe's.

    Raises:
        ModisteError: for all that is wrong with the recipe or its data.
    """
    compute.prepare(recipe.compute)
    device = compute.device(recipe.compute)
    data = sources.open_training(recipe.data, recipe.seed)
    images, labels = _tensors(data.train, device)
    if recipe.augmentation.mixing:
        labels = targets.distributions(labels, len(data.label_names))
    scale = preparation(recipe.network, images.cpu())
    network = _network(recipe, len(data.label_names), scale, fresh).to(device)
    computed_in = compute.precision(precision or recipe.compute.precision, device)
    optimizer = optimizers.optimizer(recipe.optimizer, network, computed_in)
    average = Average(network, recipe.optimizer.average) if recipe.optimizer.average else None
    others = teachers.teachers(recipe, data, device, computed_in)
    return Training(
        recipe,
        data,
        Batches(images, labels, recipe.optimizer.batch, recipe.augmentation, recipe.seed, recipe.schedule.drop),
        Step(network, optimizer, recipe.optimizer.smoothing, computed_in, recipe.seed, average, others),
        Schedule(recipe),
        Judge(*_tensors(data.validation, device)),
        State(
            network,
            optimizer,
            average=average,
            losses=torch.full((len(labels),), torch.inf, device=device),
            totals=torch.zeros(3, dtype=torch.float64, device=device),
        ),
    )


def _tensors(split: Split, device: torch.device) -> tuple[Tensor, Tensor]:
    labels = split.labels if split.allowed is None else split.allowed
    return torch.from_numpy(split.images).to(device), torch.from_numpy(labels).to(device)


def _network(recipe: Recipe, labels: int, scale: tuple[Tensor, Tensor], fresh: bool) -> Prepared:
    """Build the network, if it is fresh with its first weights; convolutions are fastest with channels last."""
    torch.manual_seed(number(recipe.seed, "weights"))
    body = networks.build(recipe.network, labels, recipe.data, recipe.augmentation.size)
    if fresh:
        weights.first_weights(body, recipe.network)
    return Prepared(body, *scale).to(memory_format=torch.channels_last)


def _go(training: Training, run: Run, watch: Watch) -> None:
    """Run the loop, then write what a finished run has."""
    state, batches = training.state, training.batches

    def save(state: State) -> None:
        checkpoint.save(state, run.last)
        metrics.write(run.metrics, state.history)
        if run.events.exists() and state.history and not state.step:
            tensorboard.append(run.events, state.history[-1])

    with stop_request() as stop:
        try:
            train(state, batches, training.step, training.schedule, training.judge, save, watch, stop)
        except torch.OutOfMemoryError:
            raise TrainingError("The device has too little memory. Lower optimizer.batch and train anew.") from None
        except NotANumber as error:
            epoch, step = len(state.history), min(state.step, batches.steps(state.order) - 1)
            chosen = state.order[step * batches.batch : (step + 1) * batches.batch]
            content = {"epoch": epoch + 1, "step": step + 1, "images": chosen.tolist()}
            files.write_json(run.path / "broken-step.json", content)
            kept = "The last good epoch is kept. " if epoch else ""
            raise NotANumber(
                f"In epoch {epoch + 1}, step {step + 1}, {error}. {kept}Lower optimizer.lr, or look at the images in "
                f"{run.path / 'broken-step.json'}."
            ) from None
    if stop():
        raise Stopped(stop.number, f"Stopped. Go on with: modiste train --resume {run.path}")
    _finish(training, run)


def _finish(training: Training, run: Run) -> None:
    """Write weights, model, curves and card; the card comes last, so a run that has it is whole."""
    state, data, recipe = training.state, training.data, training.recipe
    metrics.write(run.metrics, state.history)  # once more: a kill may have come between checkpoint and log
    state.network.load_state_dict(state.kept)
    network, options = state.network, recipe.network
    network.mirrored, network.softened = options.mirrored, options.softened  # only now: training sees one sharp view
    scores = _scores(training)  # before the network leaves the device that the images are on
    network = network.cpu().to(memory_format=torch.contiguous_format)
    weights.write_weights(network, run.weights)
    sample = data.validation.images if len(data.validation) else data.train.images[:1000]
    probabilities = torch.softmax(predict(network, torch.from_numpy(sample)), 1).numpy()
    together = calibration.together(data.train.allowed)
    certainty = calibration.fit(probabilities[: len(data.validation)], data.validation, data.label_names, together)
    export.export(network, recipe, data.label_names, scores, certainty, run.model)
    export.check(run.model, probabilities, sample)
    kept = metrics.best_epoch(state.history, recipe.stopping)
    figures.curves({run.name: state.history}, run.curves, {run.name: kept})
    files.write_text(run.card, card.text(run.name, recipe, data, scores, certainty, networks.parameters(network)))


def _scores(training: Training) -> dict[str, Any]:
    """What is known of the kept weights without the test split."""
    history, network = training.state.history, training.state.network
    row = history[metrics.best_epoch(history, training.recipe.stopping) - 1]
    known = {"epoch": row.epoch, "train": {"loss": row.train_loss, "accuracy": row.train_accuracy}}
    if held_out := len(training.data.validation):
        judged = row.validation_loss, row.validation_accuracy
        loss, accuracy = training.judge(network) if network.mirrored or network.softened else judged
        known["validation"] = {"n": held_out, "loss": loss, "accuracy": accuracy}
    return known


def _environment(training: Training) -> dict[str, Any]:
    recipe, data = training.recipe, training.data
    hashes = sources.fingerprint(recipe.data, data)
    computed = compute.describe(training.batches.images.device, training.step.precision)
    asked = training.step.teachers
    return (
        environment.describe()
        | computed
        | {
            "parameters": networks.parameters(training.state.network),
            "data": {
                "source": recipe.data.source or "fashion-mnist",
                "sha256": hashes["data"],
                "train": {"n": len(data.train), "sha256": hashes["train"]},
                "validation": {"n": len(data.validation), "sha256": hashes["validation"]},
                **({"teachers": list(asked.known)} if asked else {}),
            },
        }
    )


def _require_same_data(training: Training, run: Run) -> None:
    """Refuse to go on with other images than those the run began with."""
    if not run.environment.exists():  # stopped before anything was trained
        files.write_json(run.environment, _environment(training))
        return
    before, now = files.read_json(run.environment).get("data", {}), _environment(training)["data"]
    if before.get("teachers") != now.get("teachers"):
        names = ", ".join(training.recipe.distillation.teachers)
        raise InputError(
            f"The teachers of {run.path} ({names}) are not those that it began with. Restore them, or train under a "
            "new --name."
        )
    if before != now:
        raise InputError(f"The data of {run.path} has changed since it began. Restore it, or train under a new --name.")


@contextmanager
def _locked(run: Run) -> Iterator[None]:
    """Keep other processes from training the same run; the system lets go of the lock when this process ends."""
    files.make_folder(run.last)
    lock = FileLock(run.last / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"{run.path} is being trained by another process. Wait for it, or stop it first.") from None
    except OSError as error:
        raise TrainingError(f"{run.path} cannot be written ({error.strerror}). Choose another folder.") from None
    try:
        yield
    finally:
        lock.release()
