"""A training from recipe to run folder: what `modiste train` does.

Everything that can be refused (data, weights, device) is refused before the folder is made.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modiste.data import sources
from modiste.data.split import Split, TrainingData
from modiste.errors import InputError, Stopped, TrainingError
from modiste.export import model_card, onnx_file
from modiste.metrics import calibration
from modiste.models import networks, weights
from modiste.models.normalized import NormalizedModel, preparation
from modiste.models.summary import summarize_layers
from modiste.recipes.recipe import Recipe
from modiste.reporting import figures
from modiste.runs import environment, files, folder, metrics_file, run_info
from modiste.runs.folder import Run
from modiste.runs.lock import lock
from modiste.training import checkpoint, compute, distillation, targets, tensorboard
from modiste.training import optimizer as optimizers
from modiste.training.batches import Batches
from modiste.training.ema import ModelEma
from modiste.training.loop import ProgressCallback, State, train
from modiste.training.randomness import derive_seed
from modiste.training.schedule import Schedule
from modiste.training.signals import stop_request
from modiste.training.step import NotANumber, Step
from modiste.training.validator import Validator, predict


@dataclass(frozen=True, slots=True)
class Training:
    """A recipe made ready: its data, the four values of the loop, and the state before the first step."""

    recipe: Recipe
    data: TrainingData
    batches: Batches
    step: Step
    schedule: Schedule
    validator: Validator
    state: State


def start(recipe: Recipe, path: Path, progress: ProgressCallback, events: bool = False) -> Run:
    """Train a recipe into a new run folder.

    Args:
        recipe: what to train.
        path: where the run goes; there must be nothing but an empty folder.
        progress: is told how far it is.
        events: write TensorBoard events as well.

    Raises:
        ModisteError: bad data, settings or weights, before anything is written; or as `resume`.
    """
    folder.require_unused(path)
    if events:
        tensorboard.require()
    training = prepare(recipe)
    if networks.is_own(recipe.model):
        onnx_file.require_exportable(training.state.network, recipe)  # now, not after hours of training
    run = folder.create(path, recipe)
    with lock(run.path):
        files.write_json(run.environment, _environment(training))
        if events:
            files.make_folder(run.events)
        _go(training, run, progress)
    return run


def resume(path: Path, progress: ProgressCallback) -> Run:
    """Go on with a run where it stopped; its recipe decides everything.

    Raises:
        InputError: there is no run, it is finished, or another process is training it.
        TrainingError: the loss is not a number.
        OutputError: the run cannot be written to.
        Stopped: a signal came; the run can be resumed again.
    """
    run = folder.open_run(path)
    with lock(run.path):
        files.remove_partials(run.path)
        if run.finished:
            raise InputError(
                f"{path} is finished. Validator it with `modiste evaluate {path}`, or train under a new --name."
            )
        saved = (run.last / checkpoint.FILE).exists()
        if run.metrics.exists() and not saved:
            raise InputError(
                f"{path} has no checkpoint to go on from. Train anew: modiste train {run.recipe_file} --name NEW"
            )
        training = prepare(run.recipe(), fresh=not saved, precision=run_info.read(run).precision)
        _require_same_data(training, run)
        if saved:
            checkpoint.load(training.state, run.last)
        _go(training, run, progress)
    return run


def prepare(recipe: Recipe, fresh: bool = True, precision: str = "") -> Training:
    """Make the values of a training from its recipe.

    Args:
        recipe: what to train.
        fresh: start from the recipe's `model.weights`; a training that goes on has its own.
        precision: that a training began in; to measure again which is faster might say another. Left out: the recipe's.

    Raises:
        ModisteError: for all that is wrong with the recipe or its data.
    """
    compute.prepare(recipe.compute)
    device = compute.device(recipe.compute)
    data = sources.open_training(recipe.data, recipe.seed)
    images, labels = _tensors(data.train, device)
    if recipe.augmentation.mixup_prob:
        labels = targets.distributions(labels, len(data.class_names))
    scale = preparation(recipe.model, images.cpu())
    network = _network(recipe, len(data.class_names), scale, fresh).to(device)
    computed_in = compute.precision(precision or recipe.compute.precision, device)
    optimizer = optimizers.optimizer(recipe.optimizer, network, computed_in)
    average = ModelEma(network, recipe.optimizer.ema_decay) if recipe.optimizer.ema_decay else None
    others = distillation.teachers(recipe, data, device, computed_in)
    return Training(
        recipe,
        data,
        Batches(
            images,
            labels,
            recipe.optimizer.batch_size,
            recipe.augmentation,
            recipe.seed,
            recipe.schedule.skip_easy_fraction,
        ),
        Step(network, optimizer, recipe.optimizer.label_smoothing, computed_in, recipe.seed, average, others),
        Schedule(recipe),
        Validator(*_tensors(data.validation, device)),
        State(
            network,
            optimizer,
            average=average,
            losses=torch.full((len(labels),), torch.inf, device=device),
            totals=torch.zeros(3, dtype=torch.float64, device=device),
        ),
    )


def _tensors(split: Split, device: torch.device) -> tuple[Tensor, Tensor]:
    labels = split.labels if split.candidate_labels is None else split.candidate_labels
    return torch.from_numpy(split.images).to(device), torch.from_numpy(labels).to(device)


def _network(recipe: Recipe, labels: int, scale: tuple[Tensor, Tensor], fresh: bool) -> NormalizedModel:
    """Build the network, if it is fresh with its first weights; convolutions are fastest with channels last."""
    torch.manual_seed(derive_seed(recipe.seed, "weights"))
    body = networks.build(recipe.model, labels, recipe.data, recipe.augmentation.train_size)
    if fresh:
        weights.first_weights(body, recipe.model)
    return NormalizedModel(body, *scale).to(memory_format=torch.channels_last)


def _go(training: Training, run: Run, progress: ProgressCallback) -> None:
    """Run the loop, then write what a finished run has."""
    state, batches = training.state, training.batches

    def save(state: State) -> None:
        checkpoint.save(state, run.last)
        metrics_file.write(run.metrics, state.history)
        if run.events.exists() and state.history and not state.step:
            tensorboard.append(run.events, state.history[-1])

    with stop_request() as stop:
        try:
            train(state, batches, training.step, training.schedule, training.validator, save, progress, stop)
        except torch.OutOfMemoryError:
            raise TrainingError(
                "The device has too little memory. Lower optimizer.batch_size and train anew."
            ) from None
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
    """Write weights, model, curves and card, then the marker of a finished run."""
    state, data, recipe = training.state, training.data, training.recipe
    metrics_file.write(run.metrics, state.history)  # once more: a kill may have come between checkpoint and log
    state.network.load_state_dict(state.best_weights)
    network, options = state.network, recipe.model
    network.flip_tta, network.eval_blur = options.flip_tta, options.eval_blur  # only now: training sees one sharp view
    scores = _scores(training)  # before the network leaves the device that the images are on
    network = network.cpu().to(memory_format=torch.contiguous_format)
    weights.write_weights(network, run.weights)
    files.write_json(run.layers, summarize_layers(network, torch.from_numpy(data.train.images[0])))
    sample = data.validation.images if len(data.validation) else data.train.images[:1000]
    probabilities = torch.softmax(predict(network, torch.from_numpy(sample)), 1).numpy()
    label_groups = calibration.find_label_groups(data.train.candidate_labels)
    fitted = calibration.fit_calibration(
        probabilities[: len(data.validation)], data.validation, data.class_names, label_groups
    )
    onnx_file.export(network, recipe, data.class_names, scores, fitted, run.model)
    onnx_file.check(run.model, probabilities, sample)
    kept = metrics_file.best_epoch(state.history, recipe.early_stopping)
    figures.save_curves({run.name: state.history}, run.curves, {run.name: kept})
    files.write_text(
        run.card, model_card.text(run.name, recipe, data, scores, fitted, networks.count_parameters(network))
    )
    files.write_text(run.finished_marker, "")


def _scores(training: Training) -> dict[str, Any]:
    """What is known of the kept weights without the test split."""
    history, network = training.state.history, training.state.network
    row = history[metrics_file.best_epoch(history, training.recipe.early_stopping) - 1]
    known = {"epoch": row.epoch, "train": {"loss": row.train_loss, "accuracy": row.train_accuracy}}
    if held_out := len(training.data.validation):
        judged = row.val_loss, row.val_accuracy
        loss, accuracy = training.validator(network) if network.flip_tta or network.eval_blur else judged
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
            "parameters": networks.count_parameters(training.state.network),
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
