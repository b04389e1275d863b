"""The training loop: one function that calls four values made from the recipe.

The batches, the step, the schedule, the judge. A trick lives in one of the four, never as an `if` in the loop.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from modiste.runs.metrics import Row
from modiste.training.batches import Batches
from modiste.training.judge import Judge
from modiste.training.schedule import Schedule
from modiste.training.step import Step


@dataclass
class State:
    """All that a training is at one moment; a copy of it on disk is a checkpoint.

    Args:
        network: with its weights and running statistics.
        optimizer: with its momentum.
        kept: weights of the epoch that counts so far; empty before the first epoch is finished.
        history: rows of the finished epochs.
        step: steps done in the unfinished epoch.
        totals: sums over these steps: loss, right, images; float64 [3].
        seconds: spent on these steps.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    kept: dict[str, Tensor] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)
    step: int = 0
    totals: Tensor = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))
    seconds: float = 0.0


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
        for images, labels in batches(epoch, state.step):
            rate = schedule.learning_rate(state.history, state.step / batches.steps)
            state.totals += step(images, labels, rate, epoch, state.step)
            state.step += 1
            state.seconds = before + time.perf_counter() - started
            watch.step(epoch + 1, state.step, batches.steps)
            if stopped():
                save(state)
                return
        loss, right, count = state.totals.tolist()
        seconds = before + time.perf_counter() - started
        rate = schedule.learning_rate(state.history, 1 - 1 / batches.steps)
        row = Row(epoch + 1, loss / count, right / count, *judge(state.network), rate, seconds)
        state.history.append(row)
        if schedule.keeps(state.history):
            state.kept = {name: value.clone() for name, value in state.network.state_dict().items()}
        state.step, state.totals, state.seconds = 0, torch.zeros_like(state.totals), 0.0
        save(state)
        watch.epoch(row)
