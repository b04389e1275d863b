"""The training loop: one function that calls four values made from the recipe.

The batches, the step, the schedule, the validator. A trick lives in one of the four, never as an `if` in the loop.
"""

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
    """All that a training is at one moment; a copy of it on disk is a checkpoint.

    Args:
        network: with its weights and running statistics.
        optimizer: with its momentum.
        average: of the network over its last steps, where the recipe wants one.
        best_weights: weights of the epoch that counts so far; empty before the first epoch is finished.
        history: rows of the finished epochs.
        losses: of each training image when it was last seen, float32 [n]; infinite for one that never was.
        order: the images of the unfinished epoch, int64.
        step: steps done in it.
        totals: sums over these steps: loss, right, images; float64 [3].
        seconds: spent on these steps.
    """

    network: NormalizedModel
    optimizer: Optimizer
    losses: Tensor
    average: ModelEma | None = None
    order: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    history: list[EpochMetrics] = field(default_factory=list)
    step: int = 0
    totals: Tensor = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))
    seconds: float = 0.0

    @property
    def evaluated_model(self) -> NormalizedModel:
        """What is judged and kept: the average where there is one, else the network."""
        return self.average.network if self.average else self.network


class ProgressCallback(Protocol):
    """Is told how far a training is; a progress bar is one, a line an epoch another."""

    def step(self, epoch: int, step: int, steps: int) -> None:
        """`step` of `steps` is done, in `epoch` counted from 1."""

    def epoch(self, row: EpochMetrics) -> None:
        """An epoch is finished and saved."""


def train(
    state: State,
    batches: Batches,
    step: Step,
    schedule: Schedule,
    validator: Validator,
    save: Callable[[State], None],
    progress: ProgressCallback,
    stopped: Callable[[], bool],
) -> None:
    """Train until the schedule is finished or somebody asks to stop; the state is saved in either case.

    Raises:
        NotANumber: a loss or gradient is not a number; `state` says at which step, the last save is the last good one.
    """
    while not schedule.finished(state.history):
        epoch, before = len(state.history), state.seconds
        started = time.perf_counter()
        state.order = state.order if state.step else batches.order(epoch, state.losses)
        steps = batches.steps(state.order)
        for chosen, images, labels in batches(epoch, state.order, state.step):
            rate = schedule.learning_rate(state.history, (state.step + 0.5) / steps)
            losses, right = step(images, labels, rate, epoch, state.step)
            state.losses[chosen] = losses
            state.totals += torch.stack([losses, right, torch.ones_like(losses)]).double().sum(1)
            state.step += 1
            state.seconds = before + time.perf_counter() - started
            progress.step(epoch + 1, state.step, steps)
            if stopped():
                save(state)
                return
        loss, right, count = state.totals.tolist()
        seconds = before + time.perf_counter() - started
        rate = schedule.learning_rate(state.history, 1 - 0.5 / steps)
        row = EpochMetrics(epoch + 1, loss / count, right / count, *validator(state.evaluated_model), rate, seconds)
        state.history.append(row)
        if schedule.is_best(state.history):
            state.best_weights = {name: value.clone() for name, value in state.evaluated_model.state_dict().items()}
        state.step, state.totals, state.seconds = 0, torch.zeros_like(state.totals), 0.0
        save(state)
        progress.epoch(row)
