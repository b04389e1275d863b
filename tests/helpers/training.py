"""Train by the loop alone, without a run folder."""

from collections.abc import Callable

from helpers.progress import Silent
from modiste.training.build import Training
from modiste.training.loop import State, train


def train_steps(
    training: Training, save: Callable[[State], None] = lambda _: None, stop_after: int | None = None
) -> None:
    """Train until the end, or until some steps have ended."""
    steps = iter(range(1, 10_000))
    loop = training.batches, training.step, training.schedule, training.validator
    train(training.state, *loop, save, Silent(), lambda: next(steps) == stop_after)
