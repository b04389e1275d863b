"""The training loop: one function that calls batches, step, schedule and validator; each trick is in one of these."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from modiste.models.normalized import NormalizedModel
from modiste.runs.metrics_file import EpochMetrics
from modiste.training.batches import Batches
from modiste.training.ema import ModelEma
from modiste.training.optimizer import Optimizer
from modiste.training.schedule import Schedule
from modiste.training.step import Step
from modiste.training.validator import Validator


@dataclass
class State:
    """Everything that changes during a training; a checkpoint is a copy of it on disk.

    Args:
        network: with its weights and running statistics.
        optimizer: with its buffers, as of momentum.
        losses: float32 [n], of each training image at its last step; infinite before its first.
        totals: float64 [3], sums over the finished steps of the epoch: losses, correct predictions, images.
        ema: moving average of the network, where the recipe has one.
        order: int64, indices of the images of the unfinished epoch.
        best_weights: of the best epoch so far; empty in the first.
        history: metrics of the finished epochs.
        step: number of these steps.
        seconds: duration of these steps.
    """

    network: NormalizedModel
    optimizer: Optimizer
    losses: Tensor
    totals: Tensor
    ema: ModelEma | None = None
    order: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    history: list[EpochMetrics] = field(default_factory=list)
    step: int = 0
    seconds: float = 0.0

    @property
    def has_started(self) -> bool:
        """Whether a step has ended."""
        return bool(self.history or self.step)

    @property
    def evaluated_model(self) -> NormalizedModel:
        """The network that is evaluated and kept: that of the moving average where there is one."""
        return self.ema.evaluated_model if self.ema else self.network


class ProgressCallback(Protocol):
    """Receives the progress of a training, as to show it in a progress bar."""

    def on_step(self, epoch: int, step: int, steps: int) -> None:
        """Receive that `step` of `steps` has ended, in an epoch counted from 1; epoch 0 fits the head."""

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Receive the metrics of an epoch that has ended and is saved."""


def train(
    state: State,
    batches: Batches,
    step: Step,
    schedule: Schedule,
    validator: Validator,
    save: Callable[[State], None],
    progress: ProgressCallback,
    stop_requested: Callable[[], bool],
) -> None:
    """Train until the schedule has ended or a stop is requested; the state is saved in both cases.

    Raises:
        NotANumber: a loss, gradient or weight is not finite; `state` has the epoch and step, the last save is intact.
    """
    while not schedule.finished(state.history):
        epoch, previous_seconds = len(state.history), state.seconds
        started = time.perf_counter()
        state.order = state.order if state.step else batches.order(epoch, state.losses)
        steps = batches.steps(state.order)
        for indices, images, targets in batches(epoch, state.order, state.step):
            lr = schedule.learning_rate(state.history, (state.step + 0.5) / steps)
            losses, correct = step(images, targets, lr, epoch, state.step)
            state.losses[indices] = losses
            state.totals += torch.stack([losses, correct, torch.ones_like(losses)]).double().sum(1)
            state.step += 1
            state.seconds = previous_seconds + time.perf_counter() - started
            progress.on_step(epoch + 1, state.step, steps)
            if stop_requested():
                save(state)
                return
        loss, correct, count = state.totals.tolist()
        val_loss, val_accuracy = validator(state.evaluated_model)
        lr = schedule.learning_rate(state.history, 1 - 0.5 / steps)
        seconds = previous_seconds + time.perf_counter() - started
        metrics = EpochMetrics(epoch + 1, loss / count, correct / count, val_loss, val_accuracy, lr, seconds)
        end_epoch(state, metrics, schedule, save, progress)


def end_epoch(
    state: State,
    metrics: EpochMetrics,
    schedule: Schedule,
    save: Callable[[State], None],
    progress: ProgressCallback,
) -> None:
    """Add the metrics of an epoch to the history, keep its weights if they are the best so far, and save the state."""
    state.history.append(metrics)
    if schedule.is_best(state.history):
        state.best_weights = {name: value.clone() for name, value in state.evaluated_model.state_dict().items()}
    state.step, state.totals, state.seconds = 0, torch.zeros_like(state.totals), 0.0
    save(state)
    progress.on_epoch(metrics)
