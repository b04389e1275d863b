"""Progress of long work: a bar on a terminal, a plain line an epoch off it. Always on stderr, results go to stdout."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from modiste.runs.metrics_file import EpochMetrics


@contextmanager
def bar(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar; gives what moves it on by so many."""
    with _progress(Console(file=sys.stderr)) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.advance(task, count)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class TrainingProgress:
    """Shows how far a training is."""

    def __init__(self) -> None:
        self.console = Console(file=sys.stderr, highlight=False)
        self.bar = _progress(self.console)
        self.begun = False
        self.task = self.bar.add_task("")

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Move the bar; before the first epoch is told, say that it is on its way."""
        if not self.begun:
            self.console.print(f"epoch {epoch:3}  under way, {steps} steps an epoch")
            self.begun = True
        self.bar.update(self.task, description=f"epoch {epoch}", completed=step, total=steps)

    def epoch(self, row: EpochMetrics) -> None:
        """Print the finished epoch as a line."""
        held_out = ""
        if row.val_loss is not None and row.val_accuracy is not None:
            held_out = f"  validation loss {row.val_loss:.4f}  accuracy {row.val_accuracy:.2%}"
        self.console.print(
            f"epoch {row.epoch:3}  train loss {row.train_loss:.4f}  accuracy {row.train_accuracy:.2%}{held_out}"
            f"  lr {row.lr:.2g}  {row.seconds:.1f} s",
            soft_wrap=True,
        )
