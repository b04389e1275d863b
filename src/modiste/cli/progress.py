"""Progress of long commands: a bar on a terminal, a line for each epoch elsewhere; always on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from modiste.runs.metrics_file import EpochMetrics


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar; yield a function that advances it."""
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
    """Shows the progress of a training, as a `ProgressCallback`."""

    def __init__(self) -> None:
        self.console = Console(file=sys.stderr, highlight=False)
        self.bar = _progress(self.console)
        self.started = False
        self.task = self.bar.add_task("")

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def on_step(self, epoch: int, step: int, steps: int) -> None:
        """Move the bar; in the first step, print that the training has started."""
        if not self.started:
            self.console.print(f"epoch {epoch:3}  started, {steps} steps per epoch")
            self.started = True
        self.bar.update(self.task, description=f"epoch {epoch}", completed=step, total=steps)

    def on_epoch(self, metrics: EpochMetrics) -> None:
        """Print a line with the metrics of an epoch."""
        validation = ""
        if metrics.val_loss is not None and metrics.val_accuracy is not None:
            validation = f"  validation loss {metrics.val_loss:.4f}  accuracy {metrics.val_accuracy:.2%}"
        self.console.print(
            f"epoch {metrics.epoch:3}  train loss {metrics.train_loss:.4f}  accuracy {metrics.train_accuracy:.2%}"
            f"{validation}  lr {metrics.lr:.2g}  {metrics.seconds:.1f} s",
            soft_wrap=True,
        )
