"""The training loop: one function that calls four values made from the recipe.

The batches, the step, the schedule, the judge. A trick lives in one of the four, never as an `if` in the loop.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from modiste.runs.metrics import Row
from modiste.training.average import Average
from modiste.training.batches import Batches
from modiste.training.judge import Judge
from modiste.training.optimizer import Optimizer
from modiste.training.prepared import Prepared
from modiste.training.schedule import Schedule
from modiste.training.step import Step


@dataclass
class State:
    """All that a training is at one moment; a copy of it on disk is a checkpoint.

    Args:
        network: with its weights and running statistics.
        optimizer: with its momentum.
        average: of the network over its last steps, where the recipe wants one.
        kept: weights of the epoch that counts so far; empty before the first epoch is finished.
        history: rows of the finished epochs.
        losses: of each training image when it was last seen, float32 [n]; infinite for one that never was.
        order: the images of the unfinished epoch, int64.
        step: steps done in it.
        totals: sums over these steps: loss, right, images; float64 [3].
        seconds: spent on these steps.
    """

    network: Prepared
    optimizer: Optimizer
    losses: Tensor
    average: Average | None = None
    order: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    kept: dict[str, Tensor] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)
    step: int = 0
    totals: Tensor = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))
    seconds: float = 0.0

    @property
    def judged(self) -> Prepared:
        """What is judged and kept: the average where there is one, else the network."""
        return self.average.network if self.average else self.network


class Watch(Protocol):
    """Is told how far a training is; a progress bar is one, a line an epoch another."""

    def step(self, epoch: int, step: int, steps: int) -> None:
        """`step` of `steps` is done, in `epoch` counted from 1."""

    def epoch(self, row: Row) -> None:
        """An epoch is finished and saved."""


def train(
    state: State,
    batches: Batches,
    step: Step,
    schedule: Schedule,
    judge: Judge,
    save: Callable[[State], None],
    watch: Watch,
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
            watch.step(epoch + 1, state.step, steps)
            if stopped():
                save(state)
                return
        loss, right, count = state.totals.tolist()
        seconds = before + time.perf_counter() - started
        rate = schedule.learning_rate(state.history, 1 - 0.5 / steps)
        row = Row(epoch + 1, loss / count, right / count, *judge(state.judged), rate, seconds)
        state.history.append(row)
        if schedule.keeps(state.history):
            state.kept = {name: value.clone() for name, value in state.judged.state_dict().items()}
        state.step, state.totals, state.seconds = 0, torch.zeros_like(state.totals), 0.0
        save(state)
        watch.epoch(row)
